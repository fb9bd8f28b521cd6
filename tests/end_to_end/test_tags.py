"""Two daemons with one tag on one database: the second does not start, and no share total is written by both."""
import json
import pathlib
import signal
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from canaries import DATABASE_PASSWORD
from daemon import Daemon
from house import HouseTest, OwnPostgresql, main
from waiting import LIMIT, SLOWNESS, until

FLUSH = {"metrics": {"flush_seconds": 0.1}}


class Tags:
    """On either database; `url` is one for several daemons."""

    async def refused(self, url, tag):
        """What a daemon that must not start writes."""
        daemon = Daemon(db=url, tag=tag, name="refused")
        self.addCleanup(daemon.remove)
        await daemon.launch()
        self.assertEqual(await daemon.exited(30 * SLOWNESS), 2)
        self.assertEqual(await daemon.process.stdout.read(), b"")
        log = daemon.log_text()
        self.assertNotIn(DATABASE_PASSWORD, log)
        return log

    async def test_a_second_daemon_with_the_same_tag_does_not_start(self):
        url = self.database()
        first = await self.daemon(db=url, tag="rack", config=FLUSH)
        other = await self.daemon(db=url, tag="rack-2", config=FLUSH)
        log = await self.refused(url, "rack")
        self.assertIn("tag_taken", log)
        last = log.strip().splitlines()[-1]
        self.assertIn("another stratumproxyd of this database has the tag rack", last)
        self.assertIn("--metrics.tag", last)
        for daemon in (first, other):
            self.assertEqual((await daemon.call("GET", "/readyz"))[0], 200)

    async def test_a_daemon_that_was_killed_starts_again_at_once_and_one_that_waits_gets_its_turn(self):
        url = self.database()
        daemon = await self.daemon(db=url, tag="rack", config=FLUSH)
        for _ in range(3):
            await daemon.kill()
            await daemon.restart()
        next_one = Daemon(db=url, tag="rack", name="next")
        self.addAsyncCleanup(self._end, next_one)
        await next_one.launch()
        await until(lambda: "tag_taken" in next_one.log_text(), "the next one waits")
        daemon.expected_gone = True
        self.assertEqual(await daemon.stop(), 0)
        self.assertIn(b"ready", await next_one.process.stdout.readline())


class OnSqlite(Tags, HouseTest):
    store = "sqlite"

    def database(self):
        place = Daemon(name="place")  # its directory
        self.addCleanup(place.remove)
        return place.db


class OnPostgresql(Tags, OwnPostgresql, HouseTest):
    def database(self):
        return self.server.database("accounts")

    async def test_a_tag_that_was_lost_to_another_daemon_is_not_written_until_it_is_back(self):
        url = self.database()
        first = await self.daemon(db=url, tag="rack", config=FLUSH)
        pool = await self.pool()
        account = await self.account(first, pool)
        miner = await self.miner(first, account)
        await miner.mine(3)
        await first.metrics_until(lambda m: m.sum("proxy_shares_accepted_total") == 3, "three shares are written")

        # Its machine stands still for so long that the server gives its connections up.
        first.signal(signal.SIGSTOP)
        self.server.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'spx'")
        second = await self.daemon(db=url, tag="rack", config=FLUSH)
        first.signal(signal.SIGCONT)

        async def ready(status):
            return (await first.call("GET", "/readyz", token=None))[0] == status

        await until(lambda: ready(503), "the first one is not ready", pause=0.1)
        await until(lambda: "tag_taken" in first.log_text(), "the first one says why")
        await miner.mine(4)
        other = await self.miner(second, account, "rig2")
        await other.mine(5)
        await second.metrics_until(lambda m: m.sum("proxy_shares_accepted_total") == 8, "five more are written")
        self.assertEqual((await first.metrics()).sum("proxy_shares_accepted_total"), 3)
        self.assertIn("tag", json.loads((await first.call("GET", "/readyz", token=None))[1])["error"])

        second.expected_gone = True
        self.assertEqual(await second.stop(), 0)
        await until(lambda: ready(200), "the first one is ready again", pause=0.1)
        await first.metrics_until(lambda m: m.sum("proxy_shares_accepted_total") == 12, "all shares are written", LIMIT)
        self.assertEqual(first.log_text().count("tag_taken"), 1)
        self.assertEqual(self.server.sql("SELECT sum(accepted) FROM totals", "accounts").strip(), "12")


if __name__ == "__main__":
    main()
