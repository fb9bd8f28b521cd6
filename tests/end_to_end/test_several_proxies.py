"""Three daemons on one PostgreSQL behind HAProxy: one of them is killed under load, and what they have in common is the same for all.

Daemons and HAProxy are set up by the examples in docs/scaling.
"""
import asyncio
import collections
import contextlib
import json
import pathlib
import sqlite3
import statistics
import subprocess
import sys
import time
import tomllib
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import ports
import temporary_postgresql
from canaries import OTHER_POOL_PASSWORD
from haproxy import Haproxy
from house import SOURCE, HouseTest, OwnPostgresql, main
from ledgers import ENDS, Ledgers
from metrics_text import Metrics
from scaling_example import ExampleHaproxy
from waiting import LIMIT, SLOWNESS, figure, paced, until
from wire import error_code

EXAMPLE = tomllib.loads((SOURCE / "docs" / "scaling" / "stratumproxyd.toml").read_text(encoding="utf-8"))
NAMES = ("a", "b", "c")
HERE = ["127.0.0.1"]  # where HAProxy is


class Several:
    """Several daemons as one, for the ledgers."""

    def __init__(self, daemons):
        self.daemons = list(daemons)
        self.config = self.daemons[0].config

    async def metrics(self):
        return Metrics("".join([(await daemon.metrics()).text for daemon in self.daemons if daemon.running]))

    async def metrics_until(self, condition, what, limit=LIMIT):
        async def scrape():
            metrics = await self.metrics()
            return metrics if condition(metrics) else None

        return await until(scrape, what, limit, pause=0.1)


