"""Many workers on few links: every share in its worker's own lane, every share with one end, through drops and returns."""
import asyncio
import collections
import hashlib
import itertools
import pathlib
import random
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from fake_pool import IGNORE
from house import HouseTest, main
from waiting import SLOWNESS, figure
from wire import error_code, sha256d

WORKERS = 500
ROUNDS = figure(5, 20)
LIMIT = 30  # workers of a link
THREADS = 2
GRACE = 30 * SLOWNESS
ROLLING = "1fffe000"

# Difficulties that every hash meets, by algorithm: 2^-32 times its divider.
ANY_HASH = {"sha256d": 2**-32, "scrypt": 2**-16}
HASHES = {"sha256d": sha256d, "scrypt": lambda header: hashlib.scrypt(header, salt=header, n=1024, r=1, p=1, dklen=32)}


def key_of(coinbase, ntime, nonce, version):
    return coinbase, int(ntime, 16), int(nonce, 16), version


def share_key(share):
    return key_of(share.coinbase, share.ntime, share.nonce, share.version)


def submit_key(submit):
    return key_of(submit.coinbase, submit.ntime, submit.nonce, submit.version)


def meets(algorithm, digest, difficulty):
    """With the benefit of the doubt that the proxy gives: a part in 2^15."""
    target = (0xFFFF << 240) // round(difficulty / ANY_HASH[algorithm])
    return int.from_bytes(digest, "little") <= target + (target >> 15)


