"""A daemon takes another one's place while miners mine: nobody is refused, and every share is counted once."""
import asyncio
import pathlib
import stat
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from daemon import Daemon
from house import HouseTest, main
from ledgers import Ledgers, key_of
from waiting import SLOWNESS, at_most, figure, paced, until

UPGRADES = figure(4, 20)
WORKERS = figure(20, 200)
RATE = figure(60, 300)  # shares in a second, of all
DRAIN = figure(1.5, 3) * SLOWNESS
NEWCOMERS = 100  # connections in a second
KEPT = ("proxy_shares_", "proxy_pool_shares_", "proxy_difficulty_one_")

SUBSCRIBE = b'{"id":1,"method":"mining.subscribe","params":["newcomer/1.0"]}\n'


class Upgrade(HouseTest):
    async def first(self, *, drain=60, threads=2, config=None):
        """A daemon whose place can be taken. Its successors have the same options."""
        place = Daemon(name="place")  # a directory that outlives each of them
        self.addCleanup(place.remove)
        self.socket = place.directory / "handover"
        self.options = {
            "db": self.database() or place.db,
            "tag": "farm",
            "config": {"handover": {"socket": str(self.socket), "drain_seconds": drain}, "metrics": {"flush_seconds": 0.2}} | (config or {}),
        }
        return await self.daemon(threads=threads, **self.options)

    async def successor(self, before, *, threads=2, **options):
        daemon = await self.daemon(threads=threads, arguments=["--takeover"], **(self.options | options))
        before.expected_gone = True
        self.assertEqual((daemon.stratum, daemon.web), (before.stratum, before.web))
        return daemon

    async def accepted(self, daemon, count):
        """It counts so many shares: those that were committed."""
        return await daemon.metrics_until(lambda m: m.sum("proxy_shares_accepted_total") >= count, f"{count} shares in the totals")

    async def test_many_upgrades_under_load(self):
        daemon = await self.first(drain=DRAIN)
        pool = await self.pool(difficulty=2**-32)
        account = await self.account(daemon, pool)
        miners = [self.new_miner(daemon, account, f"rig{number}", reconnect=True) for number in range(WORKERS)]
        await asyncio.gather(*(miner.start(60 * SLOWNESS) for miner in miners))
        over, web = asyncio.Event(), daemon.web
        refused, silent, newcomers, answers, fallen = [], 0, 0, 0, []

        async def one_newcomer():
            nonlocal silent
            host, _, port = daemon.stratum.rpartition(":")
            began, answer = time.monotonic(), None
            try:
                reader, writer = await asyncio.open_connection(host, int(port))
                writer.write(SUBSCRIBE)
                answer = await at_most(reader.readline(), "a reply to a newcomer")
                writer.close()
            except AssertionError as failure:
                answer = str(failure).encode()
            except ConnectionRefusedError as failure:
                refused.append(failure)
                return
            except OSError:
                pass
            if b"mining.notify" in (answer or b""):
                return
            # The old one let it go as it had said nothing for all of its time: this process had to wait for a processor.
            if time.monotonic() - began >= DRAIN:
                silent += 1
            else:
                refused.append(answer)

        async def newcome():
            nonlocal newcomers
            tasks = set()
            async for _ in paced(NEWCOMERS, 3600):
                if over.is_set():
                    break
                task = asyncio.create_task(one_newcomer())
                tasks.add(task)
                task.add_done_callback(tasks.discard)
                newcomers += 1
            await asyncio.gather(*tasks)

        async def mine():
            async for number in paced(RATE, 3600):
                if over.is_set():
                    return
                miner = miners[number % len(miners)]
                if miner.ready:
                    miner.submit()

        async def look():
            nonlocal answers
            last = {}
            while not over.is_set():
                now = {key: value for key, value in (await daemon.metrics()).totals().items() if key[0].startswith(KEPT)}
                fallen.extend(key for key, value in last.items() if now.get(key, 0) < value)
                last = now
                self.assertEqual((await daemon.call("GET", "/healthz", token=None))[0], 200)
                answers += 1

        load = [asyncio.create_task(task()) for task in (newcome, mine, look)]
        daemons = [daemon]
        for number in range(UPGRADES):
            await asyncio.wait(load, timeout=0.3)
            daemons.append(await self.successor(daemons[-1], threads=(1, 3, 2)[number % 3]))
            # Not three at once on a small machine; but the next upgrade does not wait for the last miner.
            if number:
                self.assertEqual(await daemons[number - 1].exited(30 * SLOWNESS), 0, daemons[number - 1].log_text()[-2000:])
        for old in daemons[:-1]:
            self.assertEqual(await old.exited(30 * SLOWNESS), 0)
        for miner in miners:
            await miner.changes.until(lambda m=miner: m.ready, "each miner mines again", 30 * SLOWNESS)
        over.set()
        await asyncio.gather(*load)
        self.assertEqual(refused, [], f"{len(refused)} of {newcomers} newcomers")
        self.assertEqual(fallen, [], "counters that fell")
        told = await Ledgers(self, daemons[-1], miners, [pool]).agree()
        self.say(
            f"{UPGRADES} upgrades, {newcomers} newcomers, 0 refused, {silent} too slow to say; {answers} scrapes, no counter fell; {told.total()} shares: {dict(told)}; "
            f"{sum(miner.reconnects for miner in miners)} reconnects of {WORKERS} miners"
        )
        # What was sent into a connection that was just ending nobody has taken: it is not at the pool.
        at_the_pool = {key_of(submit) for submit in pool.submits}
        taken = [share for miner in miners for share in miner.shares if share.verdict is None and key_of(share) in at_the_pool]
        self.assertEqual(taken, [], "shares that were taken and have no verdict")
        self.assertGreater(told["accepted"], 0)
        self.assertEqual(told["unknown"], 0, told)
        self.assertEqual(web, daemons[-1].web)

    async def test_workers_stay_with_the_old_one_and_are_counted_by_the_new_one(self):
        old = await self.first()
        pool = await self.pool()
        account = await self.account(old, pool)
        staying = await self.miner(old, account, "staying")
        await staying.mine(3)
        new = await self.successor(old)
        fresh = await self.miner(new, account, "fresh")
        await self.shares_agree(pool, await staying.mine(4) + await fresh.mine(2))
        metrics = await self.accepted(new, 9)
        self.assertEqual(metrics.sum("proxy_shares_accepted_total"), 9)
        self.assertEqual([labels["worker"] for labels, _ in metrics.all("proxy_worker_up")], [fresh.source])
        self.assertTrue(old.running)
        self.assertEqual(staying.reconnects, 0)

        newest = await self.successor(new)  # while the first one still has a worker
        await self.shares_agree(pool, await staying.mine(5) + await fresh.mine(1))
        await self.accepted(newest, 15)
        staying.close()
        fresh.close()
        self.assertEqual(await old.exited(), 0)
        self.assertEqual(await new.exited(), 0)
        self.assertEqual((await newest.metrics()).sum("proxy_shares_accepted_total"), 15)

    async def test_when_their_time_is_over_the_workers_go_to_the_new_one(self):
        old = await self.first(drain=0)
        pool = await self.pool()
        account = await self.account(old, pool)
        miner = await self.miner(old, account, reconnect=True)
        await miner.mine(2)
        new = await self.successor(old)
        self.assertEqual(await old.exited(), 0)
        await miner.changes.until(lambda: miner.reconnects == 1 and miner.ready, "the miner is back")
        await self.shares_agree(pool, await miner.mine(2))
        self.assertEqual((await self.accepted(new, 4)).sum("proxy_shares_accepted_total"), 4)

    async def test_a_retired_daemon_can_be_hurried(self):
        old = await self.first()
        pool = await self.pool()
        miner = await self.miner(old, await self.account(old, pool), reconnect=True)
        await self.successor(old)
        self.assertEqual(await old.stop(), 0)
        await miner.changes.until(lambda: miner.reconnects == 1 and miner.ready, "the miner is back")

    async def test_when_the_new_one_ends_the_old_one_ends_too_and_writes_its_totals(self):
        old = await self.first()
        pool = await self.pool()
        account = await self.account(old, pool)
        miner = await self.miner(old, account)
        await miner.mine(3)
        new = await self.successor(old)
        await miner.mine(2)
        new.expected_gone = True
        self.assertEqual(await new.stop(), 0)
        self.assertEqual(await old.exited(), 0, old.log_text())
        await miner.closed()
        again = await self.daemon(**self.options)
        self.assertEqual((await self.accepted(again, 5)).sum("proxy_shares_accepted_total"), 5)

    async def test_a_successor_that_fails_leaves_everything_as_it_was(self):
        old = await self.first()
        self.assertEqual(stat.S_IMODE(self.socket.stat().st_mode), 0o600)
        pool = await self.pool()
        account = await self.account(old, pool)
        miner = await self.miner(old, account)
        await miner.mine(2)
        nowhere = str(self.socket) + "-nowhere/x"
        in_the_way = pathlib.Path(f"{self.socket}.new")  # of its own handover socket: the last thing that may fail
        for number, (wrong, word) in enumerate(
            (
                ({"db": f"sqlite:{nowhere}"}, nowhere),
                ({"config": self.options["config"] | {"record": {"file": nowhere}}}, nowhere),
                ({}, str(self.socket)),
            ),
            start=1,
        ):
            if not wrong:
                in_the_way.mkdir()
            failing = Daemon(name="failing", arguments=["--takeover"], **(self.options | wrong))
            self.addCleanup(failing.remove)
            await failing.launch()
            self.assertEqual(await failing.exited(), 2)
            self.assertIn(word, failing.log_text())
            await until(lambda number=number: old.log_text().count("handover_failed") == number, "the old one says so")
            await miner.mine(3)
        await self.shares_agree(pool, await (await self.miner(old, account, "other")).mine(1))
        metrics = await self.accepted(old, 12)
        self.assertEqual(metrics.sum("proxy_shares_accepted_total"), 12)
        self.assertEqual((await old.call("GET", "/readyz", token=None))[0], 200)
        in_the_way.rmdir()
        await self.successor(old)

    async def test_addresses_that_the_new_configuration_has_not_are_given_up(self):
        old = await self.first(config={"stratum": {"listen": [{"addr": "127.0.0.1:0"}, {"addr": "[::1]:0"}]}})
        pool = await self.pool()
        account = await self.account(old, pool)
        new = await self.successor(old, config=self.options["config"] | {"stratum": {"listen": [{"addr": "[::1]:0"}]}})
        self.assertEqual(new.listeners, old.listeners[1:])
        self.assertEqual(await old.exited(), 0)
        await self.miner(new, account, at=new.listeners[0])
        with self.assertRaises(ConnectionRefusedError):
            await self.new_miner(new, account, at=old.listeners[0]).connect()

    async def test_where_nobody_answers_it_starts_as_without_the_flag(self):
        old = await self.first()
        old.expected_gone = True
        await old.kill()
        self.assertTrue(self.socket.is_socket())
        again = await self.daemon(arguments=["--takeover"], **self.options)  # where one has crashed
        self.assertIn("takeover_unneeded", again.log_text())
        again.expected_gone = True
        await again.stop()
        self.socket.unlink()
        first = await self.daemon(arguments=["--takeover"], **self.options)
        self.assertIn("takeover_unneeded", first.log_text())
        second = await self.successor(first)
        self.assertNotIn("takeover_unneeded", second.log_text())

    async def test_a_start_that_cannot_be_one(self):
        old = await self.first()
        precious = self.socket.parent / "precious.db"
        precious.write_text("precious")
        for options, words in (
            ({"arguments": ["--takeover"], "config": {}}, "[handover]"),
            ({"arguments": ["--takeover"], "db": None, "config": {"handover": {"socket": str(self.socket) + "-none/x"}}}, "-none/x"),
            ({"db": None, "config": {"handover": {"socket": str(self.socket)}}}, "--takeover"),
            ({"db": None, "config": {"handover": {"socket": str(precious)}}}, f"{precious} is there and is no socket"),
        ):
            with self.subTest(words):
                daemon = Daemon(name="no-start", **options)
                self.addCleanup(daemon.remove)
                await daemon.launch()
                self.assertEqual(await daemon.exited(), 2)
                (line,) = [line for line in daemon.log_text().splitlines() if line.startswith("stratumproxyd: ")]
                self.assertIn(words, line)
        self.assertEqual(precious.read_text(), "precious")
        self.assertEqual((await old.call("GET", "/healthz", token=None))[0], 200)


if __name__ == "__main__":
    main()