@unittest.skipUnless(Haproxy.available(), "no haproxy here: scripts/install-dependencies test")
class SeveralProxies(HouseTest):
    store = "postgresql"

    async def asyncSetUp(self):
        self.url = self.database()

    async def daemons(self, config=None, trusted=HERE, **options):
        example = {table: dict(keys) for table, keys in EXAMPLE.items()}
        example["stratum"] = {"proxy_protocol_from": trusted} if trusted else {}
        del example["web"], example["db"], example["metrics"]["tag"]  # those of the test
        example["metrics"]["worker_label"] = "address"
        for table, keys in (config or {}).items():
            example.setdefault(table, {}).update(keys)
        self.all = [await self.daemon(db=self.url, tag=name, config=example, **options) for name in NAMES]
        return self.all

    async def front(self):
        made = ExampleHaproxy(self.all)
        self.addAsyncCleanup(made.stop)
        return await made.start()

    def miner_at(self, front, account, rig, **options):
        class Address:
            stratum = front.address

        return self.new_miner(Address, account, rig, **options)

    async def homes(self):
        """Which daemon has which miner, by its address as the daemons see it."""
        return {
            labels["worker"]: daemon
            for daemon in self.all
            if daemon.running
            for labels, value in (await daemon.metrics()).all("proxy_worker_up")
            if value == 1
        }

    # ---- a daemon is killed

    async def test_workers_of_a_daemon_that_was_killed_mine_at_the_others(self):
        workers, rate, seconds = figure(60, 600), figure(120, 600), figure(9, 30)
        await self.daemons(threads=2, config={"upstream": {"connects_per_second": 2000}})
        count = 0

        def verdict(submit):
            nonlocal count
            count += 1
            return (23, "low difficulty", None) if count % 49 == 0 else True  # never the same worker's, round after round

        pool = await self.pool(verdict=verdict)
        account = await self.account(self.all[0], pool)
        front = await self.front()
        miners = [self.miner_at(front, account, f"rig{i}", reconnect=True) for i in range(workers)]
        for at in range(0, workers, 50):
            await asyncio.gather(*(miner.start(LIMIT) for miner in miners[at : at + 50]))
        first = {miner: (miner.session, miner.extranonce1) for miner in miners}
        homes = await self.homes()
        self.assertEqual(set(homes), {miner.source for miner in miners}, "the daemons see the miners' own addresses")
        by_daemon = collections.Counter(daemon.tag for daemon in homes.values())
        self.assertGreater(min(by_daemon[name] for name in NAMES), workers // 5, by_daemon)
        await self.sessions_are_written(workers)

        victim = self.all[0]
        lost = {miner for miner in miners if homes[miner.source] is victim}
        killed_at, has_job_at, back_at = None, {}, {}

        async def watch(miner):
            """When it has its first verdict after the end of its daemon."""
            await miner.changes.until(lambda: killed_at and miner.connects > 1 and miner.ready, "it is back", 6 * LIMIT)
            has_job_at[miner] = time.monotonic() - killed_at
            since = len(miner.shares)
            await miner.changes.until(
                lambda: any(share.verdict == "accepted" for share in miner.shares[since:]), "a share of it is accepted", 6 * LIMIT
            )
            back_at[miner] = time.monotonic() - killed_at

        watching = [asyncio.create_task(watch(miner)) for miner in lost]
        on_victim = []
        async for number in paced(rate, seconds):
            if number == rate * seconds // 3:
                killed_at = time.monotonic()
                await victim.kill()
                victim.expected_gone = True
            miner = miners[number % workers]
            if not miner.ready:
                continue
            share = miner.submit()
            if miner in lost and miner.connects == 1:
                on_victim.append(share)
            if number % (2 * rate) == rate:
                pool.broadcast(clean=False)
        await asyncio.gather(*watching)
        times, jobs = sorted(back_at.values()), sorted(has_job_at.values())
        self.assertEqual(len(times), len(lost))
        self.assertTrue(all(miner.connects == 1 for miner in miners if miner not in lost), "the others noticed nothing")
        self.assertTrue(all(miner.session != first[miner][0] for miner in lost))
        again = sum(miner.extranonce1 == first[miner][1] for miner in lost)

        cluster = Several(self.all[1:])
        recalled = (await cluster.metrics()).sum("proxy_sessions_recalled_total")
        self.assertEqual(recalled, len(lost), "sessions that came along")
        self.assertEqual(again, len(lost), "marks that came along")
        told = await self.laws(cluster, miners, pool, account, on_victim)
        self.say(
            f"{len(lost)} of {workers} workers were on the daemon that was killed; until the first job elsewhere p50 {statistics.median(jobs):.2f} s, "
            f"slowest {jobs[-1]:.2f} s; until the first accepted share p50 {statistics.median(times):.2f} s, slowest {times[-1]:.2f} s; {sum(told.values())} shares: {dict(told)}; {recalled:.0f} sessions came along"
        )
        # A small run shares its machine with others; nobody's back-off or limit is near this.
        self.assertLess(times[-1], figure(3 * LIMIT, 5 * SLOWNESS))

    async def sessions_are_written(self, count):
        async def written():
            rows = await asyncio.to_thread(self.query, "SELECT COUNT(*) FROM sessions WHERE NOT claimed")
            return int(rows) >= count

        await until(written, f"{count} sessions in the database", LIMIT, pause=0.1)

    def query(self, statement):
        psql = pathlib.Path(temporary_postgresql.BINARIES[-1]) / "psql"
        return subprocess.run(
            [psql, self.url, "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", statement], capture_output=True, text=True, check=True
        ).stdout

    async def laws(self, cluster, miners, pool, account, on_victim):
        """Laws 2 to 5 over all ledgers; 1 for the daemons that live; 6 for the one that was killed."""
        judge = Ledgers(self, cluster, miners, [pool])
        open_ends = [share.reply for share in judge.shares if not share.reply.done()]
        if open_ends:
            await asyncio.wait(open_ends, timeout=3 * LIMIT)
        self.assertTrue(all(share.reply.done() for share in judge.shares), "shares without a reply")
        told = judge.check_shares()

        killed = set(map(id, on_victim))
        here = collections.Counter(share.verdict for share in judge.shares if id(share) not in killed)
        self.assertEqual(here[None], 0, "only miners of the killed daemon lost replies")

        def counts(metrics):
            return [int(metrics.sum(f"proxy_shares_{end}_total", user=account)) for end in ("sent", *ENDS)]

        metrics = await cluster.metrics_until(lambda m: counts(m)[0] == here.total() == sum(counts(m)[1:]), f"the totals of {here}", 3 * LIMIT)
        self.assertEqual(counts(metrics)[1:], [here[end] for end in ENDS])

        # What the killed one had committed is a part of what its miners were told, or may not have been told any more.
        status, text = await cluster.daemons[0].call("GET", f"/api/v1/users/{account}")
        self.assertEqual(status, 200, text)
        totals = json.loads(text)
        there = collections.Counter(share.verdict for share in on_victim)
        self.assertGreater(there["accepted"], 0)
        for end in ("accepted", "unknown"):
            of_victim = totals[end] - here[end]
            self.assertGreaterEqual(of_victim, 0)
            self.assertLessEqual(of_victim, there[end] + there[None], (end, totals, there))
        self.assertGreater(totals["accepted"] - here["accepted"], 0, "totals that were committed are not lost")
        return told

    async def test_difficulty_and_split_come_along(self):
        """With a difficulty for each worker, which only the proxy knows."""
        await self.daemons()
        pool = await self.pool(difficulty=1.0)
        await self.all[0].add_pool(pool.address, mode="shared", verify="full")
        account = await self.all[0].register(pool.address)
        front = await self.front()
        miners = [self.miner_at(front, account, f"rig{i}", reconnect=True, agent="NiceHash/1" if i % 2 else "kit/1.0") for i in range(9)]
        for miner in miners:
            await miner.start()
        for number, miner in enumerate(miners):
            await miner.ask("mining.suggest_difficulty", [2.0 ** -(10 + number)])
        for number, miner in enumerate(miners):
            await miner.changes.until(lambda m=miner, d=2.0 ** -(10 + number): m.job.difficulty == d, "its difficulty")
        await until(lambda: self.difficulties_are_written(miners), "difficulties in the database", LIMIT, pause=0.1)
        before = {miner: (miner.extranonce1, miner.extranonce2_size, miner.difficulty, miner.session) for miner in miners}
        homes = await self.homes()
        victim = self.all[1]
        lost = [miner for miner in miners if homes[miner.source] is victim]
        self.assertTrue(lost)
        await victim.kill()
        victim.expected_gone = True
        for miner in lost:
            await miner.changes.until(lambda m=miner: m.connects > 1 and m.ready, "it mines again", 3 * LIMIT)
            mark, size, difficulty, session = before[miner]
            self.assertEqual((miner.extranonce1, miner.extranonce2_size, miner.difficulty), (mark, size, difficulty))
            self.assertNotEqual(miner.session, session)
            self.assertEqual(miner.job.difficulty, difficulty, "already its first job there")
        self.assertEqual(len({(m.job.job.coinb1, m.extranonce1) for m in miners}), len(miners), "all search elsewhere")

    def difficulties_are_written(self, miners):
        rows = self.query("SELECT id, difficulty FROM sessions").split()
        written = {row.split("|")[0]: float(row.split("|")[1]) for row in rows}
        return all(written.get(miner.session) == miner.difficulty for miner in miners)

    async def test_a_daemon_that_stops_in_order_hands_its_workers_on(self):
        await self.daemons()
        pool = await self.pool()
        account = await self.account(self.all[0], pool)
        front = await self.front()
        miners = [self.miner_at(front, account, f"rig{i}", reconnect=True) for i in range(9)]
        for miner in miners:
            await miner.start()
        marks = {miner: miner.extranonce1 for miner in miners}
        homes = await self.homes()
        await self.sessions_are_written(len(miners))
        for victim in self.all[:2]:
            leaving = [miner for miner in miners if homes[miner.source] is victim]
            self.assertEqual(await victim.stop(), 0)
            victim.expected_gone = True
            for miner in leaving:
                await miner.changes.until(lambda m=miner: m.connects > 1 and m.ready, "it mines again", 3 * LIMIT)
            await self.sessions_are_written(len(miners))
            homes = await self.homes()
        self.assertEqual({miner: miner.extranonce1 for miner in miners}, marks)
        self.assertEqual(len(homes), len(miners))
        shares = [miner.submit() for miner in miners]
        await self.shares_agree(pool, shares)

    async def test_a_daemon_that_was_killed_and_started_again_knows_its_workers(self):
        """Alone, and on SQLite."""
        daemon = await self.daemon(
            db=False, tag="a", threads=2, config={"session": {"records": "on"}},
            stratum=f"127.0.0.1:{ports.free()}", web=f"127.0.0.1:{ports.free()}",
        )
        pool = await self.pool()
        account = await self.account(daemon, pool)
        miners = [await self.miner(daemon, account, f"rig{i}", agent="NiceHash/1") for i in range(6)]
        url = daemon.db.partition(":")[2]

        def is_written():
            with contextlib.closing(sqlite3.connect(f"file:{url}?mode=ro", uri=True)) as tables:
                return tables.execute("SELECT COUNT(*) FROM sessions").fetchone()[0] == len(miners)

        await until(is_written, "the sessions are in the file", LIMIT, pause=0.1)
        await daemon.kill()
        await daemon.restart()
        for old in miners:
            again = await self.miner(daemon, account, None, session=old.session, agent="NiceHash/1")
            self.assertEqual((again.extranonce1, again.extranonce2_size), (old.extranonce1, 4))
            (share,) = await again.mine()
            await self.shares_agree(pool, [share])
            self.assertEqual(pool.submits[-1].user.partition(".")[2], old.login.partition(".")[2], "the rig came along, too")
        metrics = await daemon.metrics()
        self.assertEqual(metrics.sum("proxy_sessions_recalled_total"), len(miners))

    # ---- what they have in common

    async def test_a_changed_account_moves_its_workers_on_all_of_them(self):
        first, second, third = await self.daemons(trusted=None)
        pool, other = await self.pool(), await self.pool(seed=5)
        account = await self.account(first, pool)
        await first.add_pool(other.address)
        miners = [await self.miner(daemon, account, f"rig{i}") for i, daemon in enumerate(self.all)]
        began = time.monotonic()
        body = {"pools": [{"pool": other.address, "user": "elsewhere", "password": OTHER_POOL_PASSWORD}]}
        status, text = await second.call("PATCH", f"/api/v1/users/{account}", body)
        self.assertEqual(status, 200, text)
        seen = [len(miner.job_log) for miner in miners]
        await other.until(lambda: len(other.ready) == 3, "all daemons have a link to the new pool")
        for miner, number in zip(miners, seen):
            await miner.changes.until(
                lambda m=miner: other.gave(m.job), "a job of the new pool"
            )
        self.say(f"all three moved {time.monotonic() - began:.2f} s after the change at one")
        shares = [miner.submit() for miner in miners]
        await self.shares_agree(other, shares)
        self.assertTrue(all(miner.connects == 1 and miner.connected for miner in miners))

    async def test_an_account_that_was_made_at_one_is_served_by_all(self):
        first, second, third = await self.daemons(trusted=None)
        pool = await self.pool()
        names = set()
        await first.add_pool(pool.address)
        for daemon in self.all:
            names.add(await daemon.register(pool.address))
        self.assertEqual(len(names), 1, "the same credentials are the same account")
        for daemon in self.all:
            self.assertTrue((await self.miner(daemon, *names)).ready)
        await third.call("DELETE", f"/api/v1/users/{names.pop()}")
        await pool.until(lambda: not pool.live, "its workers are let go everywhere")

    async def test_a_token_is_good_and_revoked_at_all(self):
        first, second, third = await self.daemons(trusted=None)
        status, text = await first.call("POST", "/api/v1/tokens", {"name": "grafana", "role": "read-only"})
        self.assertEqual(status, 201, text)
        token = json.loads(text)["token"]
        self.texts_with_tokens(first)

        async def answers(wanted):
            return all([(await daemon.call("GET", "/api/v1/workers", token=token))[0] == wanted for daemon in self.all])

        began = time.monotonic()
        await until(lambda: answers(200), "the token is good at all", LIMIT, pause=0.05)
        made = time.monotonic() - began
        self.assertEqual((await third.call("POST", "/api/v1/bans", {"subject": "10.0.0.1", "reason": "x"}, token=token))[0], 403)
        status, text = await third.call("DELETE", "/api/v1/tokens/grafana")
        self.assertEqual(status, 200, text)
        began = time.monotonic()
        await until(lambda: answers(401), "the token is good at none", LIMIT, pause=0.05)
        self.say(f"a token was good at all {made:.2f} s after it was made, and at none {time.monotonic() - began:.2f} s after it was revoked")

    def texts_with_tokens(self, daemon):
        daemon.texts.clear()  # who makes a token is told it

    async def test_a_ban_holds_at_all(self):
        first, second, third = await self.daemons(trusted=None)
        pool = await self.pool()
        account = await self.account(first, pool)
        there = await self.miner(third, account)
        began = time.monotonic()
        status, text = await second.call("POST", "/api/v1/bans", {"subject": account, "reason": "did not pay"})
        self.assertEqual(status, 201, text)
        await there.closed()
        self.assertTrue(any("did not pay" in words for words in there.shown), there.shown)
        self.say(f"a worker at another daemon was closed {time.monotonic() - began:.2f} s after the ban")

        async def is_refused(daemon):
            miner = self.new_miner(daemon, account)
            await miner.connect()
            taken = await miner.log_in()
            miner.close()
            return not taken and error_code(miner.last_authorize) == 24

        for daemon in self.all:
            await until(lambda d=daemon: is_refused(d), "the account is refused", LIMIT, pause=0.1)
        status, _ = await first.call("DELETE", f"/api/v1/bans/{account}")
        self.assertEqual(status, 200)

        async def is_served(daemon):
            return not await is_refused(daemon)

        for daemon in self.all:
            await until(lambda d=daemon: is_served(d), "the account is served again", LIMIT, pause=0.1)

    async def test_totals_are_the_sum_over_all(self):
        await self.daemons(trusted=None, config={"metrics": {"flush_seconds": 0.1}})
        pool = await self.pool()
        account = await self.account(self.all[0], pool)
        for count, daemon in enumerate(self.all, 1):
            miner = await self.miner(daemon, account, f"rig{count}")
            await self.shares_agree(pool, await miner.mine(count))

        async def totals(daemon):
            _, text = await daemon.call("GET", f"/api/v1/users/{account}")
            return json.loads(text)

        for daemon in self.all:
            await until(lambda d=daemon: self.is_sum(totals, d), "6 accepted shares in all", LIMIT, pause=0.1)
        for count, daemon in enumerate(self.all, 1):
            own = await daemon.metrics_until(
                lambda m, n=count: m.sum("proxy_shares_accepted_total", user=account) == n, "its own shares only"
            )
            self.assertEqual({labels["proxy"] for labels, _ in own.all("proxy_shares_accepted_total")}, {daemon.tag})

    async def is_sum(self, totals, daemon):
        return (await totals(daemon))["accepted"] == 6


class DatabaseAway(OwnPostgresql, HouseTest):
    async def test_a_worker_that_returns_elsewhere_does_not_wait_for_a_silent_database(self):
        url = self.server.database("sessions")
        first, second = [await self.daemon(db=url, tag=name) for name in NAMES[:2]]
        pool = await self.pool()
        account = await self.account(first, pool)
        old, neighbour = await self.miner(first, account, "rig1"), await self.miner(second, account, "rig2")

        async def written():
            return int(await asyncio.to_thread(self.server.sql, "SELECT COUNT(*) FROM sessions", "sessions")) == 2

        await until(written, "both sessions are in the database", LIMIT, pause=0.1)
        self.server.freeze()
        await first.kill()
        first.expected_gone = True
        again = self.new_miner(second, account, "rig1", session=old.session)
        await again.connect()
        began = time.monotonic()
        logging_in = asyncio.create_task(again.log_in())
        shares = await neighbour.mine(3)
        self.assertTrue(await logging_in, again.last_authorize)
        self.say(f"the login took {time.monotonic() - began:.2f} s without the database")
        await again.next_job(0)
        shares += await again.mine()
        self.server.thaw()
        await self.shares_agree(pool, shares)
        metrics = await second.metrics()
        self.assertEqual(metrics.sum("proxy_sessions_recalled_total"), 0)


if __name__ == "__main__":
    main()