class SharedLinks(HouseTest):
    async def proxy(self, **config):
        return await self.daemon(
            threads=THREADS,
            config={
                "session": {"grace_seconds": GRACE, "max_kept_per_address": 10_000, "max_kept_per_account": 10_000},
                "shared": {"max_workers_per_link": LIMIT},
                "metrics": {"flush_seconds": 0.5},
            }
            | config,
        )

    def spaces_are_apart(self, miners):
        """No two workers were ever given the same part of a pool's search space. That is named by all of the coinbase that stands
        before the miner's own bytes; two are apart when neither is the beginning of the other, which sorting brings together."""
        owners = {}
        for miner in miners:
            for job in miner.job_log:
                space = job.job.coinb1 + job.extranonce1
                self.assertIs(owners.setdefault(space, miner), miner, f"{space} was given to two workers")
        for before, after in itertools.pairwise(sorted(owners)):
            self.assertTrue(owners[before] is owners[after] or not after.startswith(before), f"{before} holds {after}")
        return len(owners)

    async def crew(self, workers, *, difficulty=ANY_HASH["sha256d"], config=None, **row):
        """A daemon, a pool with shared links, an account and miners that have a job."""
        daemon = await self.proxy(**config or {})
        pool = await self.pool(n2=8, difficulty=difficulty)
        await daemon.add_pool(pool.address, **{"mode": "shared", "verify": "full"} | row)
        account = await daemon.register(pool.address)
        return daemon, pool, account, [await self.miner(daemon, account, f"rig{number}") for number in range(workers)]

    async def all_ready(self, miners):
        for miner in miners:
            await miner.changes.until(lambda m=miner: m.ready, f"{miner.login} is in and has a job", 30 * SLOWNESS)

    async def test_every_share_is_in_its_workers_lane_and_has_one_end(self):
        daemon = await self.proxy()
        answers = {}
        doomed = None

        def verdict(submit):
            told = IGNORE if submit.connection is doomed else (23, "low difficulty share", None) if len(answers) % 13 == 5 else True
            answers[submit_key(submit)] = told
            return told

        wide = await self.pool(x1=4, n2=8, difficulty=ANY_HASH["sha256d"], verdict=verdict)
        narrow = await self.pool(x1=5, n2=5, difficulty=ANY_HASH["scrypt"], verdict=verdict, seed=2)
        pools = (wide, narrow)
        await daemon.add_pool(wide.address, "sha256d", verify="full")
        await daemon.add_pool(narrow.address, "scrypt", verify="full", mode="shared")
        accounts = [
            await daemon.register(wide.address, "first", mode="shared"),
            await daemon.register(wide.address, "second", mode="shared"),
            await daemon.register(narrow.address, "third"),
        ]
        miners = []
        for number in range(WORKERS):
            miners.append(self.new_miner(
                daemon, accounts[number % len(accounts)], f"rig{number}", reconnect=True, seed=number,
                agent="NiceHash/1.0" if number % 7 == 0 else "kit/1.0",  # four bytes of its own instead of three
                mask=ROLLING if number % 2 else None,
            ))
        for at in range(0, WORKERS, 50):
            await asyncio.gather(*(miner.connect() for miner in miners[at : at + 50]))
            self.assertTrue(all(await asyncio.gather(*(miner.log_in(30 * SLOWNESS) for miner in miners[at : at + 50]))))
        await self.all_ready(miners)
        links = sum(len(pool.ready) for pool in pools)
        # On each shard one more than there are full ones, for each account.
        most = len(accounts) * (-(-WORKERS // len(accounts)) // LIMIT + THREADS)
        self.assertLessEqual(links, most)

        source = random.Random(4)
        drops = 0
        for number in range(ROUNDS):
            if number == ROUNDS // 2:
                doomed = next(submit.connection for submit in reversed(wide.submits) if not submit.connection.closed)
            for miner in miners:
                for _ in range(2):
                    miner.submit(version=f"{source.getrandbits(32) & int(miner.mask, 16):08x}" if miner.mask else None)
            leaving = source.sample(miners, WORKERS // 6)
            drops += len(leaving)
            for miner in leaving:
                miner.drop()
            if number % 3 == 1:
                for pool in pools:
                    pool.broadcast(clean=number % 2 == 0)
            if number == ROUNDS // 2:
                await wide.until(
                    lambda: any(answers[submit_key(submit)] is IGNORE for submit in doomed.submits), "shares that wait for a verdict"
                )
                doomed.drop()
            # A miner's end is seen when its turn comes: only then does it come back.
            for miner in leaving:
                await miner.changes.until(lambda m=miner: m.shares[-1].reply.done(), "the end of a connection")
            await self.all_ready(miners)
        shares = [share for miner in miners for share in miner.shares]
        await asyncio.wait_for(asyncio.gather(*(share.reply for share in shares)), 60 * SLOWNESS)
        await self.settled(daemon)

        arrived = collections.Counter(submit_key(submit) for pool in pools for submit in pool.submits)
        self.assertTrue(all(submit.known for pool in pools for submit in pool.submits))
        self.assertEqual(set(arrived.values()), {1}, "a share came twice")
        self.assertLessEqual(set(arrived), {share_key(share) for share in shares}, "the pools got a coinbase that no miner hashed")
        told = collections.Counter()
        for share in shares:
            told[share.verdict] += 1
            answer = answers.get(share_key(share))
            if share.verdict == "accepted":
                self.assertIs(answer, True, share)
            elif share.verdict == "rejected":
                self.assertIn(error_code(share.reply.result()), (23,) if answer else (21,), share)
                self.assertIsNot(answer, True, share)
        self.assertGreater(told["accepted"], len(shares) / 2)
        self.assertGreater(told["rejected"], 0)
        spaces = self.spaces_are_apart(miners)

        metrics = await daemon.metrics()
        sent, *ends = (int(metrics.sum(f"proxy_shares_{end}_total")) for end in ("sent", "accepted", "rejected", "unknown"))
        self.assertEqual(sent, sum(ends))
        self.assertLessEqual(len(arrived), sent)
        self.assertLessEqual(sent, len(shares))
        self.assertGreaterEqual(sent, len(shares) - told[None])
        for end, name in zip(ends, ("accepted", "rejected", "unknown")):
            self.assertLessEqual(told[name], end)
            self.assertGreater(end, 0, name)
        self.say(
            f"{WORKERS} workers on {links} links (at most {most}), {drops} drops; {sent} shares = {ends[0]} accepted + "
            f"{ends[1]} rejected + {ends[2]} unknown; {len(arrived)} coinbases equal; {spaces} search spaces, none given to two workers"
        )

    async def settled(self, daemon):
        await daemon.metrics_until(
            lambda m: m.sum("proxy_shares_sent_total")
            == sum(m.sum(f"proxy_shares_{end}_total") for end in ("accepted", "rejected", "unknown")) > 0,
            "every share has its end in the totals",
            30 * SLOWNESS,
        )

    async def judged_here(self, algorithm):
        """Shares of random hashes; the test hashes them itself and knows what must become of each."""
        least, pools_own = ANY_HASH[algorithm] * 2, ANY_HASH[algorithm] * 8
        daemon = await self.proxy(vardiff={"first": least, "minimum": least, "maximum": least})
        pool = await self.pool(n2=8, difficulty=pools_own)
        await daemon.add_pool(pool.address, algorithm, mode="shared", verify="full")
        account = await daemon.register(pool.address)
        miners = [await self.miner(daemon, account, f"rig{number}", mask=ROLLING) for number in range(4)]
        for miner in miners:
            await miner.mine(40, version="00c0a000")
        ends = collections.Counter()
        arrived = collections.Counter(submit_key(submit) for submit in pool.submits)
        for miner in miners:
            for share in miner.shares:
                job = share.job.job
                digest = HASHES[algorithm](job.header(share.coinbase, share.ntime, share.nonce, job.rolled(ROLLING, share.version)))
                self.assertEqual(share.job.difficulty, least)
                if meets(algorithm, digest, pools_own):
                    end, verdict, times = "up", "accepted", 1
                elif meets(algorithm, digest, least):
                    end, verdict, times = "held back", "accepted", 0
                else:
                    end, verdict, times = "low", "rejected", 0
                    self.assertEqual(error_code(share.reply.result()), 23, share)
                self.assertEqual((share.verdict, arrived[share_key(share)]), (verdict, times), f"{end}: {share}")
                ends[end] += 1
        self.assertEqual(sum(arrived.values()), ends["up"])
        again = next(share for share in miners[0].shares if share.verdict == "accepted")
        twin = miners[0].submit(again.job, extranonce2=again.extranonce2, ntime=again.ntime, nonce=again.nonce, version=again.version)
        self.assertEqual(error_code(await twin.reply), 22)
        self.assertEqual(len(pool.submits), ends["up"])
        self.assertTrue(all(ends[end] for end in ("up", "held back", "low")), ends)
        metrics = await daemon.metrics_until(
            lambda m: m.sum("proxy_shares_sent_total") == ends.total() + 1
            and m.sum("proxy_shares_held_back_total") == ends["held back"],
            f"the totals of {ends}",
        )
        self.assertEqual(metrics.sum("proxy_shares_accepted_total"), ends["up"] + ends["held back"])
        self.assertEqual(metrics.sum("proxy_shares_rejected_total"), ends["low"] + 1)
        self.spaces_are_apart(miners)
        self.say(f"{algorithm}: {ends['up']} went up, {ends['held back']} held back, {ends['low']} below the worker's difficulty")

    async def test_the_proxy_judges_what_the_pool_need_not_see(self):
        await self.judged_here("sha256d")

    async def test_slow_hashes_are_judged_likewise(self):
        await self.judged_here("scrypt")

    async def test_a_difficulty_that_comes_before_the_answer_to_the_login_is_a_limit_too(self):
        def eager(connection, message):
            connection.set_difficulty(pool.difficulty)
            connection.notify()
            connection.ready = True
            connection.reply(message["id"], True)
            return True

        daemon = await self.proxy()
        pool = await self.pool(n2=8, difficulty=ANY_HASH["sha256d"])
        pool.on["mining.authorize"] = eager
        await daemon.add_pool(pool.address, mode="shared", verify="full")
        account = await daemon.register(pool.address)
        for number in range(3):
            miner = await self.miner(daemon, account, f"rig{number}")
            self.assertEqual(miner.job.difficulty, pool.difficulty)
            await self.shares_agree(pool, await miner.mine())

    async def test_without_a_hash_function_they_share_the_pools_fixed_difficulty(self):
        _, pool, _, miners = await self.crew(6, difficulty=4096, algorithm="x11", verify="basic", fixed_difficulty=True)
        self.assertLessEqual(len(pool.connections), THREADS)
        for miner in miners:
            await self.shares_agree(pool, await miner.mine(3))
            self.assertEqual(set(miner.difficulties), {4096})
        self.assertEqual(len(pool.submits), 18)
        self.assertEqual(len({submit.user for submit in pool.submits}), 1, "all mine under the account's own login")
        self.spaces_are_apart(miners)

    async def test_rigs_log_in_under_their_own_names_where_the_pool_allows_it(self):
        _, pool, _, miners = await self.crew(6, rig_logins=True)
        self.assertLessEqual(len(pool.connections), THREADS)
        for number, miner in enumerate(miners):
            await miner.mine()  # its verdict comes after the answer to its login
            (share,) = await miner.mine()
            await self.shares_agree(pool, [share])
            self.assertEqual(pool.submits[-1].user, f"wallet.rig{number}")

    async def test_a_returning_worker_has_its_place_on_the_link(self):
        daemon, pool, account, miners = await self.crew(6)
        self.assertLessEqual(len(pool.connections), THREADS)
        old = miners[2]
        (share,) = await old.mine()
        await self.shares_agree(pool, [share])
        link, links = pool.submits[-1].connection, len(pool.connections)
        old.reset()
        await daemon.metrics_until(lambda m: m.get("proxy_worker_up", worker=old.source) == 0, "the drop is seen")
        again = self.new_miner(daemon, account, "rig2", session=old.session)
        await again.start()
        self.assertEqual(again.extranonce1, old.extranonce1)
        twin = again.submit(share.job, extranonce2=share.extranonce2, ntime=share.ntime, nonce=share.nonce)
        self.assertEqual(error_code(await twin.reply), 22, "it was there before the drop")
        (share,) = await again.mine()
        await self.shares_agree(pool, [share])
        self.assertIs(pool.submits[-1].connection, link)
        self.assertEqual(len(pool.connections), links)
        others = [share for miner in miners if miner is not old for share in await miner.mine(2)]
        await self.shares_agree(pool, others)
        old.job_log += again.job_log  # they are one worker
        self.spaces_are_apart(miners)

    async def test_workers_follow_a_pool_that_changes_its_extranonce(self):
        _, pool, _, miners = await self.crew(6)
        for size in (8, 5, 4, 8):
            seen = [len(miner.job_log) for miner in miners]
            for number, link in enumerate(pool.ready):
                link.set_extranonce(f"{size:02x}{number:02x}beef", size)
                link.notify()
            for miner, jobs in zip(miners, seen):
                await miner.next_job(jobs)
                await self.shares_agree(pool, await miner.mine(2))
        self.assertLessEqual(len(pool.connections), THREADS)
        self.spaces_are_apart(miners)

    async def test_no_worker_has_a_difficulty_above_the_pools(self):
        least, most = ANY_HASH["sha256d"], ANY_HASH["sha256d"] * 2
        _, pool, _, miners = await self.crew(4, difficulty=most, config={"vardiff": {"first": most, "maximum": most}})
        for difficulty in (most * 4, least, most):
            seen = [len(miner.job_log) for miner in miners]
            for link in pool.ready:
                link.set_difficulty(difficulty)
                link.notify()
            for miner, jobs in zip(miners, seen):
                self.assertEqual((await miner.next_job(jobs)).difficulty, min(difficulty, most))

    async def test_full_links_open_others_and_empty_ones_close(self):
        _, pool, _, miners = await self.crew(
            9, config={"shared": {"max_workers_per_link": 2, "empty_link_seconds": 0.2}, "session": {"grace_seconds": 0.2}}
        )
        for miner in miners:
            await self.shares_agree(pool, await miner.mine())
        self.assertIn(len(pool.connections), (5, 6))  # on two shards
        self.spaces_are_apart(miners)
        for miner in miners:
            miner.close()
        await pool.until(lambda: not pool.live, "the links are closed")


if __name__ == "__main__":
    main()
