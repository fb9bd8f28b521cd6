"""From one pool of an account to the next whatever befalls the first one, and back: nobody is disconnected, each share has one end.

Every fault comes in two cells at once, with a link for each worker and with shared ones. The times of the proxy are compressed.
"""
import asyncio
import collections
import json
import math
import pathlib
import socket
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from canaries import POOL_PASSWORD
from house import HouseTest, main
from ledgers import Ledgers, key_of
from waiting import LIMIT, SLOWNESS, at_most, figure, paced

WORKERS = figure(20, 200)
LATE = 3  # who log in while the fault lasts
RATE = figure(40, 100)  # shares of a cell in a second
JOBS = figure(2, 1)  # jobs of a pool in a second
PROMPT = 2 * SLOWNESS  # from the moment when the cause is detectable to the first job of the other pool
ANSWER = 0.05  # a pool takes so long for a verdict: there are always shares in flight
THREADS = 2
ROLLING = 0x1FFFE000
NEVER = 3600

# From its links' tenth second on the proxy takes the loss of one for an accident and tries again at once.
STEADY = figure(1, 11)

NO_JOB = figure(2, 4) * SLOWNESS
STABLE = figure(0.8, 3)
COMPRESSED = {
    "failover": {"patience_seconds": 1, "no_job_seconds": NO_JOB, "stable_seconds": STABLE, "return_max_seconds": 4 * STABLE},
    "upstream": {
        "retry_min_seconds": 0.05,
        "retry_max_seconds": 0.5,
        "refusal_min_seconds": 0.5,
        "refusal_max_seconds": 1,
        "share_wait_seconds": 1,
        "spread_seconds": 0.3,
        "verdict_timeout_seconds": 10 * SLOWNESS,
    },
    "session": {"hold_seconds": 120},
    "shared": {"max_workers_per_link": 32, "empty_link_seconds": 0.5},
    "metrics": {"flush_seconds": 0.5},
}


def merged(config, more):
    return config | {table: config.get(table, {}) | keys for table, keys in more.items()}


async def passed(seconds):
    """It lasts, as a pool's outage does: nothing to wait for."""
    async for _ in paced(1 / seconds, 2.5 * seconds):  # now, and then
        pass


def way(address, user="wallet"):
    return {"pool": address, "user": user, "password": POOL_PASSWORD}


