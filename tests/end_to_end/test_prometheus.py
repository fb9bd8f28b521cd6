"""A real Prometheus, with docs/prometheus as its configuration, before a real daemon."""
import asyncio
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from house import SOURCE, HouseTest, main
from prometheus_server import PrometheusServer
from waiting import SLOWNESS, figure, paced, until

RECORDED = re.findall(r"- record: (\S+)", (SOURCE / "docs" / "prometheus" / "rules.yml").read_text(encoding="utf-8"))
# Seconds for minutes. Workers are held through the whole outage.
CONFIG = {
    "metrics": {"window_seconds": 4, "interval_seconds": 1, "flush_seconds": 0.2},
    "session": {"hold_seconds": 120},
}


class RealPrometheus(HouseTest):
    async def prometheus(self, *daemons):
        if not PrometheusServer.available():
            self.skipTest("no Prometheus on this machine")
        server = PrometheusServer([daemon.web for daemon in daemons])
        self.addAsyncCleanup(server.stop)
        return await server.start()

    def mining(self, miners, rate=20):
        """All of them send shares for as long as the test runs."""

        async def mine():
            async for number in paced(rate, 600):
                miner = miners[number % len(miners)]
                if miner.connected and miner.job_log:
                    miner.submit()

        task = asyncio.create_task(mine())

        async def stop():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        self.addAsyncCleanup(stop)

    async def test_scrape_rules_and_the_alert_of_a_pool_that_dies(self):
        daemon = await self.daemon(tag="farm", config=CONFIG)
        pool = await self.pool(difficulty=65536)
        account = await self.account(daemon, pool, algorithm="scrypt")
        miners = [await self.miner(daemon, account, f"rig{i}") for i in range(figure(4, 100))]
        self.mining(miners)
        prometheus = await self.prometheus(daemon)

        await prometheus.until('up{job="stratumproxy"} == 1', "the target is up")
        target = (await prometheus.ask("targets"))["activeTargets"][0]
        self.assertEqual((target["health"], target["lastError"]), ("up", ""))
        speeds = await prometheus.until(f"count(proxy_worker_speed > 0) == {len(miners)}", "the speed of each worker")
        self.assertEqual(len(speeds), 1)
        rows = await prometheus.query("proxy_worker_speed")
        self.assertEqual({labels["worker"] for labels, _ in rows}, {miner.source for miner in miners})
        for labels, _ in rows:
            self.assertEqual((labels["proxy"], labels["user"], labels["pool"]), ("farm", account, pool.address))
        for name in RECORDED:
            found = await prometheus.until(name, "a value of the recording rule")
            self.assertTrue(all(value == value for _, value in found), f"{name} {found}")  # NaN is none
        hashrate = (await prometheus.until("user:proxy_hashrate:rate15m > 0", "the hashrate from the totals"))[0]
        self.assertEqual(hashrate[0]["user"], account)
        self.assertEqual((await prometheus.query("user:proxy_workers:sum"))[0][1], len(miners))
        groups = (await prometheus.ask("rules"))["groups"]
        for rule in (rule for group in groups for rule in group["rules"]):
            self.assertEqual(rule["health"], "ok", rule)
        self.assertEqual([alert for alert in (await prometheus.ask("alerts"))["alerts"] if alert["state"] == "firing"], [])

        clock = asyncio.get_running_loop().time
        died = clock()
        await pool.stop_listening()
        for link in pool.live:
            link.drop()
        firing = await until(
            lambda: self.in_state(prometheus, "StratumproxyPoolDown", "firing"), "the alert fires", 30 * SLOWNESS, pause=0.2
        )
        self.assertEqual(firing["labels"]["pool"], pool.address)
        self.assertEqual(firing["labels"]["severity"], "critical")
        self.assertEqual(firing["annotations"]["summary"], f"pool {pool.address} is down for farm")
        fired = clock()
        pending = 'count_over_time(ALERTS{alertname="StratumproxyPoolDown",alertstate="pending"}[5m])'
        self.assertTrue(await prometheus.query(pending), "it was pending before")
        self.assertEqual(await prometheus.query("proxy_pool_up == 1"), [])

        back = clock()
        await pool.start()
        await pool.link(len(miners), 30 * SLOWNESS)

        async def resolved():
            return not await prometheus.alerts("StratumproxyPoolDown")

        await until(resolved, "the alert ends", 30 * SLOWNESS, pause=0.2)
        await prometheus.until("proxy_pool_up == 1", "the pool is up")
        self.say(
            f"{len(RECORDED)} recording rules have values; the alert fired {fired - died:.1f} s after the pool had died, "
            f"and ended {clock() - back:.1f} s after it was back"
        )

    async def in_state(self, prometheus, name, state):
        found = [alert for alert in await prometheus.alerts(name) if alert["state"] == state]
        return found[0] if found else None

    async def test_by_rig_a_reconnect_is_no_new_series_and_a_worker_that_stays_away_is_told(self):
        daemon = await self.daemon(
            tag="farm", config=CONFIG | {"metrics": CONFIG["metrics"] | {"worker_label": "rig", "max_workers": 2}}
        )
        pool = await self.pool(difficulty=65536)
        account = await self.account(daemon, pool, algorithm="scrypt")
        first = await self.miner(daemon, account, "rack")
        await first.mine(5)
        prometheus = await self.prometheus(daemon)
        await prometheus.until('proxy_worker_accepted{worker="rack"} == 5', "the shares of the rig")

        first.reset()
        await prometheus.until('proxy_worker_up{worker="rack"} == 0', "the drop")
        again = self.new_miner(daemon, account, "rack", session=first.session)
        await again.start()
        await again.mine(3)
        await prometheus.until('proxy_worker_accepted{worker="rack"} == 8', "the shares go on from another port")
        self.assertEqual(await prometheus.query('resets(proxy_worker_accepted{worker="rack"}[5m]) > 0'), [])

        # Two have names; the third and the fourth share one.
        miners = []
        for rig in ("roof", "barn", "shed"):
            miners.append(await self.miner(daemon, account, rig))
            await miners[-1].mine(2)
            await daemon.metrics()  # names are given in the order of scrapes
        await prometheus.until('proxy_worker_accepted{worker="other"} == 4', "the rest")
        self.assertEqual((await prometheus.query("proxy_workers_unnamed"))[0][1], 2)
        self.assertEqual((await prometheus.query("sum(proxy_workers)"))[0][1], 4)

        again.close()
        gone = await until(
            lambda: self.in_state(prometheus, "StratumproxyWorkerGone", "firing"), "the alert fires", 30 * SLOWNESS, pause=0.2
        )
        self.assertEqual((gone["labels"]["worker"], gone["labels"]["user"]), ("rack", account))


if __name__ == "__main__":
    main()
