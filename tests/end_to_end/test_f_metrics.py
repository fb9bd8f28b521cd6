"""The values of the metrics, against runs whose every share is known."""
import asyncio
import pathlib
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import ports
from house import HouseTest, main
from waiting import figure, paced

LEGACY = (
    "proxy_worker_sended",
    "proxy_worker_one_sended",
    "proxy_worker_accepted",
    "proxy_worker_one_accepted",
)
KEPT = ("proxy_shares_", "proxy_pool_shares_", "proxy_difficulty_one_")  # these survive a restart


class MetricsValues(HouseTest):
    async def test_a_scripted_run(self):
        """Two algorithms, a difficulty change in mid-job, rejections, a reconnect."""
        daemon = await self.daemon(tag="t", config={"metrics": {"flush_seconds": 0.1}})
        bitcoin, litecoin = await self.pool(difficulty=1024), await self.pool(difficulty=32, seed=2)
        one = await self.account(daemon, bitcoin)
        two = await self.account(daemon, litecoin, algorithm="scrypt", user="ltc")
        first, second = await self.miner(daemon, one), await self.miner(daemon, two)
        labels = {"proxy": "t", "worker": first.source, "user": one, "hash": "sha256d", "pool": bitcoin.address}
        other = {"proxy": "t", "worker": second.source, "user": two, "hash": "scrypt", "pool": litecoin.address}

        await first.mine(3)
        link = await bitcoin.link()
        old_job = first.job
        link.set_difficulty(4096)
        await first.changes.until(lambda: first.difficulty == 4096, "the new difficulty")
        await first.mine(2)  # the job of the old difficulty
        link.notify(clean=False)
        await first.next_job(1)
        await first.mine(1)
        await first.mine(1, job=old_job)
        bitcoin.verdict = lambda submit: (23, "low difficulty", None)
        await first.mine(2)
        await second.mine(4)

        m = await daemon.metrics_until(
            lambda m: m.get("proxy_worker_sended", **labels) == 9
            and m.get("proxy_worker_sended", **other) == 4,
            "all shares",
        )
        self.assertEqual(m.get("proxy_worker_accepted", **labels), 7)
        self.assertEqual(m.get("proxy_worker_one_accepted", **labels), 6 * 1024 + 4096)
        self.assertEqual(m.get("proxy_worker_one_sended", **labels), 6 * 1024 + 3 * 4096)
        self.assertEqual(m.get("proxy_worker_difficulty", **labels), 4096)
        self.assertEqual(m.get("proxy_worker_accepted", **other), 4)
        self.assertAlmostEqual(m.get("proxy_worker_one_accepted", **other), 4 * 32 / 65536, places=12)
        self.assertEqual(m.get("proxy_pool_divider", proxy="t", hash="scrypt", pool=litecoin.address), 65536)
        self.assertEqual(m.get("proxy_pool_divider", proxy="t", hash="sha256d", pool=bitcoin.address), 1)
        for pool in (bitcoin, litecoin):
            self.assertEqual(m.get("proxy_pool_up", pool=pool.address), 1)
        rejected = await daemon.metrics_until(
            lambda m: m.sum("proxy_shares_rejected_total", pool=bitcoin.address) == 2, "the rejections"
        )
        self.assertEqual(
            rejected.sum("proxy_shares_rejected_total", pool=bitcoin.address, reason="low_difficulty"), 2
        )

        # A reconnect: another source port starts at nothing, the account's totals go on.
        bitcoin.verdict = lambda submit: True
        first.reset()
        await daemon.metrics_until(lambda m: m.get("proxy_worker_up", worker=first.source) == 0, "the drop")
        again = self.new_miner(daemon, one, session=first.session)
        await again.start()
        await again.mine(1)
        labels["worker"] = again.source
        m = await daemon.metrics_until(
            lambda m: m.get("proxy_worker_accepted", **labels) == 1, "the share after the reconnect"
        )
        self.assertEqual(m.get("proxy_worker_sended", **labels), 1)
        m = await daemon.metrics_until(
            lambda m: m.sum("proxy_shares_accepted_total", pool=bitcoin.address) == 8, "the totals"
        )
        self.assertEqual(m.sum("proxy_shares_sent_total", pool=bitcoin.address), 10)
        self.assertEqual(
            m.sum("proxy_difficulty_one_accepted_total", pool=bitcoin.address), 6 * 1024 + 2 * 4096
        )
        for name in (
            "process_cpu_seconds_total",
            "process_resident_memory_bytes",
            "process_open_fds",
            "process_max_fds",
            "process_start_time_seconds",
            "process_virtual_memory_bytes",
            "proxy_build_info",
        ):
            self.assertTrue(m.all(name), name)

    async def test_the_speed_is_the_sum_of_the_window(self):
        """Accepted shares of a known difficulty at a known rate, over ticks of one second."""
        daemon = await self.daemon(config={"metrics": {"window_seconds": 4, "interval_seconds": 1}})
        pool = await self.pool(difficulty=65536)
        account = await self.account(daemon, pool, algorithm="scrypt")
        miner = await self.miner(daemon, account)
        rate = 25
        async for _ in paced(rate, 6.5):
            miner.submit()
        await miner.shares[-1].reply
        metrics = await daemon.metrics()
        expected = 2**32 * rate  # difficulty 65536 / divider 65536
        speed = metrics.get("proxy_worker_speed", user=account)
        self.assertAlmostEqual(speed / expected, 1, delta=0.2)
        self.say(f"speed {speed:.4g} of {expected:.4g} hashes per second")

    async def test_no_series_before_login_and_none_for_strangers(self):
        daemon = await self.daemon()
        pool = await self.pool()
        account = await self.account(daemon, pool)
        miner = self.new_miner(daemon, account)
        await miner.connect()
        await miner.subscribe()
        stranger = self.new_miner(daemon, "0123456789abcdef")
        await stranger.connect()
        await stranger.log_in()
        metrics = await daemon.metrics()
        self.assertFalse(metrics.all("proxy_worker_up"))
        self.assertNotIn("0123456789abcdef", metrics.text)

    async def test_promtool_has_nothing_to_say(self):
        if not shutil.which("promtool"):
            self.skipTest("no promtool on this machine")
        daemon = await self.daemon(tag='quote " backslash \\ done')
        pool = await self.pool()
        account = await self.account(daemon, pool)
        miner = await self.miner(daemon, account)
        await miner.mine(2)
        metrics = await daemon.metrics()
        self.assertEqual(
            metrics.get("proxy_worker_up", worker=miner.source, proxy='quote " backslash \\ done'), 1
        )
        result = subprocess.run(
            ["promtool", "check", "metrics"], input=metrics.text, capture_output=True, text=True, check=False
        )
        said = [line for line in (result.stdout + result.stderr).splitlines() if line.strip()]
        self.assertEqual([line for line in said if not line.startswith(LEGACY)], [])

    async def test_no_total_ever_falls(self):
        """kill -9 under load, again and again."""
        rounds = figure(6, 20)
        daemon = await self.daemon(
            tag="fixed",
            threads=2,
            config={"metrics": {"flush_seconds": 0.05}},
            stratum=f"127.0.0.1:{ports.free()}",
            web=f"127.0.0.1:{ports.free()}",
        )
        pool = await self.pool()
        account = await self.account(daemon, pool)
        highest = {}
        accepted = 0
        for number in range(rounds):
            miners = [await self.miner(daemon, account, f"r{i}") for i in range(8)]
            before = sum(value for key, value in highest.items() if key[0] == "proxy_shares_accepted_total")

            async def load(miner):
                while miner.connected:
                    await miner.submit().reply

            tasks = [asyncio.create_task(load(miner)) for miner in miners]

            def watch(metrics):
                for key, value in metrics.totals().items():
                    if key[0].startswith(KEPT):
                        self.assertGreaterEqual(value, highest.get(key, 0), (number, key))
                        highest[key] = value
                return sum(v for k, v in highest.items() if k[0] == "proxy_shares_accepted_total") > before + 20

            await daemon.metrics_until(watch, "totals that grow")
            await daemon.kill()
            await asyncio.gather(*tasks)
            accepted += sum(share.verdict == "accepted" for miner in miners for share in miner.shares)
            self.assertTrue(
                all(share.verdict in ("accepted", None) for miner in miners for share in miner.shares)
            )
            await daemon.restart()
        last = await daemon.metrics()
        for key, value in last.totals().items():
            if key[0].startswith(KEPT):
                self.assertGreaterEqual(value, highest.get(key, 0), key)
        self.assertLessEqual(last.sum("proxy_shares_accepted_total"), len(pool.submits))
        keys = [tuple(s.key) for s in pool.submits]
        self.assertEqual(len(keys), len(set(keys)), "a share was sent twice")
        self.say(
            f"{rounds} kills: {accepted} shares told accepted, {last.sum('proxy_shares_accepted_total'):.0f} in the totals, {len(pool.submits)} at the pool"
        )


if __name__ == "__main__":
    main()