class Cell:
    """An account with two pools, its workers that mine all the time, and pools that send jobs and take a moment for each verdict."""

    def __init__(self, test, daemon, mode):
        self.test, self.daemon, self.mode = test, daemon, mode
        self.first = self.second = self.account = None
        self.miners, self.late = [], []
        self.took = ANSWER  # the first pool's answers
        self.words = True
        self.is_dumb = False  # it sends no jobs
        self.began = None  # when the fault did
        self._load_task = None

    @property
    def pools(self):
        return [self.first, self.second]

    @property
    def everybody(self):
        return self.miners + self.late

    def _answer(self, submit):
        is_first = submit.connection.pool is self.first
        words, took = (self.words, self.took) if is_first else (True, ANSWER)
        return self.later(took, words)

    @staticmethod
    def later(seconds, what):
        loop = asyncio.get_running_loop()
        answer = loop.create_future()
        loop.call_later(seconds, answer.set_result, what)
        return answer

    async def start(self, name="127.0.0.1"):
        """`name`: the host of the first pool."""
        self.first, self.second = [await self.test.pool(seed=seed, verdict=self._answer) for seed in (1, 2)]
        self.first.host = name
        for pool in self.pools:
            await self.add_pool(pool.address)
        self.account = await self.register([way(pool.address) for pool in self.pools])
        self.miners = [self._miner(f"rig{number}") for number in range(WORKERS)]
        for at in range(0, WORKERS, 50):
            await asyncio.gather(*(miner.start() for miner in self.miners[at : at + 50]))
        self.test.addAsyncCleanup(self._end, asyncio.create_task(self._feed()))
        self._load_task = asyncio.create_task(self._load())
        await passed(STEADY)
        await self.all_at(self.first)
        await self.busy()
        return self

    @staticmethod
    async def _end(task):
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def add_pool(self, address):
        await self.daemon.add_pool(address, mode=self.mode, fixed_difficulty=True)

    async def register(self, ways, **more):
        status, text = await self.daemon.call("POST", "/api/v1/users", {"pools": ways} | more)
        self.test.assertEqual(status, 201, text)
        return json.loads(text)["name"]

    def _miner(self, rig):
        return self.test.new_miner(self.daemon, self.account, rig, mask=f"{ROLLING:08x}" if rig[-1] in "13579" else None)

    async def _feed(self):
        async for number in paced(JOBS, NEVER):
            for pool in self.pools:
                if not (self.is_dumb and pool is self.first):
                    pool.broadcast(clean=number % 3 == 0)

    async def _load(self):
        async for number in paced(RATE, NEVER):
            miner = self.everybody[number % len(self.everybody)]
            if miner.job:
                mask = int(miner.mask or "0", 16)
                miner.submit(version=f"{number << 13 & mask:08x}" if mask else None)

    async def busy(self):
        """Shares are in flight to the first pool."""
        await self.first.until(lambda: any(one.told is None for one in self.first.submits[-5:]), f"{self.mode}: shares in flight")

    async def all_at(self, pool, limit=LIMIT):
        for miner in self.everybody:
            await miner.changes.until(
                lambda m=miner: m.job and pool.gave(m.job), f"{self.mode}: {miner.login} at {'first' if pool is self.first else 'second'}", limit
            )

    async def come_late(self):
        """Who logs in now has a job as soon as everybody else."""
        started = time.monotonic()
        self.late = [self._miner(f"late{number}") for number in range(LATE)]
        await asyncio.gather(*(miner.start() for miner in self.late))
        return max(miner.job_log[0].at for miner in self.late) - started

    async def shares_at(self, pool):
        """Every worker has one more share accepted there."""
        seen = {miner: len(miner.shares) for miner in self.everybody}

        def good(miner):
            return any(share.verdict == "accepted" and pool.gave(share.job) for share in miner.shares[seen[miner] :])

        for miner in self.everybody:
            await miner.changes.until(lambda m=miner: good(m), f"{self.mode}: an accepted share of {miner.login}", LIMIT + 2 * WORKERS / RATE)

    def gaps(self, detectable):
        """For each worker the time from when the cause could be known to the first job of the second pool."""
        gaps = []
        for miner in self.miners:
            job = next(job for job in miner.job_log if job.at >= self.began and self.second.gave(job))
            self.test.assertTrue(job.clean, f"{self.mode}: old work goes on: {job}")
            gaps.append(job.at - detectable(miner))
        return gaps

    async def settle(self):
        """Ends the load, not the jobs; the laws, and what is left of the second pool's links."""
        self.test.assertFalse(self._load_task.done(), "it ends by itself only when it fails")
        await self._end(self._load_task)
        for miner in self.everybody:
            self.test.assertTrue(miner.connected and miner.connects == 1, f"{self.mode}: {miner.login} was disconnected")
        if self.mode == "shared":  # a worker on its own may have taken over a link that was opened for another
            heard = [message for miner in self.miners for message in miner.messages if message.get("method") == "mining.set_version_mask"]
            self.test.assertNotIn("00000000", [message["params"][0] for message in heard], "told that nothing may be rolled, though both pools take it")
        told = await Ledgers(self.test, self.daemon, self.everybody, self.pools, here=(21,)).agree()
        await self.second.until(lambda: not self.second.live, f"{self.mode}: the second pool's links are closed")
        return told

    @staticmethod
    def switches(metrics, address):
        """Workers that left a pool, by cause."""
        rows = metrics.all("proxy_pool_switches_total", pool=address)
        return {labels["cause"]: int(value) for labels, value in rows if value}


def summary(gaps):
    gaps = sorted(gaps)
    p99 = gaps[math.ceil(0.99 * len(gaps)) - 1]
    return statistics.median(gaps), p99, gaps[-1]


