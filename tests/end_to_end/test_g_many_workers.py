"""Thousands of workers on links of their own log in, mine and leave; every share has one end."""
import asyncio
import collections
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from house import HouseTest, main
from waiting import SLOWNESS, figure, paced


class ManyWorkers(HouseTest):
    async def test_sent_is_accepted_and_rejected_and_unknown(self):
        workers, rate, seconds = figure(300, 2000), figure(300, 500), figure(10, 60)
        daemon = await self.daemon(
            threads=2,
            config={
                "upstream": {"connects_per_second": 2000, "verdict_timeout_seconds": 5 * SLOWNESS},
                "session": {"grace_seconds": 4 * SLOWNESS, "max_kept_per_address": 10000, "max_kept_per_account": 10000},
                "metrics": {"flush_seconds": 0.5},
            },
        )
        count = 0

        def verdict(submit):
            nonlocal count
            count += 1
            if count % 50 == 0:
                return 23, "low difficulty", None
            return "ignore" if count % 97 == 0 else True

        pool = await self.pool(verdict=verdict)
        account = await self.account(daemon, pool)
        empty = daemon.rss_kib()
        started = time.monotonic()
        miners = [self.new_miner(daemon, account, f"rig{i}") for i in range(workers)]
        for at in range(0, workers, 100):
            await asyncio.gather(*(miner.connect() for miner in miners[at : at + 100]))
            logins = await asyncio.gather(*(miner.log_in(60 * SLOWNESS) for miner in miners[at : at + 100]))
            self.assertTrue(all(logins))
        await asyncio.gather(*(miner.next_job(0, 60 * SLOWNESS) for miner in miners))
        logged_in = time.monotonic() - started
        full = daemon.rss_kib()
        self.assertEqual(len(pool.ready), workers)

        cpu = daemon.cpu_seconds()
        async for number in paced(rate, seconds):
            miners[number % workers].submit()
            if number % (5 * rate) == 4 * rate:
                pool.broadcast(clean=False)
        busy = daemon.cpu_seconds() - cpu
        shares = [share for miner in miners for share in miner.shares]
        await asyncio.gather(*(share.reply for share in shares))
        told = collections.Counter(share.verdict for share in shares)
        self.assertEqual(sum(told.values()), rate * seconds)
        self.assertNotIn(None, told)
        self.assertEqual(told["accepted"] + told["rejected"] + told["unknown"], len(shares))
        self.assertEqual(len(pool.submits), len(shares))
        self.assertEqual(len({submit.key for submit in pool.submits}), len(shares))

        def worker_sum(metrics, name):
            return metrics.sum(name, user=account)

        metrics = await daemon.metrics_until(
            lambda m: worker_sum(m, "proxy_worker_sended") == len(shares), "every share in the metrics"
        )
        self.assertEqual(worker_sum(metrics, "proxy_worker_accepted"), told["accepted"])
        self.assertEqual(worker_sum(metrics, "proxy_worker_rejected_total"), told["rejected"])
        self.assertEqual(worker_sum(metrics, "proxy_worker_unknown_total"), told["unknown"])
        ends = [f"proxy_shares_{end}_total" for end in ("accepted", "rejected", "unknown")]
        metrics = await daemon.metrics_until(
            lambda m: m.sum("proxy_shares_sent_total") == len(shares) == sum(map(m.sum, ends)),
            "every share and its end in the totals",
        )
        self.assertEqual(metrics.sum("proxy_shares_accepted_total"), told["accepted"])
        self.assertEqual(metrics.sum("proxy_shares_rejected_total"), told["rejected"])
        self.assertEqual(metrics.sum("proxy_shares_unknown_total"), told["unknown"])
        for miner in miners:
            miner.close()
        await daemon.metrics_until(
            lambda m: not m.all("proxy_worker_up") and m.sum("proxy_connections") == 0,
            "all are gone",
            30 * SLOWNESS,
        )
        await pool.until(lambda: not pool.live, "no link is left")
        self.assertTrue(all(miner.connects == 1 for miner in miners))
        self.say(
            f"{workers} workers logged in with a job in {logged_in:.1f} s; {len(shares)} shares at {rate}/s = {told['accepted']} accepted + "
            f"{told['rejected']} rejected + {told['unknown']} unknown; {(full - empty) / workers:.1f} KiB a worker; "
            f"CPU {100 * busy / seconds:.0f} % ({1e6 * busy / len(shares):.0f} us a share)"
        )


if __name__ == "__main__":
    main()
