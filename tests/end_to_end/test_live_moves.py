"""Accounts become others while their workers mine: nobody is disconnected, every share goes to the pool that gave its job.

With SQLite the accounts are changed through the API; with PostgreSQL in a psql, as an operator types it, while two daemons serve.
"""
import asyncio
import collections
import dataclasses
import gc
import itertools
import json
import pathlib
import random
import sqlite3
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import temporary_postgresql
from canaries import OTHER_POOL_PASSWORD, POOL_PASSWORD
from daemon import Daemon
from fake_pool import IGNORE, FakePool
from house import HouseTest, OwnPostgresql, main
from ledgers import Ledgers
from metrics_text import Metrics
from waiting import LIMIT, SLOWNESS, at_most, figure, paced, until
from wire import error_code

WORKERS = figure(100, 1000)
CHANGES = figure(40, 100)
ACCOUNTS = figure(12, 24)  # the first two are not changed
RATE = figure(150, 300)  # shares in a second, of all
AT_ONCE = 2.0 * SLOWNESS  # from a change to the job of the new pool

ANY_HASH = 2**-32  # every hash meets it: shares stand a check of their proof of work, too
VERDICT_TIME = 5 * SLOWNESS


@dataclasses.dataclass(frozen=True)
class Route:
    pool: FakePool
    user: str
    password: str = POOL_PASSWORD
    weight: int = 0
    position: int = 0  # in the table, where a row that was deleted leaves a gap
    since: int = 0  # links of the pool before this one are not for it

    @property
    def way(self):
        return self.pool, self.user, self.password


@dataclasses.dataclass
class Account:
    name: str
    routes: list
    mode: str | None = None
    miners: list = dataclasses.field(default_factory=list)

    @property
    def active(self):
        """Where its workers may be while all pools are well."""
        return [route for route in self.routes if route.weight] or self.routes[:1]


@dataclasses.dataclass(frozen=True)
class Change:
    kind: str
    routes: list
    mode: str | None
    sql: str


def place(pool):
    """The pool's row, in SQL."""
    return f"(SELECT id FROM pools WHERE host = '127.0.0.1' AND port = {pool.port})"


def percentile(values, part):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


class Psql:
    """A psql that stays open. What it is told is committed when `type` returns."""

    def __init__(self, url):
        self._url = url
        self._process = None

    async def type(self, statements):
        if self._process is None:
            binaries = temporary_postgresql.BINARIES
            self._process = await asyncio.create_subprocess_exec(
                str(pathlib.Path(binaries[-1]) / "psql") if binaries else "psql",
                *(self._url, "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1"),
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
            )
        self._process.stdin.write(f"{statements};\n\\echo done\n".encode())
        said = []
        while (line := await at_most(self._process.stdout.readline(), "psql's answer")) != b"done\n":
            said.append(line.decode())
            if not line:
                raise AssertionError(f"psql: {''.join(said)}")
        return "".join(said)

    async def end(self):
        if self._process is not None:
            self._process.stdin.close()
            await at_most(self._process.wait(), "the end of psql")


class Together:
    """The metrics of several daemons, as the sum of one account's over all of them wants them."""

    def __init__(self, daemons):
        self.daemons = daemons

    async def metrics(self):
        return Metrics("\n".join([(await daemon.metrics()).text for daemon in self.daemons]))

    metrics_until = Daemon.metrics_until