class Failover(HouseTest):
    async def both(self, run, **config):
        """The cell with a link for each worker, and the one with shared links."""
        daemon = await self.daemon(threads=THREADS, config=merged(COMPRESSED, config))
        results = await asyncio.gather(*(run(Cell(self, daemon, mode)) for mode in ("dedicated", "shared")), return_exceptions=True)
        for mode, result in zip(("dedicated", "shared"), results):
            with self.subTest(mode=mode):
                if isinstance(result, BaseException):
                    raise result

    async def matrix(self, begin, end, *, detectable=None, causes, lasts=0.5, **config):
        """begin(cell), the workers go, end(cell), and they are back. detectable(cell) gives a function of a miner that says when, by default
        when it began. `causes`: for which workers may have left."""

        async def run(cell):
            await cell.start()
            cell.began = time.monotonic()
            await begin(cell)
            await cell.all_at(cell.second, LIMIT + 5 * SLOWNESS)
            login = await cell.come_late()
            await cell.shares_at(cell.second)
            await passed(lasts)
            await end(cell)
            ended = time.monotonic()
            await cell.all_at(cell.first, 30 * SLOWNESS)
            back = time.monotonic() - ended
            await cell.shares_at(cell.first)
            told = await cell.settle()
            median, p99, most = summary(cell.gaps(detectable(cell) if detectable else lambda miner: cell.began))
            metrics = await cell.daemon.metrics()
            left, came = cell.switches(metrics, cell.first.address), cell.switches(metrics, cell.second.address)
            self.say(
                f"{cell.mode}: first job {median:.2f} s, p99 {p99:.2f}, at most {most:.2f}; login meanwhile {login:.2f}; back after {back:.1f} s; "
                f"left for {left}; {dict(told)}"
            )
            self.assertLess(p99, PROMPT)
            self.assertGreater(median, -PROMPT / 2, "they went before there was a reason")
            self.assertLess(login, PROMPT)
            self.assertLessEqual(set(left), set(causes))
            self.assertEqual(sum(left.values()), WORKERS, f"each of them left once: {left}")
            self.assertEqual(came, {"returned": WORKERS + LATE})
            self.assertGreater(told["accepted"], 0.5 * told.total())

        await self.both(run, **config)

    # The faults

    @staticmethod
    async def _gone(cell):
        await cell.first.stop_listening()
        for link in cell.first.live:
            link.drop()

    @staticmethod
    async def _there(cell):
        await cell.first.start()

    async def test_refused(self):
        await self.matrix(self._gone, self._there, causes=["unreachable"])

    async def ended_again_and_again(self, reset):
        """The pool ends every connection, new ones as soon as they are there."""

        async def begin(cell):
            cell.first.on_connect = lambda link: link.drop(reset)
            for link in cell.first.live:
                link.drop(reset)

        async def end(cell):
            cell.first.on_connect = None

        await self.matrix(begin, end, causes=["unreachable"])

    async def test_reset(self):
        await self.ended_again_and_again(True)

    async def test_fin(self):
        await self.ended_again_and_again(False)

    async def test_silence(self):
        """Connections stay, nothing comes: no job, no verdict, no answer to a login."""

        async def begin(cell):
            cell.first.silent = cell.is_dumb = True

        async def end(cell):
            cell.first.silent = cell.is_dumb = False

        def detectable(cell):
            def last_job_is_old(miner):
                last = [job for job in miner.job_log if job.at < cell.began + NO_JOB / 2 and cell.first.gave(job)][-1]
                return last.at + NO_JOB

            return last_job_is_old

        # Shares that were swallowed are unknown in the end, but that is not what they leave for.
        await self.matrix(begin, end, detectable=detectable, causes=["silent"], upstream={"verdict_timeout_seconds": NO_JOB + 2 * SLOWNESS})

    async def test_slow(self):
        """Everything is answered, but too late; jobs come as ever."""
        limit = SLOWNESS
        late = 20 * SLOWNESS

        async def begin(cell):
            def drag(answer):
                def asked(link, message):
                    asyncio.get_running_loop().call_later(late, answer, link, message)
                    return True

                return asked

            cell.took = late
            cell.first.on["mining.subscribe"] = drag(lambda link, message: link._subscribe(message))
            cell.first.on["mining.authorize"] = drag(lambda link, message: link._authorize(message))

        async def end(cell):
            cell.took = ANSWER
            cell.first.on.clear()

        def detectable(cell):
            """Three verdicts in a row have not come in time on the worker's link."""
            owners = {key_of(share): miner for miner in cell.miners for share in miner.shares}
            silent, link_of = collections.defaultdict(list), {}
            for submit in cell.first.submits:
                if submit.at < cell.began:
                    link_of[owners.get(key_of(submit))] = submit.connection
                if submit.told_at is None or submit.told_at - submit.at > limit:
                    silent[submit.connection].append(submit.at)
                    link_of.setdefault(owners.get(key_of(submit)), submit.connection)
            return lambda miner: silent[link_of[miner]][2] + limit

        await self.matrix(
            begin,
            end,
            detectable=detectable,
            causes=["silent"],
            upstream={"verdict_timeout_seconds": limit, "handshake_timeout_seconds": limit},
        )

    async def test_login_denied(self):
        """The pool asks all to connect again, and then knows them no more."""
        denied = {}

        async def begin(cell):
            def authorize(_):
                denied.setdefault(cell, time.monotonic())
                return 24, "account suspended", None

            cell.first.authorize = authorize
            for link in cell.first.live:
                link.push("client.reconnect", [])

        async def end(cell):
            cell.first.authorize = lambda user: True

        await self.matrix(begin, end, detectable=lambda cell: lambda miner: denied[cell], causes=["refused"])

    async def test_reject_storm(self):
        shares, pause = figure(10, 20), figure(2, 8) * SLOWNESS

        async def begin(cell):
            cell.words = 20, "internal error", None

        async def end(cell):
            cell.words = True

        def detectable(cell):
            """Each shard has counted the rejections for itself; a session's name begins with its shard."""
            shards = {key_of(share): int(miner.session[:2], 16) % THREADS for miner in cell.miners for share in miner.shares}
            rejected = collections.defaultdict(list)
            for submit in sorted(cell.first.submits, key=lambda one: one.told_at or math.inf):
                if isinstance(submit.told, tuple) and key_of(submit) in shards:
                    rejected[shards[key_of(submit)]].append(submit.told_at)
            return lambda miner: rejected[int(miner.session[:2], 16) % THREADS][shares - 1]

        # A pool to which nobody sends shares looks sound again after a while. The storm is over before that.
        await self.matrix(
            begin,
            end,
            detectable=detectable,
            causes=["reject_storm"],
            lasts=0.1,
            failover={"storm_shares": shares, "storm_percent": 100, "stable_seconds": pause, "return_max_seconds": pause},
        )

    async def test_returns_after_a_minute(self):
        await self.matrix(self._gone, self._there, causes=["unreachable"], lasts=figure(3, 60))

    async def test_no_name(self):
        """DNS fails. The proxy keeps the last good addresses of a name, so that a name which stops to resolve harms nobody; what is left is a
        name without any, as after a restart or in a new account. Here the account's first pool becomes one whose name does not resolve, and
        then one again whose name does."""

        async def run(cell):
            await cell.start("localhost")
            gone = f"gone.invalid:{cell.first.port}"
            await cell.add_pool(gone)

            async def change(first):
                status, text = await cell.daemon.call(
                    "PATCH", f"/api/v1/users/{cell.account}", {"pools": [way(first), way(cell.second.address)]}
                )
                self.assertEqual(status, 200, text)

            async def look_up():
                try:
                    await asyncio.get_running_loop().getaddrinfo("gone.invalid", cell.first.port)
                except socket.gaierror:
                    return time.monotonic()
                self.fail("something resolves names under .invalid")

            cell.began = time.monotonic()
            known, _ = await asyncio.gather(look_up(), change(gone))
            await cell.all_at(cell.second, LIMIT + 5 * SLOWNESS)
            login = await cell.come_late()
            await cell.shares_at(cell.second)
            await change(cell.first.address)
            ended = time.monotonic()
            await cell.all_at(cell.first, 30 * SLOWNESS)
            back = time.monotonic() - ended
            await cell.shares_at(cell.first)
            told = await cell.settle()
            known = min(known, cell.began + 5)  # the proxy waits no longer for an answer
            median, p99, most = summary(cell.gaps(lambda miner: known))
            metrics = await cell.daemon.metrics()
            left, gave_up = cell.switches(metrics, cell.first.address), cell.switches(metrics, gone)
            self.say(
                f"{cell.mode}: no address after {known - cell.began:.2f} s; first job {median:.2f} s, p99 {p99:.2f}, at most {most:.2f}; "
                f"login meanwhile {login:.2f}; back after {back:.1f} s; left for {left}, {gave_up}; {dict(told)}"
            )
            self.assertLess(p99, PROMPT)
            self.assertLess(login, PROMPT)
            self.assertLess(back, PROMPT)
            self.assertEqual(left, {"account_changed": WORKERS})
            self.assertEqual(gave_up, {"unreachable": WORKERS})
            self.assertEqual(told["unknown"], 0)

        await self.both(run)

    async def test_flaps(self):
        """Down for a while and up for as long, again and again. Trusted less each time: the pause before the second return is longer than the
        pool is ever up."""
        period, flaps, stable = figure(0.8, 5), figure(5, 10), figure(0.4, 2.5)

        async def run(cell):
            await cell.start()
            gaps = []
            downs = []
            async for tick in paced(1 / period, 2 * flaps * period):
                if tick % 2 == 0:
                    there = [miner for miner in cell.miners if cell.first.gave(miner.job)]
                    downs.append((time.monotonic(), there, set(cell.first.blocks)))
                    await self._gone(cell)
                else:
                    await self._there(cell)
            cell.began = downs[0][0]
            await cell.all_at(cell.first, 30 * SLOWNESS)
            await cell.shares_at(cell.first)
            told = await cell.settle()
            for when, there, known in downs:
                for miner in there:
                    # Of the other pool, or of this one when it is back; not one that was still on its way.
                    job = next(job for job in miner.job_log if job.at >= when and job.job.params[1] not in known)
                    self.assertTrue(job.clean, job)
                    gaps.append(job.at - when)
            self.assertGreaterEqual(len(gaps), WORKERS)
            median, p99, most = summary(gaps)
            metrics = await cell.daemon.metrics()
            left, came = cell.switches(metrics, cell.first.address), cell.switches(metrics, cell.second.address)
            self.say(
                f"{cell.mode}: down {flaps} times for {period} s; first job {median:.2f} s, p99 {p99:.2f}, at most {most:.2f}; "
                f"left for {left}, came back {came}; {dict(told)}"
            )
            self.assertLess(p99, PROMPT)
            self.assertLessEqual(sum(left.values()), 2 * WORKERS, left)
            self.assertEqual(came, {"returned": sum(left.values())})

        await self.both(run, failover={"stable_seconds": stable, "return_max_seconds": 8 * stable})


