"""Thirty bugs of the program that this one succeeds. Each has a test that fails if the bug comes back.

Where a bug was inside (a data race, a dead goroutine) its test makes the conditions and looks at what a user would see.
"""
import asyncio
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from canaries import MINER_PASSWORD, OTHER_POOL_PASSWORD, POOL_PASSWORD
from daemon import EXHAUSTS, MORE_THAN_DESCRIPTORS, Daemon
from fake_miner import FakeMiner
from fake_pool import IGNORE
from house import HouseTest, main
from waiting import SLOWNESS, at_most, figure, until
from wire import error_code


class ThirtyBugs(HouseTest):
    async def _house(self, miners=1, pool=None, **daemon):
        self.proxy = await self.daemon(**daemon)
        self.farm = await self.pool(**(pool or {}))
        self.name = await self.account(self.proxy, self.farm)
        self.miners = [await self.miner(self.proxy, self.name, f"rig{i}") for i in range(miners)]
        return self.miners[0] if miners else None

    async def _ask_raw(self, *lines):
        """Lines on a fresh connection, then a ping; all that came until its reply."""
        miner = FakeMiner(self.proxy.stratum, "")
        self.addCleanup(miner.close)
        await miner.connect()
        for line in lines:
            miner.send_bytes(line + b"\n")
        marker = miner.request("mining.ping", [], "marker")
        await at_most(marker, "the marker's reply")
        return miner

    async def test_bug_01_empty_object_does_not_kill(self):
        miner = await self._house()
        await self._ask_raw(b"{}", b'{"id":null,"result":1}')
        (share,) = await miner.mine()
        self.assertEqual(share.verdict, "accepted")

    async def test_bug_02_submit_without_parameters_does_not_kill(self):
        miner = await self._house()
        reply = await miner.ask("mining.submit", [])
        self.assertEqual(error_code(reply), 20)
        (share,) = await miner.mine()
        self.assertEqual(share.verdict, "accepted")

    async def test_bug_03_odd_types_from_the_pool_do_not_kill(self):
        miner = await self._house()
        link = await self.farm.link()
        for line in (
            {"id": None, "method": "mining.notify", "params": [5]},
            {"id": None, "method": "mining.set_difficulty", "params": ["x"]},
            {"id": 1, "result": None, "error": [21]},
        ):
            link.send(line)
        (share,) = await miner.mine()
        self.assertEqual(share.verdict, "accepted")
        text = await self.pool()
        text.on["mining.configure"] = lambda c, m: c.reply(m["id"], {"version-rolling": "not today"}) or True
        name = await self.account(self.proxy, text)
        other = await self.miner(self.proxy, name, mask="ffffffff")
        (share,) = await other.mine()
        self.assertEqual(share.verdict, "accepted")

    async def test_bug_04_configure_first_then_subscribe_works(self):
        await self._house(miners=0)
        miner = await self.miner(self.proxy, self.name, mask="ffffffff")
        self.assertEqual(miner.mask, "1fffe000")
        (share,) = await miner.mine(version="00002000")
        await self.shares_agree(self.farm, [share])
        self.assertEqual(self.farm.submits[-1].version, "00002000")

    async def test_bug_05_no_empty_extranonce_and_no_reconnect_loop(self):
        miner = await self._house()
        self.assertTrue(miner.extranonce1)
        for _ in range(5):
            await miner.mine()
        self.assertEqual(miner.connects, 1)
        self.assertEqual(len(self.farm.connections), 1)
        self.assertFalse([m for m in miner.messages if m.get("method") == "mining.set_extranonce"])

    async def test_bug_06_the_first_job_fits_its_extranonce(self):
        miner = await self._house()
        first = miner.job_log[0]
        share = miner.submit(first)
        await self.shares_agree(self.farm, [share])

    async def test_bug_07_sixty_pipelined_handshakes(self):
        await self._house(miners=0)
        miners = await asyncio.gather(
            *(self.miner(self.proxy, self.name, f"r{i}", mask="ffffffff") for i in range(60))
        )
        for miner in miners:
            replies = [json.dumps(m["id"]) for m in miner.messages if "method" not in m]
            self.assertEqual(replies, sorted(replies, key=int), "replies in the order of the requests")
            kinds = [m.get("method") for m in miner.messages]
            self.assertLess(kinds.index("mining.set_difficulty"), kinds.index("mining.notify"))
        shares = [miner.submit() for miner in miners]
        await self.shares_agree(self.farm, shares)

    async def test_bug_08_the_pools_reason_comes_back_and_silence_is_told_apart(self):
        miner = await self._house(config={"upstream": {"verdict_timeout_seconds": 4 * SLOWNESS}})
        self.farm.verdict = lambda submit: (23, "Low difficulty share", None)
        (share,) = await miner.mine()
        self.assertEqual(share.reply.result()["error"], [23, "Low difficulty share", None])
        self.farm.verdict = lambda submit: IGNORE
        (share,) = await miner.mine()
        self.assertEqual(share.verdict, "unknown", share.reply.result())

    async def test_bug_09_an_error_object_ends_nothing(self):
        miner = await self._house()
        link = await self.farm.link()

        def verdict(submit):
            link.reply(submit.id, None, {"code": 22, "message": "seen before", "data": None})
            return IGNORE

        self.farm.verdict = verdict
        (share,) = await miner.mine()
        self.assertEqual(share.reply.result()["error"][:2], [22, "seen before"])
        self.farm.verdict = lambda submit: True
        (share,) = await miner.mine()
        self.assertEqual(share.verdict, "accepted")
        self.assertFalse(link.closed)
        self.assertEqual(miner.connects, 1)

    async def test_bug_10_a_dropped_link_is_dialled_again_and_gives_a_job(self):
        miner = await self._house()
        jobs = len(miner.job_log)
        (await self.farm.link()).drop()
        job = await miner.next_job(jobs)
        self.assertTrue(job.clean)
        (share,) = await miner.mine()
        await self.shares_agree(self.farm, [share])
        self.assertEqual(miner.connects, 1)

    async def test_bug_11_a_pool_that_is_away_is_tried_again(self):
        await self._house(miners=0)
        await self.farm.stop_listening()
        miner = self.new_miner(self.proxy, self.name)
        await miner.connect()
        self.assertTrue(await miner.log_in())
        await self.proxy.metrics_until(
            lambda m: m.get("proxy_pool_up", pool=self.farm.address) == 0, "the pool is seen as down"
        )
        await self.farm.start()
        await miner.next_job(0)
        (share,) = await miner.mine()
        self.assertEqual(share.verdict, "accepted")

    async def test_bug_12_a_session_is_neither_guessed_nor_usable_without_login(self):
        miner = await self._house()
        ids = {miner.session}
        for _ in range(8):
            other = self.new_miner(self.proxy, self.name)
            await other.connect()
            await at_most(other.subscribe(), "a reply")
            ids.add(other.session)
        self.assertEqual(len(ids), 9)
        self.assertTrue(all(len(session) >= 32 for session in ids), ids)
        thief = self.new_miner(self.proxy, self.name, session=miner.session)
        await thief.connect()
        await at_most(thief.subscribe(), "a reply")
        self.assertNotEqual(thief.extranonce1 + thief.session, miner.extranonce1 + miner.session)
        reply = await thief.ask(
            "mining.submit", [thief.login, miner.job.id, "00" * thief.extranonce2_size, "66a00000", "00000001"]
        )
        self.assertEqual(error_code(reply), 24)
        thief.close()
        (share,) = await miner.mine()
        self.assertEqual(share.verdict, "accepted")

    async def test_bug_13_own_and_crossed_resumes_do_not_deadlock(self):
        await self._house(miners=2, threads=2)
        first, second = self.miners
        sessions = first.session, second.session
        first.session, second.session = second.session, first.session  # a second subscribe, with the other's id
        for miner, own in zip((first, second), sessions):
            reply = await miner.ask("mining.subscribe", [miner.agent, miner.session])
            self.assertIsNone(reply["error"])
            reply = await miner.ask("mining.subscribe", [miner.agent, own])
            self.assertIsNone(reply["error"])
        for miner in self.miners:
            (share,) = await miner.mine()
            self.assertEqual(share.verdict, "accepted")

    async def test_bug_14_churn_kills_nothing(self):
        await self._house(miners=2, threads=2)
        stop = asyncio.Event()

        async def churn(number):
            rounds = 0
            while not stop.is_set():
                miner = self.new_miner(self.proxy, self.name, f"c{number}", session=None)
                await miner.start()
                share = miner.submit()
                if rounds % 2:
                    await share.reply
                (miner.reset if rounds % 3 else miner.close)()
                rounds += 1
            return rounds

        tasks = [asyncio.create_task(churn(i)) for i in range(8)]
        for _ in range(figure(150, 1500)):
            await self.proxy.metrics()
            for miner in self.miners:
                await miner.mine()
        stop.set()
        rounds = await asyncio.gather(*tasks)
        self.assertGreater(sum(rounds), 30)
        for miner in self.miners:
            self.assertTrue(all(share.verdict == "accepted" for share in miner.shares))

    async def test_bug_15_two_authorizes_make_one_link(self):
        await self._house(miners=0)
        miner = self.new_miner(self.proxy, self.name)
        await miner.connect()
        miner.subscribe()
        replies = [miner.authorize(), miner.authorize()]
        for reply in replies:
            self.assertIs((await at_most(reply, "a reply"))["result"], True)
        await miner.next_job(0)
        (share,) = await miner.mine()
        self.assertEqual(share.verdict, "accepted")
        self.assertEqual(len(self.farm.connections), 1)

    async def test_bug_16_another_account_takes_nothing_of_the_old_pool_along(self):
        miner = await self._house(pool={"mask": "1fffe000"})
        other = await self.pool(seed=3, mask="00006000")
        name = await self.account(self.proxy, other, user="second")
        roller = await self.miner(self.proxy, self.name, "rolls", mask="ffffffff")
        old = self.farm.ready[-1]
        jobs = len(roller.job_log)
        self.assertIs((await at_most(roller.authorize(f"{name}.rolls"), "a reply"))["result"], True)
        roller.login = f"{name}.rolls"
        link = await other.link()
        await roller.next_job(jobs)
        self.assertTrue(link.requested("mining.configure"))
        (subscribe,) = link.requested("mining.subscribe")
        self.assertNotIn(old.session, json.dumps(subscribe))
        await roller.changes.until(lambda: roller.mask == "00006000", "the narrower mask")
        (share,) = await roller.mine(version="00006000")
        await self.shares_agree(other, [share])
        (share,) = await miner.mine()
        self.assertEqual(share.verdict, "accepted")

    async def test_bug_17_extranonce_subscription_survives_configure(self):
        """The pool leaves no room for a mark, so that the subscription is really used."""
        await self._house(miners=0, pool={"x1": 5, "n2": 3})
        miner = self.new_miner(self.proxy, self.name, extranonce_subscribe=True)
        await miner.connect()
        subscribed = miner.subscribe()
        wanted = miner.request("mining.extranonce.subscribe", [])
        await at_most(
            miner.request("mining.configure", [["version-rolling"], {"version-rolling.mask": "ffffffff"}]),
            "a reply",
        )
        self.assertIs((await wanted)["result"], True)
        await subscribed
        self.assertIs((await at_most(miner.authorize(), "a reply"))["result"], True)
        await miner.next_job(0)
        (share,) = await miner.mine()
        await self.shares_agree(self.farm, [share])
        self.assertEqual(miner.connects, 1)
        self.assertEqual(miner.extranonce2_size, 3)

    async def test_bug_18_the_version_mask_is_never_lost(self):
        await self._house(miners=0)
        for number in range(20):
            miner = await self.miner(self.proxy, self.name, f"m{number}", mask="ffffffff")
            self.assertEqual(miner.mask, "1fffe000")
            (share,) = await miner.mine(version="1fffe000")
            self.assertEqual(share.verdict, "accepted")
            miner.close()

    async def test_bug_19_the_speed_of_a_young_worker_is_not_divided_by_five_minutes(self):
        miner = await self._house(config={"metrics": {"window_seconds": 5, "interval_seconds": 1}})
        await miner.mine(20)
        # 20 shares of difficulty 1024 in at most a few ticks of one second; divided by 5 it would stay below a fifth.
        least = 20 * 1024 * 2**32 / 5.5
        metrics = await self.proxy.metrics_until(
            lambda m: (m.get("proxy_worker_speed", user=self.name) or 0) >= least, "a speed"
        )
        self.assertLessEqual(metrics.get("proxy_worker_speed", user=self.name), 20 * 1024 * 2**32 / 0.9)
        # and it is forgotten when the window has passed
        await self.proxy.metrics_until(
            lambda m: m.get("proxy_worker_speed", user=self.name) == 0, "no speed without shares"
        )

    async def test_bug_20_the_speed_goes_on_after_a_drop(self):
        miner = await self._house(config={"metrics": {"window_seconds": 3, "interval_seconds": 1}})
        await miner.mine(3)
        miner.reset()
        await self.proxy.metrics_until(lambda m: m.get("proxy_worker_up", user=self.name) == 0, "the drop")
        again = self.new_miner(self.proxy, self.name, session=miner.session)
        await again.start()
        await again.mine(5)
        await self.proxy.metrics_until(
            lambda m: (m.get("proxy_worker_speed", worker=again.source) or 0) > 0, "the speed after a restore"
        )

    async def test_bug_21_pool_metrics_stay_when_one_worker_leaves_and_fall_to_zero(self):
        await self._house(miners=2, config={"session": {"grace_seconds": 0.2}})
        self.miners[0].close()
        await self.farm.until(lambda: len(self.farm.live) == 1, "the leaver's link is closed")
        metrics = await self.proxy.metrics()
        self.assertEqual(metrics.get("proxy_pool_up", pool=self.farm.address), 1)
        self.assertEqual(metrics.get("proxy_pool_divider", pool=self.farm.address), 1)
        await self.farm.stop_listening()
        self.farm.ready[0].drop()
        await self.proxy.metrics_until(
            lambda m: m.get("proxy_pool_up", pool=self.farm.address) == 0, "a pool that is down"
        )
        await self.farm.start()
        await self.proxy.metrics_until(
            lambda m: m.get("proxy_pool_up", pool=self.farm.address) == 1, "a pool that is back"
        )

    async def test_bug_22_the_difficulty_stays_and_old_series_go(self):
        miner = await self._house(config={"session": {"grace_seconds": 0.3}})
        metrics = await self.proxy.metrics()
        self.assertEqual(metrics.get("proxy_worker_difficulty", worker=miner.source), 1024)
        miner.close()
        await self.proxy.metrics_until(
            lambda m: not m.all("proxy_worker_up", user=self.name), "the worker's series are gone"
        )
        metrics = await self.proxy.metrics()
        self.assertFalse([row for row in metrics.rows if row[1].get("worker") == miner.source])

    async def test_bug_23_a_share_weighs_what_its_job_weighed(self):
        miner = await self._house()
        link = await self.farm.link()
        held = asyncio.get_running_loop().create_future()
        self.farm.verdict = lambda submit: held
        share = miner.submit()
        await self.farm.until(lambda: self.farm.submits, "the share at the pool")
        link.set_difficulty(65536)
        link.notify()
        await miner.next_job(1)
        held.set_result(True)
        await at_most(share.reply, "a verdict")
        metrics = await self.proxy.metrics_until(
            lambda m: m.get("proxy_worker_accepted", worker=miner.source) == 1, "the share"
        )
        self.assertEqual(metrics.get("proxy_worker_one_accepted", worker=miner.source), 1024)
        self.assertEqual(metrics.get("proxy_worker_difficulty", worker=miner.source), 65536)
        self.farm.verdict = lambda submit: (23, "low difficulty share", None)
        await miner.mine()
        metrics = await self.proxy.metrics_until(
            lambda m: m.get("proxy_worker_sended", worker=miner.source) == 2, "both"
        )
        self.assertEqual(metrics.get("proxy_worker_one_sended", worker=miner.source), 1024 + 65536)
        await self.proxy.metrics_until(
            lambda m: m.sum("proxy_shares_rejected_total", user=self.name, reason="low_difficulty") == 1,
            "the rejection and its reason",
        )

    async def test_bug_24_a_second_drop_has_a_grace_time_of_its_own(self):
        miner = await self._house(config={"session": {"grace_seconds": 6 * SLOWNESS}})
        link = await self.farm.link()
        started = asyncio.get_running_loop().time()
        miner.reset()
        await self.proxy.metrics_until(
            lambda m: m.get("proxy_worker_up", user=self.name) == 0, "the first drop"
        )
        second = self.new_miner(self.proxy, self.name, session=miner.session)
        await second.start()
        await until(lambda: asyncio.get_running_loop().time() - started > 4 * SLOWNESS, "most of the first grace time")
        second.reset()
        await self.proxy.metrics_until(
            lambda m: m.get("proxy_worker_up", user=self.name) == 0, "the second drop"
        )
        await until(
            lambda: asyncio.get_running_loop().time() - started > 7 * SLOWNESS, "the first grace time would be over"
        )
        self.assertFalse(link.closed, "the first drop's timer ended the second drop's grace")
        third = self.new_miner(self.proxy, self.name, session=second.session)
        await third.start()
        (share,) = await third.mine()
        self.assertEqual(share.verdict, "accepted")
        self.assertEqual(len(self.farm.connections), 1)

    async def test_bug_25_registration_knows_passwords_and_writes_json(self):
        await self._house()
        again = await self.proxy.register(self.farm.address)
        self.assertEqual(again, self.name)
        other = await self.proxy.register(self.farm.address, password=OTHER_POOL_PASSWORD)
        self.assertNotEqual(other, self.name)
        quoted = await self.proxy.register(self.farm.address.replace("127.0.0.1", "127.0.0.1"), user='a"b\\c')
        self.assertRegex(quoted, r"^[0-9a-f]{16}$")
        status, text = await self.proxy.call(
            "POST", "/api/v1/users", {"pool": 'x"y', "user": "u", "password": "p"}, token=None
        )
        self.assertIn(status, (400, 404))
        self.assertTrue(json.loads(text)["error"])
        for secret in (POOL_PASSWORD, OTHER_POOL_PASSWORD, MINER_PASSWORD):
            self.assertNotIn(secret, self.proxy.log_text())
        status, _ = await self.proxy.call(
            "POST", "/api/v1/pools", {"pool": "a.example:1", "algorithm": "sha256d"}, token=None
        )
        self.assertEqual(status, 401)

    async def test_bug_26_no_more_descriptors_is_survived_and_a_taken_port_is_told(self):
        miner = await self._house(files=64, config=MORE_THAN_DESCRIPTORS)
        flood = []
        for number in range(120):
            try:
                flood.append(await asyncio.open_connection(*self.proxy.stratum.rsplit(":", 1)))
            except OSError:
                break
        (share,) = await miner.mine()
        self.assertEqual(share.verdict, "accepted")
        for _, writer in flood:
            writer.transport.abort()

        async def newcomer():
            later = self.new_miner(self.proxy, self.name, "later")
            try:
                await later.connect()
                return await later.log_in()
            except OSError:
                return False

        await until(newcomer, "a newcomer is let in again")
        metrics = await self.proxy.metrics()
        self.assertEqual(metrics.sum("proxy_descriptors_exhausted_total") > 0, EXHAUSTS)
        for stratum, web in ((self.proxy.stratum, "127.0.0.1:0"), ("127.0.0.1:0", self.proxy.web)):
            second = Daemon(stratum=stratum, web=web, name="taken")
            self.addCleanup(second.remove)
            await second.launch()
            self.assertGreater(await second.exited(), 0)

    async def test_bug_27_the_default_tag_is_the_bound_address(self):
        miner = await self._house()
        metrics = await self.proxy.metrics()
        self.assertEqual(metrics.get("proxy_worker_up", proxy=self.proxy.stratum, worker=miner.source), 1)

    async def test_bug_28_the_pools_other_messages_are_heard(self):
        await self._house(miners=0)
        miner = await self.miner(self.proxy, self.name, mask="ffffffff")
        link = await self.farm.link()
        link.set_extranonce("00112233445566", 7)
        job = link.notify()
        await miner.changes.until(
            lambda: miner.job.job.coinb2 == job.coinb2, "the job under the new extranonce"
        )
        (share,) = await miner.mine(version="00002000")
        await self.shares_agree(self.farm, [share])
        link.push("mining.set_version_mask", ["00006000"])
        await miner.changes.until(lambda: miner.mask == "00006000", "the narrower mask")
        link.push("client.show_message", ["pool says hello"])
        await miner.changes.until(lambda: any("pool says hello" in text for text in miner.shown), "the message")
        link.push("client.reconnect", [])
        await self.farm.until(
            lambda: link.closed and len(self.farm.ready) == 1, "the reconnect that was asked for"
        )
        self.assertFalse([m for m in miner.messages if m.get("method") == "client.reconnect"])
        self.assertEqual(miner.connects, 1)

    async def test_bug_29_shares_with_and_without_version_bits(self):
        await self._house(miners=0)
        miner = await self.miner(self.proxy, self.name, mask="ffffffff")
        link = await self.farm.link()
        for version in ("20000000", "3fffe000"):  # the second has bits of its own inside of the mask
            link.notify(version=version)
            await miner.changes.until(lambda v=version: miner.job.job.version == int(v, 16), "the job")
            for bits in (None, "00002000", "00000000"):
                (share,) = await miner.mine(version=bits)
                await self.shares_agree(self.farm, [share])
                self.assertEqual(
                    link.last_job.rolled(link.mask, self.farm.submits[-1].version),
                    share.job.job.rolled(miner.mask, bits),
                    f"job {version}, bits {bits}",
                )
        deaf = await self.pool(mask=None, seed=9)
        name = await self.account(self.proxy, deaf, user="deaf")
        miner = await self.miner(self.proxy, name, mask="ffffffff")
        (share,) = await miner.mine()
        await self.shares_agree(deaf, [share])
        (share,) = await miner.mine(version="00000000")
        await self.shares_agree(deaf, [share])
        self.assertIn(deaf.submits[-1].version, (None, "00000000"))

    async def test_bug_30_hosts_of_every_form_and_more_than_one_algorithm(self):
        await self._house(miners=0)
        for host in (
            "Pool.EXAMPLE.com:3333",
            "localhost:3333",
            "10.1.2.3:3333",
            "[::1]:3333",
            "xn--bcher-kva.example:3333",
            "pool.xn--p1ai:3333",
        ):
            with self.subTest(host=host):
                await self.proxy.add_pool(host)
                name = await self.proxy.register(host, "someone")
                self.assertEqual(await self.proxy.register(host.lower(), "someone"), name)
        status, text = await self.proxy.call("GET", "/api/v1/algorithms")
        self.assertEqual(status, 200)
        for algorithm in ("sha256d", "scrypt", "x11", "lbry"):
            self.assertIn(f'"{algorithm}"', text)
        status, text = await self.proxy.call("GET", "/api/v1/pools")
        self.assertEqual(status, 200)


if __name__ == "__main__":
    main()