class House(HouseTest):
    """Pools with either mode, and who mines where."""

    async def open(self, *, daemons=1, threads=2, pools=2, config=None, database=None, **options):
        url = database or self.database()
        self.proxies = [
            await self.daemon(
                db=url, tag=f"rack{number}", threads=threads,
                config={
                    "upstream": {"connects_per_second": 2000, "verdict_timeout_seconds": VERDICT_TIME},
                    "metrics": {"flush_seconds": 0.5},
                } | (config or {}),
            )
            for number in range(daemons)
        ]
        self.proxy, self.together = self.proxies[0], Together(self.proxies)
        self.links = {}
        self.pools = []
        for number in range(pools):
            # A pool's size of the extranonce1 and its version bits are not those of the pool before.
            pool = await self.pool(
                seed=number + 1, x1=4 + number % 3, mask=("1fffe000", "00ffe000")[number % 2],
                **{"difficulty": ANY_HASH} | options,
            )
            pool.on_connect = lambda link, pool=pool: self.links.update({(pool, link.extranonce1): link})
            await self.proxy.add_pool(pool.address, fixed_difficulty=True, mode="shared" if number == 2 else "dedicated")
            self.pools.append(pool)
        self.rows = {pool: {"mode": "shared" if number == 2 else "dedicated"} for number, pool in enumerate(self.pools)}
        self.psql = Psql(url) if url else None
        if self.psql:
            self.addAsyncCleanup(self.psql.end)

    async def new_account(self, *routes, mode=None):
        routes = [dataclasses.replace(route, position=number) for number, route in enumerate(routes)]
        status, text = await self.proxy.call("POST", "/api/v1/users", {"pools": self.json(routes), "mode": mode or "dedicated"})
        self.assertEqual(status, 201, text)
        return Account(json.loads(text)["name"], routes, mode or "dedicated")

    def json(self, routes, known=()):
        """The API's `pools`; without the password where the account has that pool, user and password."""
        return [
            {"pool": route.pool.address, "user": route.user, "weight": route.weight}
            | ({} if route.way in known else {"password": route.password})
            for route in routes
        ]

    async def come(self, account, count, daemon=None, prefix="rig"):
        miners = [
            self.new_miner(
                daemon or self.proxies[number % len(self.proxies)], account.name, f"{prefix}{number}",
                mask="1fffe000" if number % 3 else None, extranonce_subscribe=number % 5 == 0,
                agent="NiceHash/1.0" if number % 7 == 0 else "kit/1.0",
            )
            for number in range(count)
        ]
        account.miners += miners
        await asyncio.gather(*(miner.start(60 * SLOWNESS) for miner in miners))
        return miners

    # Where somebody mines

    def link_of(self, job):
        """The pool's connection that gave this job."""
        pool = next(pool for pool in self.pools if pool.gave(job))
        any_link = next(link for link in pool.connections if link.last_job)
        before = len(any_link.last_job.coinb1)
        start = job.job.coinb1 + job.extranonce1
        return self.links[pool, start[before : before + len(any_link.extranonce1)]]

    @staticmethod
    def way_of(link):
        return link.pool, link.users[0].partition(".")[0], link.passwords[0]

    def is_on(self, job, routes):
        link = self.link_of(job)
        return any(route.way == self.way_of(link) and link.index >= route.since for route in routes)

    def is_there(self, miner, account):
        return self.is_on(miner.job, account.active)

    async def all_there(self, accounts):
        for account in accounts:
            for miner in account.miners:
                await miner.changes.until(
                    lambda m=miner, a=account: self.is_there(m, a), f"{miner.login} mines where its account says"
                )

    # Changes

    def mode_of(self, route, mode):
        return mode or self.rows[route.pool]["mode"]

    def becomes(self, account, routes, mode):
        """The account is this from now on. A route that has only another mode needs links made for it."""
        before = {route.way: route for route in account.routes}
        fresh = []
        for route in routes:
            was, since = before.get(route.way), 0
            if was:
                is_same = self.mode_of(was, account.mode) == self.mode_of(route, mode)
                since = was.since if is_same else len(route.pool.connections)
            route = dataclasses.replace(route, since=since)
            fresh.append(route)
        account.routes, account.mode = fresh, mode

    async def make(self, account, change):
        """The change, as this store's operator makes it, and the time at which it began."""
        known = {route.way for route in account.routes}
        before = account.mode
        self.becomes(account, change.routes, change.mode)
        started = time.monotonic()
        if self.psql:
            await self.psql.type(change.sql)
        else:
            body = {"mode": change.mode} if change.mode != before else {"pools": self.json(change.routes, known)}
            status, text = await self.proxy.call("PATCH", f"/api/v1/users/{account.name}", body)
            self.assertEqual(status, 200, text)
        return started

    def to_another_pool(self, account, pool, position=0):
        routes = [
            dataclasses.replace(route, pool=pool) if route.position == position else route for route in account.routes
        ]
        sql = f"UPDATE user_routes SET pool = {place(pool)} WHERE account = '{account.name}' AND position = {position}"
        return Change("pool", routes, account.mode, sql)

    async def arrivals(self, account, started, jobs):
        """How long after `started` each of these miners got the first job of where it should be; `jobs`: what it had by then."""
        took = []
        for miner, seen in jobs.items():
            await miner.changes.until(
                lambda m=miner: self.is_there(m, account), f"{miner.login} mines where its account says"
            )
            first = next(job for job in miner.job_log[seen - 1 :] if self.is_on(job, account.active))
            took.append(max(0.0, first.at - started))
        return took