class NoPool(HouseTest):
    """Both pools of the accounts are gone: one account has a link for each worker, the other one shared links."""

    async def crew(self, workers, **config):
        self.proxy = await self.daemon(threads=THREADS, config=merged({"metrics": {"flush_seconds": 0.5}}, config))
        self.pools = [await self.pool(seed=seed) for seed in (1, 2)]
        for pool in self.pools:
            await self.proxy.add_pool(pool.address, fixed_difficulty=True)
        accounts = []
        for user, mode in ("own", "dedicated"), ("common", "shared"):
            ways = [way(pool.address, user) for pool in self.pools]
            status, text = await self.proxy.call("POST", "/api/v1/users", {"pools": ways, "mode": mode})
            self.assertEqual(status, 201, text)
            accounts.append(json.loads(text)["name"])
        self.miners = [self.new_miner(self.proxy, accounts[number % 2], f"rig{number}") for number in range(workers)]
        for at in range(0, workers, 100):
            await asyncio.gather(*(miner.connect() for miner in self.miners[at : at + 100]))
            self.assertTrue(all(await asyncio.gather(*(miner.log_in(60 * SLOWNESS) for miner in self.miners[at : at + 100]))))
        await asyncio.gather(*(miner.next_job(0, 60 * SLOWNESS) for miner in self.miners))
        return self.miners

    async def all_gone(self):
        for pool in self.pools:
            await pool.stop_listening()
        for pool in self.pools:
            for link in pool.live:
                link.drop()
        # Those that were on their way have failed too.
        states = "connecting", "handshaking", "live", "silent", "parked"
        return await self.proxy.metrics_until(lambda m: not any(m.sum("proxy_links", state=state) for state in states), "no link is left")

    async def test_ten_minutes_without_a_pool(self):
        workers, seconds, rate = figure(100, 1000), figure(8, 600), figure(20, 10)
        retry_min, retry_max, back_within = figure(0.1, 1), figure(1, 15), figure(10, 30) * SLOWNESS
        miners = await self.crew(
            workers,
            upstream={"retry_min_seconds": retry_min, "retry_max_seconds": retry_max, "spread_seconds": figure(1, 10), "share_wait_seconds": 5},
            session={"hold_seconds": figure(60 * SLOWNESS, 900), "refresh_seconds": figure(4, 50)},
        )
        for miner in miners:
            miner.submit()
        await Ledgers(self, self.proxy, miners, self.pools, here=(21,)).agree()

        for miner in miners:  # so that some are in flight
            miner.submit()
        last = await self.all_gone()
        began, jobs = time.monotonic(), [len(miner.job_log) for miner in miners]
        attempts = [last.get("proxy_link_connects_total", pool=pool.address) for pool in self.pools]
        memory = []
        looks = 20
        async for number in paced(rate, seconds):
            miners[number % workers].submit()  # miners hash on
            if number % (rate * seconds // looks) == 0:
                last = await self.proxy.metrics()
                memory.append(last.get("process_resident_memory_bytes") / 1024)
                self.assertTrue(all(miner.connected for miner in miners), "workers are held")
        last = await self.proxy.metrics()
        lasted = time.monotonic() - began
        memory.append(last.get("process_resident_memory_bytes") / 1024)
        self.assertEqual([len(miner.job_log) for miner in miners], jobs, "work for nobody")
        # A back-off is at least half of its full length, and the first ones are shorter.
        most = THREADS * (lasted / (retry_max / 2) + math.log2(retry_max / retry_min) + 2)
        attempts = [int(last.get("proxy_link_connects_total", pool=pool.address) - before) for pool, before in zip(self.pools, attempts)]
        for count in attempts:
            self.assertLessEqual(count, most)
            self.assertGreater(count, 0)
        before, *_, after = memory[2:]  # the first scrapes of an outage have to find room for their text

        async def mines_again(miner, seen):
            job = await miner.next_job(seen, back_within)
            self.assertTrue(job.clean)
            share = miner.submit()
            await at_most(share.reply, "a verdict", back_within)
            self.assertEqual(share.verdict, "accepted", share)
            return time.monotonic()

        returned = time.monotonic()
        for pool in self.pools:
            await pool.start()
        ends = await asyncio.gather(*(mines_again(miner, seen) for miner, seen in zip(miners, jobs)))
        median, p99, most_took = summary([end - returned for end in ends])
        told = await Ledgers(self, self.proxy, miners, self.pools, here=(21,)).agree()
        self.assertTrue(all(miner.connected and miner.connects == 1 for miner in miners))
        self.say(
            f"{workers} workers, {lasted:.0f} s without a pool: {before:.0f} -> {after:.0f} KiB (most {max(memory):.0f}); attempts {attempts}, "
            f"allowed {most:.0f}; all mine after {most_took:.1f} s (median {median:.1f}); {dict(told)}"
        )
        if SLOWNESS == 1:  # sanitizers keep what was freed
            self.assertLess(after, before * 1.03)
            self.assertLess(max(memory[2:]), before * 1.05)
        self.assertLess(most_took, back_within)

    async def test_after_the_hold_time_they_are_told_and_let_go(self):
        hold = 1.5 * SLOWNESS
        miners = await self.crew(10, session={"hold_seconds": hold})
        began = time.monotonic()
        await self.all_gone()
        jobs = [len(miner.job_log) for miner in miners]
        for miner in miners:
            miner.submit()
        for miner, seen in zip(miners, jobs):
            await miner.closed()
            self.assertIn("closing: the pool cannot be reached", miner.shown)
            self.assertEqual(len(miner.job_log), seen)
        self.assertGreaterEqual(time.monotonic() - began, hold)
        last = await self.proxy.metrics()
        self.assertEqual(last.sum("proxy_connections_closed_total", reason="no_pool"), len(miners))
        told = await Ledgers(self, self.proxy, miners, self.pools, here=(21,)).agree()
        self.assertEqual(told["accepted"], 0)


if __name__ == "__main__":
    main()
