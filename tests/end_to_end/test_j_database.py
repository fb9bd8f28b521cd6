"""The database stops, then falls silent, under load; and two daemons share one database."""
import asyncio
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from canaries import POOL_PASSWORD
from house import HouseTest, OwnPostgresql, main
from waiting import SLOWNESS, figure, paced
from wire import error_code


class Database(OwnPostgresql, HouseTest):
    def setUp(self):
        super().setUp()
        self._number = 0

    def database(self):
        self._number += 1
        return self.server.database(f"accounts{self._number}")

    async def _outage(self, stop, start):
        seconds = figure(6, 60)
        daemon = await self.daemon(threads=2, config={"metrics": {"flush_seconds": 0.5}})
        pool = await self.pool()
        account = await self.account(daemon, pool)
        unused = await daemon.register(pool.address, "another")
        miners = [await self.miner(daemon, account, f"r{i}") for i in range(5)]
        await daemon.metrics_until(lambda m: m.get("proxy_database_up") == 1, "the database is up")
        await asyncio.to_thread(stop)
        known = self.new_miner(daemon, account, "late")
        stranger = self.new_miner(daemon, "fedcba9876543210")
        number = 0
        async for number in paced(20, seconds):
            miners[number % 5].submit()
            if number == 40:
                await known.connect()
                self.assertTrue(await known.log_in(), "a known account logs in without the database")
                await known.next_job(0)
                await known.mine()
                await stranger.connect()
                self.assertFalse(await stranger.log_in(15 * SLOWNESS))
                reply = stranger.last_authorize
                self.assertEqual(error_code(reply), 20, reply)
                self.assertIn("try later", json.dumps(reply))
                status, text = await daemon.call(
                    "POST",
                    "/api/v1/users",
                    {"pool": pool.address, "user": "new", "password": POOL_PASSWORD},
                    token=None,
                )
                self.assertEqual(status, 503, text)
                status, text = await daemon.call("GET", "/healthz", token=None)
                self.assertEqual(status, 200)
        metrics = await daemon.metrics()
        self.assertEqual(metrics.get("proxy_database_up"), 0)
        await asyncio.to_thread(start)
        shares = [share for miner in miners + [known] for share in miner.shares]
        await self.shares_agree(pool, shares)
        self.assertTrue(all(miner.connects == 1 for miner in miners))
        await daemon.metrics_until(
            lambda m: m.get("proxy_database_up") == 1, "the database is back", 30 * SLOWNESS
        )
        await daemon.metrics_until(
            lambda m: m.sum("proxy_shares_accepted_total") == len(shares), "the totals caught up", 30 * SLOWNESS
        )
        back = await self.miner(daemon, unused)
        await back.mine()
        self.say(f"{seconds} s without the database: {len(shares)} shares, none lost")

    async def test_stopped_under_load(self):
        await self._outage(self.server.stop, self.server.start)

    async def test_silent_under_load(self):
        await self._outage(self.server.freeze, self.server.thaw)

    async def test_a_pending_look_up_holds_up_its_own_connection_only(self):
        daemon = await self.daemon()
        pool = await self.pool()
        known = await self.account(daemon, pool)
        first = await self.miner(daemon, known)
        unread = await daemon.register(pool.address, "unread")
        self.server.freeze()
        slow = self.new_miner(daemon, unread)
        await slow.connect()
        order = [slow.subscribe(), slow.authorize(), slow.authorize(f"{known}.rig1")]
        share = slow.request("mining.submit", [slow.login, "feed", "000000", "66a00000", "00000000"])
        quick = await self.miner(daemon, known, "quick")
        await self.shares_agree(pool, await first.mine() + await quick.mine())
        self.server.thaw()
        replies = await asyncio.gather(*order, share)
        self.assertEqual(
            [message["id"] for message in slow.messages if "method" not in message], [r["id"] for r in replies]
        )
        answer = replies[1]
        self.assertTrue(answer["result"] is True or error_code(answer) == 20, answer)
        self.assertIs(replies[2]["result"], True)
        self.assertIn(error_code(replies[3]), (21, 24))
        await slow.next_job(0)
        slow.login = f"{known}.rig1"
        await self.shares_agree(pool, await slow.mine())

    async def test_two_daemons_register_one_name(self):
        url = self.database()
        first, second = await self.daemon(db=url, tag="one"), await self.daemon(db=url, tag="two")
        pool = await self.pool()
        await first.add_pool(pool.address)

        async def register(number):
            daemon = (first, second)[number % 2]
            return await daemon.register(pool.address, "parallel")

        names = await asyncio.gather(*(register(number) for number in range(100)))
        self.assertEqual(len(set(names)), 1)
        self.assertEqual(self.server.sql("SELECT count(*) FROM users", url.rsplit("/", 1)[1]).strip(), "1")
        for daemon in (first, second):
            miner = await self.miner(daemon, names[0])
            (share,) = await miner.mine()
            await self.shares_agree(pool, [share])

    async def test_two_daemons_start_on_an_empty_database_at_once(self):
        url = self.database()
        first, second = await asyncio.gather(self.daemon(db=url, tag="one"), self.daemon(db=url, tag="two"))
        pool = await self.pool()
        account = await self.account(first, pool)
        miner = await self.miner(second, account)
        (share,) = await miner.mine()
        await self.shares_agree(pool, [share])


class NoDatabaseAtStart(HouseTest):
    async def test_an_unreachable_database_is_one_line(self):
        from daemon import Daemon
        from canaries import DATABASE_PASSWORD

        daemon = Daemon(db=f"postgresql://spx:{DATABASE_PASSWORD}@127.0.0.1:1/none", name="unreachable")
        self.addCleanup(daemon.remove)
        await daemon.launch()
        self.assertGreater(await daemon.exited(), 0)
        log = daemon.log_text()
        self.assertNotIn(DATABASE_PASSWORD, log)
        self.assertTrue(log.strip())


if __name__ == "__main__":
    main()