class LiveMoves(House):
    async def asyncSetUp(self):
        self.random = random.Random(4)
        self.numbers = itertools.count(1)

    def another_user(self):
        return f"wallet{next(self.numbers)}"

    def random_change(self, account):
        """Something that an operator may want of an account; every one of them is another account than before."""
        routes, mode, name, source = list(account.routes), account.mode, account.name, self.random
        at = 0 if source.random() < 0.6 else source.randrange(len(routes))
        where = f"WHERE account = '{name}' AND position = {routes[at].position}"
        kinds = ["pool", "pool", "user", "password", "mode", "more", "weights"]
        if len(routes) > 1:
            kinds += ["fewer", "order", "order", "weights"]
        kind = source.choice(kinds)
        if kind == "more" and len(routes) > 4:
            kind = "fewer"
        if kind == "weights" and len(routes) == 1:
            kind = "more"
        if kind == "pool":
            pool = source.choice([pool for pool in self.pools if pool is not routes[at].pool])
            user = routes[at].user
            if (pool, user) in {(route.pool, route.user) for route in routes}:
                user = self.another_user()
            routes[at] = dataclasses.replace(routes[at], pool=pool, user=user)
            sql = f"UPDATE user_routes SET pool = {place(pool)}, pool_user = '{user}' {where}"
        elif kind == "user":
            routes[at] = dataclasses.replace(routes[at], user=self.another_user())
            sql = f"UPDATE user_routes SET pool_user = '{routes[at].user}' {where}"
        elif kind == "password":
            password = f"{source.choice((POOL_PASSWORD, OTHER_POOL_PASSWORD))}{next(self.numbers)}"
            routes[at] = dataclasses.replace(routes[at], password=password)
            sql = f"UPDATE user_routes SET pool_password = '{password}' {where}"
        elif kind == "mode":
            mode = source.choice([each for each in ("dedicated", "shared", None) if each != mode])
            value = f"'{mode}'" if mode else "NULL"
            sql = f"UPDATE users SET mode = {value} WHERE name = '{name}'"
        elif kind == "more":
            more = Route(source.choice(self.pools), self.another_user(), position=routes[-1].position + 1)
            routes.append(more)
            sql = (
                "INSERT INTO user_routes (account, position, pool, pool_user, pool_password) "
                f"SELECT '{name}', {more.position}, id, '{more.user}', '{more.password}' "
                f"FROM pools WHERE host = '127.0.0.1' AND port = {more.pool.port}"
            )
        elif kind == "fewer":
            gone = routes.pop(source.randrange(1, len(routes)))
            sql = f"DELETE FROM user_routes WHERE account = '{name}' AND position = {gone.position}"
        elif kind == "order":
            one, two = source.sample(range(len(routes)), 2)
            here, there = routes[one].position, routes[two].position
            routes[one], routes[two] = (
                dataclasses.replace(routes[two], position=here), dataclasses.replace(routes[one], position=there),
            )
            sql = (
                "UPDATE user_routes AS one SET pool = two.pool, pool_user = two.pool_user, pool_password = two.pool_password, "
                f"weight = two.weight FROM user_routes AS two WHERE one.account = '{name}' AND two.account = '{name}' "
                f"AND (one.position, two.position) IN (({here}, {there}), ({there}, {here}))"
            )
        else:
            weights = [source.choice((0, 1, 30, 70, 100)) for _ in routes]
            if weights == [route.weight for route in routes]:
                weights[0] += 7
            routes = [dataclasses.replace(route, weight=weight) for route, weight in zip(routes, weights)]
            cases = " ".join(f"WHEN {route.position} THEN {route.weight}" for route in routes)
            sql = f"UPDATE user_routes SET weight = CASE position {cases} ELSE weight END WHERE account = '{name}'"
        return Change(kind, routes, mode, sql)

    async def change_pool(self):
        """What the last pool's row says is changed, for all who mine there; with SQL only, the API changes no pools."""
        pool = self.pools[-1]
        kind = self.random.choice(("verify", "mode"))
        values = {"verify": ("off", "basic", "full"), "mode": ("dedicated", "shared")}[kind]
        row = self.rows[pool]
        row[kind] = self.random.choice([value for value in values if value != row.get(kind, "basic")])
        concerned = [account for account in self.accounts if any(route.pool is pool for route in account.routes)]
        jobs = {}
        for account in concerned:
            # Another check is another pool: links are made anew for all but those who never looked at the row.
            if kind == "verify" or account.mode is None:
                account.routes = [
                    dataclasses.replace(route, since=len(pool.connections)) if route.pool is pool else route
                    for route in account.routes
                ]
            jobs[account.name] = self.not_there(account)
        started = time.monotonic()
        await self.psql.type(f"UPDATE pools SET {kind} = '{row[kind]}' WHERE host = '127.0.0.1' AND port = {pool.port}")
        return f"pool's {kind}", [(account, started, jobs[account.name]) for account in concerned]

    def not_there(self, account):
        return {miner: len(miner.job_log) for miner in account.miners if not self.is_there(miner, account)}

    async def change_account(self, account):
        change = self.random_change(account)
        jobs = {miner: len(miner.job_log) for miner in account.miners}
        started = await self.make(account, change)
        # Who was on a route that is still one, stays.
        jobs = {
            miner: seen for miner, seen in jobs.items() if not self.is_on(miner.job_log[seen - 1], account.active)
        }
        return change.kind, [(account, started, jobs)]

    async def load(self):
        """All miners submit, in turn; now and then for the job before the last one, or for the first. The pools send jobs."""
        miners = [miner for account in self.accounts + self.untouched for miner in account.miners]
        source = random.Random(5)
        async for number in paced(RATE, 3600):
            if self.is_over:
                return
            miner = miners[number % len(miners)]
            turn = number // len(miners)
            job = miner.job
            if turn % 5 == 4 and len(miner.job_log) > 1:
                job = miner.job_log[-2]
                self.late += 1
            elif turn % 10 == 3:
                job = miner.job_log[0]
            version = source.getrandbits(32) & int(job.mask, 16) if job.mask else None
            share = miner.submit(job, version=None if version is None else f"{version:08x}")
            if job is miner.job:
                self.in_time.append(share)
            if number % RATE == 0:
                self.pools[number // RATE % len(self.pools)].broadcast(clean=number // RATE % 3 == 0)

    def untouched_heard_nothing(self, before):
        """Who mines for an account that was not changed got the pool's jobs, as the pool sent them, and not a line more."""
        for miner, lines in before.items():
            kinds = {message["method"] for message in miner.messages[lines:] if "method" in message}
            self.assertEqual(kinds, {"mining.notify"}, miner.login)
            link = self.link_of(miner.job)
            sent = [job for job, _, _ in link.jobs.values()]
            first = next(at for at, job in enumerate(sent) if job.rest == miner.job_log[0].job.rest)
            self.assertEqual([job.job.rest for job in miner.job_log], [job.rest for job in sent[first:]], miner.login)
            cleans = [job.clean for job in miner.job_log[1:]]
            self.assertEqual(cleans, [job.clean for job in sent[first + 1 :]], miner.login)

    def modes_are_in_force(self):
        """A worker of a dedicated route has a link for itself, others share."""
        for account in self.accounts + self.untouched:
            workers = collections.defaultdict(list)
            for miner in account.miners:
                workers[self.link_of(miner.job)].append(miner)
            shared = 0
            for link, users in workers.items():
                route = next(route for route in account.active if route.way == self.way_of(link))
                if self.mode_of(route, account.mode) == "dedicated":
                    self.assertEqual(len(users), 1, f"{account.name} on {link}")
                else:
                    shared += 1
            self.assertLessEqual(shared, len(account.active) * 2 * len(self.proxies), account.name)

    async def test_random_changes_under_load(self):
        count = itertools.count(1)

        def verdict(_submit):
            number = next(count)
            return IGNORE if number % 197 == 0 else (23, "low difficulty share", None) if number % 41 == 0 else True

        await self.open(
            daemons=2 if self.store == "postgresql" else 1, pools=4, verdict=verdict,
            config={"slices": {"shortest_seconds": 0.5, "longest_seconds": 5.0}},
        )
        # Only the last pool's shares are ever hashed, so only its difficulty must be met by all.
        for pool, difficulty in zip(self.pools, (1, 2, 4)):
            pool.difficulty = difficulty
        self.accounts = []
        for number in range(ACCOUNTS):
            first = self.pools[number % 3]
            more = [Route(self.pools[(number + 1) % 4], self.another_user())] if number % 2 else []
            self.accounts.append(
                await self.new_account(Route(first, self.another_user()), *more, mode=("dedicated", "shared")[number % 2])
            )
        share = WORKERS // ACCOUNTS
        for number, account in enumerate(self.accounts):
            await self.come(account, share + (number < WORKERS % ACCOUNTS))
        self.untouched, self.accounts = self.accounts[:2], self.accounts[2:]
        everybody = self.untouched + self.accounts
        miners = [miner for account in everybody for miner in account.miners]
        await self.all_there(everybody)

        before = {miner: len(miner.messages) for account in self.untouched for miner in account.miners}
        gc.collect()
        gc.disable()  # else pauses of this process, of most of a second, are taken for the proxy's
        self.addCleanup(gc.enable)
        self.is_over, self.late, self.in_time = False, 0, []
        started = time.monotonic()
        load = asyncio.create_task(self.load())
        kinds, took, moved = collections.Counter(), [], 0
        made = 0
        while made < CHANGES:
            # Now and then a change comes while the one before is still under way.
            waiting = []
            for _ in range(self.random.choice((1, 1, 1, 2, 3))):
                if self.psql and self.random.random() < 0.1:
                    kind, concerned = await self.change_pool()
                else:
                    kind, concerned = await self.change_account(self.random.choice(self.accounts))
                kinds[kind] += 1
                made += 1
                names = {account.name for account, _, _ in concerned}
                waiting = [wait for wait in waiting if wait[0].name not in names] + concerned
            for account, began, jobs in waiting:
                times = await self.arrivals(account, began, jobs)
                moved += len(times)
                took += times
            # Everybody has a share on the way, or just had one, when the next change comes.
            seen = sum(len(pool.submits) for pool in self.pools)
            await until(lambda: sum(len(pool.submits) for pool in self.pools) >= seen + figure(RATE // 5, RATE), "shares that go on")
            self.assertFalse(load.done(), load)
        await self.all_there(everybody)
        self.is_over = True
        await load
        seconds = time.monotonic() - started
        self.modes_are_in_force()
        for miner in miners:
            self.assertEqual(miner.job.mask, self.link_of(miner.job).mask if miner.asked_mask else None, miner.login)
        self.untouched_heard_nothing(before)

        self.assertEqual([miner.login for miner in miners if miner.connects != 1 or not miner.connected], [])
        self.assertEqual([miner.login for miner in miners if miner.shown], [])
        told = await Ledgers(self, self.together, miners, self.pools, here=(21,)).agree()
        submits = [submit for pool in self.pools for submit in pool.submits]
        given = collections.Counter(
            "unknown" if submit.told is None else "accepted" if submit.told is True else "rejected" for submit in submits
        )
        # Links end only when the verdicts are there: what has none is what the pools did not answer.
        self.assertEqual((told["accepted"], told["unknown"]), (given["accepted"], given["unknown"]))
        gone = sum(error_code(share.reply.result()) == 21 for miner in miners for share in miner.shares)
        self.assertEqual(told["rejected"], given["rejected"] + gone)
        for share in self.in_time:
            self.assertNotEqual(error_code(share.reply.result()), 21, f"for the job that the miner had: {share}")
        metrics = await self.together.metrics()
        for account in everybody:
            shares = [share for miner in account.miners for share in miner.shares]
            ends = collections.Counter(share.verdict for share in shares)
            counted = {end: metrics.sum(f"proxy_shares_{end}_total", user=account.name) for end in ("sent", *ends)}
            self.assertEqual(counted, {"sent": len(shares), **ends}, account.name)
            work = sum(share.job.difficulty for share in shares if share.verdict == "accepted")
            weighed = metrics.sum("proxy_difficulty_one_accepted_total", user=account.name)
            self.assertAlmostEqual(weighed, work, delta=work / 1e6, msg=account.name)
        self.say(
            f"{len(miners)} workers, {made} changes in {seconds:.0f} s: {dict(kinds)}; {moved} moves, first job of the new pool after "
            f"{1000 * percentile(took, 0.5):.0f} ms (p50), {1000 * percentile(took, 0.99):.0f} ms (p99), {1000 * max(took):.0f} ms (most); "
            f"{len(miners) - sum(m.connects == 1 for m in miners)} disconnects; {told.total()} shares ({self.late} late) = "
            f"{told['accepted']} accepted + {told['rejected']} rejected ({gone} too late) + {told['unknown']} unknown; "
            f"{sum(len(pool.connections) for pool in self.pools)} links"
        )
        self.assertLess(percentile(took, 0.99), AT_ONCE)

    async def test_a_removed_account_lets_its_workers_go(self):
        await self.open(daemons=2 if self.store == "postgresql" else 1)
        gone = await self.new_account(Route(self.pools[0], "one"), mode="shared")
        stays = await self.new_account(Route(self.pools[0], "two"))
        for account in gone, stays:
            await self.come(account, 6)
        shares = [miner.submit() for account in (gone, stays) for miner in account.miners]
        await self.shares_agree(self.pools[0], shares)
        if self.psql:
            await self.psql.type(f"DELETE FROM users WHERE name = '{gone.name}'")
        else:
            status, text = await self.proxy.call("DELETE", f"/api/v1/users/{gone.name}")
            self.assertEqual(status, 200, text)
        for miner in gone.miners:
            await miner.closed()
            self.assertEqual(miner.shown, ["closing: the account was removed"])
        for proxy in self.proxies:
            again = self.new_miner(proxy, gone.name)
            await again.connect()
            self.assertFalse(await again.log_in())
            self.assertEqual(error_code(again.last_authorize), 24, again.last_authorize)
        more = [miner.submit() for miner in stays.miners]
        await self.shares_agree(self.pools[0], more)
        for miner in stays.miners:
            self.assertEqual((miner.connects, miner.connected, len(miner.job_log), miner.shown), (1, True, 1, []))
        await Ledgers(self, self.together, gone.miners + stays.miners, self.pools).agree()

    async def test_a_worker_that_is_away_comes_back_to_the_new_pool(self):
        await self.open(config={"session": {"grace_seconds": 20 * SLOWNESS}})
        account = await self.new_account(Route(self.pools[0], "wallet"))
        (miner,) = await self.come(account, 1)
        old, miners = miner, [miner]
        for number in range(figure(4, 20)):
            with self.subTest(round=number):
                await old.mine(2)
                before = old.job_log[-1]
                old.reset()
                await self.proxy.metrics_until(lambda m: m.get("proxy_worker_up", worker=old.source) == 0, "the drop is seen")
                changes = self.proxy.log_text().count(" account_changed")
                restored = (await self.proxy.metrics()).sum("proxy_sessions_restored_total")
                await self.make(account, self.to_another_pool(account, self.pools[(number + 1) % 2]))
                if number % 2:  # else it may be back before the news
                    await until(lambda: self.proxy.log_text().count(" account_changed") > changes, "the change is seen")
                again = self.new_miner(self.proxy, account.name, "rig0", session=old.session)
                await again.connect()
                self.assertTrue(await again.log_in(), again.last_authorize)
                await again.changes.until(lambda: again.job and self.is_there(again, account), "a job of the new pool")
                if number % 2:
                    self.assertTrue(self.is_on(again.job_log[0], account.active), "the first job is the old pool's")
                metrics = await self.proxy.metrics()
                self.assertEqual(metrics.sum("proxy_sessions_restored_total"), restored + 1)
                await self.shares_agree(self.pools[(number + 1) % 2], await again.mine(2))
                # What it found for the old pool's job is nobody's, or the old pool's; never the new one's.
                late = again.submit(dataclasses.replace(before))
                await at_most(late.reply, "a verdict")
                self.assertNotIn(late.coinbase, {submit.coinbase for submit in self.pools[(number + 1) % 2].submits})
                old = again
                miners.append(again)
        await Ledgers(self, self.together, miners, self.pools).agree()


class Weights(House):
    """The same whatever the database."""

    store = "sqlite"

    async def test_weights_are_shown_and_met(self):
        """With whole workers where they will do, with slices of time where not."""
        await self.open(
            threads=1, difficulty=2.0,  # each thread divides the work of its own workers
            config={
                "slices": {"shortest_seconds": 0.2, "longest_seconds": 1.0},
                "metrics": {"flush_seconds": 0.5, "window_seconds": 8, "interval_seconds": 1},
            },
        )
        accounts = []
        for workers in (1, 3, 10):
            routes = [Route(pool, f"with{workers}", weight=weight) for pool, weight in zip(self.pools, (70, 30))]
            accounts.append(await self.new_account(*routes))
            await self.come(accounts[-1], workers)
        miners = [miner for account in accounts for miner in account.miners]
        seconds = figure(30, 300)
        async for number in paced(5 * len(miners), seconds):
            miners[number % len(miners)].submit()
            if number % (50 * len(miners)) == 0:
                for pool in self.pools:
                    pool.broadcast()
        await Ledgers(self, self.together, miners, self.pools, here=()).agree()
        self.assertTrue(all(miner.connects == 1 for miner in miners))
        for account in accounts:
            workers, count = len(account.miners), sum(len(miner.shares) for miner in account.miners)
            user = account.routes[0].user
            got = [sum(submit.user.partition(".")[0] == user for submit in pool.submits) for pool in self.pools]
            self.assertEqual(sum(got), count)
            status, text = await self.proxy.call("GET", f"/api/v1/users/{account.name}")
            self.assertEqual(status, 200, text)
            answer = json.loads(text)
            rows = answer["pools"]
            self.assertEqual([(row["weight"], row["usable"]) for row in rows], [(70, True), (30, True)])
            self.assertEqual([row["work"] for row in rows], [2.0 * each for each in got])
            self.assertEqual((answer["workers"], sum(row["workers"] for row in rows)), (workers, workers))
            self.assertGreater(answer["hashrate"], 0)
            # Ten seconds of the account's work between what a pool has and what it should have are worth no move.
            near = 0.05 if workers == 10 else 0.02 + 12 / seconds
            for row, each in zip(rows, got):
                self.assertAlmostEqual(row["share"], each / count, delta=0.001)
                self.assertAlmostEqual(row["share"], row["weight"] / 100, delta=near)
            self.say(f"{workers} workers, 70/30 for {seconds} s: {' / '.join(format(row['share'], '.3f') for row in rows)}")


class SqliteFromOutside(House):
    store = "sqlite"

    async def test_what_another_program_writes_is_seen(self):
        await self.open()
        account = await self.new_account(Route(self.pools[0], "wallet"))
        other = await self.new_account(Route(self.pools[0], "another"))
        await self.come(account, 5)
        await self.come(other, 2)
        file = sqlite3.connect(self.proxy.db.removeprefix("sqlite:"), isolation_level=None, timeout=LIMIT)
        self.addCleanup(file.close)
        file.execute("PRAGMA foreign_keys = ON")
        took = []
        for number in range(figure(5, 30)):
            change = self.to_another_pool(account, self.pools[(number + 1) % 2])
            jobs = {miner: len(miner.job_log) for miner in account.miners}
            self.becomes(account, change.routes, change.mode)
            started = time.monotonic()
            file.execute(change.sql)
            took += await self.arrivals(account, started, jobs)
            for miner in account.miners:
                await miner.mine()
        self.assertLess(max(took), AT_ONCE)
        everybody = account.miners + other.miners
        self.assertTrue(all(miner.connects == 1 for miner in everybody))
        self.assertEqual([len(miner.job_log) for miner in other.miners], [1, 1])
        await Ledgers(self, self.together, everybody, self.pools, here=()).agree()
        self.say(f"seen after {1000 * percentile(took, 0.5):.0f} ms (p50), {1000 * max(took):.0f} ms (most)")

        file.execute(f"DELETE FROM users WHERE name = '{account.name}'")
        for miner in account.miners:
            await miner.closed()
            self.assertEqual(miner.shown, ["closing: the account was removed"])


class PostgresqlCut(OwnPostgresql, House):
    """A server of its own: the daemon is shut out of it, while somebody else writes."""

    async def at_the_server(self, statement, database="accounts"):
        return await asyncio.to_thread(self.server.sql, statement, database)

    async def crew(self):
        await self.open(database=self.server.database("accounts"))
        account = await self.new_account(Route(self.pools[0], "wallet"))
        other = await self.new_account(Route(self.pools[0], "another"))
        await self.come(account, 5)
        await self.come(other, 2)
        return account, other

    async def all_is_well(self, account, other):
        everybody = account.miners + other.miners
        for miner in everybody:
            await miner.mine()
        self.assertTrue(all(miner.connects == 1 for miner in everybody))
        self.assertEqual([len(miner.job_log) for miner in other.miners], [1, 1])
        await Ledgers(self, self.together, everybody, self.pools, here=()).agree()

    async def test_a_change_while_the_daemon_is_shut_out_is_seen_when_it_is_back(self):
        account, other = await self.crew()
        await self.proxy.metrics_until(lambda m: m.get("proxy_database_up") == 1, "the database is up")
        await self.at_the_server("ALTER DATABASE accounts CONNECTION LIMIT 0", "postgres")
        await self.at_the_server("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'spx'", "postgres")
        await self.proxy.metrics_until(lambda m: m.get("proxy_database_up") == 0, "the database is away")
        change = self.to_another_pool(account, self.pools[1])
        await self.at_the_server(change.sql)
        for miner in account.miners:
            await miner.mine()
        self.assertEqual([len(miner.job_log) for miner in account.miners], [1] * 5, "who told them?")
        jobs = {miner: len(miner.job_log) for miner in account.miners}
        self.becomes(account, change.routes, change.mode)
        started = time.monotonic()
        await self.at_the_server("ALTER DATABASE accounts CONNECTION LIMIT -1", "postgres")
        took = await self.arrivals(account, started, jobs)
        self.say(f"seen {1000 * max(took):.0f} ms after the database was back")
        await self.all_is_well(account, other)

    async def test_a_change_in_the_moment_of_the_cut_is_seen(self):
        account, other = await self.crew()
        took = []
        for number in range(figure(3, 20)):
            with self.subTest(round=number):
                change = self.to_another_pool(account, self.pools[(number + 1) % 2])
                jobs = {miner: len(miner.job_log) for miner in account.miners}
                self.becomes(account, change.routes, change.mode)
                started = time.monotonic()
                # One transaction: whoever listened is gone when it tells.
                await self.at_the_server(
                    f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = 'spx'; {change.sql}"
                )
                took += await self.arrivals(account, started, jobs)
                for miner in account.miners:
                    await miner.mine()
        self.say(f"seen after {1000 * percentile(took, 0.5):.0f} ms (p50), {1000 * max(took):.0f} ms (most)")
        await self.all_is_well(account, other)


def load_tests(loader, _tests, _pattern):
    """What needs the one database does not run again for the other."""
    cases = (LiveMoves, PostgresqlCut) if LiveMoves.store == "postgresql" else (LiveMoves, Weights, SqliteFromOutside)
    return loader.suiteClass([loader.loadTestsFromTestCase(case) for case in cases])


if __name__ == "__main__":
    main()
