"""Every point of session restore through the real daemon, on the store that SPX_STORE names.

Two shards. The kernel deals a connection to a shard by its source port, so each point is played with fresh ports until at
least ROUNDS are over and one return has landed on the shard that its session is not on: the daemon counts the hand-overs.
"""
import asyncio
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from canaries import OTHER_POOL_PASSWORD
from house import HouseTest, main
from waiting import LIMIT, SLOWNESS, at_most, figure
from wire import error_code

ROUNDS = figure(6, 20)
GRACE = 8 * SLOWNESS


class Restore(HouseTest):
    async def asyncSetUp(self):
        self.proxy = await self.daemon(threads=2, config={"session": {"grace_seconds": GRACE}})
        self.farm = await self.pool()
        self.name = await self.account(self.proxy, self.farm)

    async def returns(self, old, account=None, rig="rig1", **options):
        """The miner comes back with the session id of `old`, on a fresh connection."""
        miner = self.new_miner(self.proxy, account or self.name, rig, session=old.session, **options)
        await miner.connect()
        self.assertTrue(await miner.log_in(), miner.last_authorize)
        return miner

    async def down(self, miner):
        await self.proxy.metrics_until(
            lambda m: m.get("proxy_worker_up", worker=miner.source) == 0, "the drop is seen"
        )

    async def rounds(self):
        """Numbers the rounds; ends when a return was handed over to the other shard, too."""

        async def handed_over():
            return (await self.proxy.metrics()).sum("proxy_sessions_handed_over_total")

        before, number = await handed_over(), 0
        while number < ROUNDS or await handed_over() == before:
            self.assertLess(number, 60, "no return has ever landed on the other shard")
            yield number
            number += 1

    async def fresh(self):
        miner = await self.miner(self.proxy, self.name)
        return miner, self.farm.connections[-1]

    async def test_an_unexpected_end_is_remembered(self):
        """Reset and orderly end alike: mark, difficulty and job come back on the same link."""
        async for number in self.rounds():
            with self.subTest(round=number):
                old, link = await self.fresh()
                await old.mine()
                (old.reset if number % 2 else old.close)()
                await self.down(old)
                links = len(self.farm.connections)
                again = await self.returns(old)
                self.assertEqual(again.extranonce1, old.extranonce1)
                await again.next_job(0)
                (share,) = await again.mine()
                await self.shares_agree(self.farm, [share])
                self.assertIs(self.farm.submits[-1].connection, link)
                self.assertEqual(len(self.farm.connections), links)
                again.close()
                await self.down(again)

    async def test_a_half_open_connection_is_superseded(self):
        async for number in self.rounds():
            with self.subTest(round=number):
                old, link = await self.fresh()
                again = await self.returns(old)
                await again.next_job(0)
                await old.closed()
                (share,) = await again.mine()
                await self.shares_agree(self.farm, [share])
                again.close()
                await self.down(again)

    async def test_difficulty_and_job_come_at_once_from_memory(self):
        async for number in self.rounds():
            with self.subTest(round=number):
                old, link = await self.fresh()
                link.set_difficulty(4096 + number)
                job = link.notify()
                await old.changes.until(lambda: old.job.job.rest == job.rest, "the second job")
                old.reset()
                await self.down(old)
                self.farm.silent = True  # nothing can come from the pool now
                again = await self.returns(old)
                await again.next_job(0)
                self.farm.silent = False
                kinds = [m.get("method") or "reply" for m in again.messages]
                self.assertEqual(kinds[:4], ["reply", "reply", "mining.set_difficulty", "mining.notify"], kinds)
                self.assertEqual(again.difficulty, 4096 + number)
                self.assertEqual(again.job.job.coinb2, job.coinb2)
                again.close()
                await self.down(again)

    async def test_the_last_work_of_the_pool_is_cached_while_the_miner_is_away(self):
        async for number in self.rounds():
            with self.subTest(round=number):
                old, link = await self.fresh()
                old.reset()
                await self.down(old)
                link.set_difficulty(77)
                job = link.notify()
                link.send({"id": 99, "method": "mining.ping", "params": []})
                await self.farm.until(
                    lambda: any(r.get("id") == 99 for r in link.responses), "the proxy has read the job"
                )
                self.farm.silent = True
                again = await self.returns(old)
                await again.next_job(0)
                self.farm.silent = False
                self.assertEqual(again.job.job.coinb2, job.coinb2)
                self.assertEqual(again.job.difficulty, 77)
                link.responses.clear()
                (share,) = await again.mine()
                await self.shares_agree(self.farm, [share])
                again.close()
                await self.down(again)

    async def test_the_link_outlives_the_miner_by_the_grace_time(self):
        old, link = await self.fresh()
        old.reset()
        await self.down(old)
        dropped = asyncio.get_running_loop().time()
        await self.farm.until(lambda: link.closed, "the link is closed at the end of the grace time", LIMIT + GRACE)
        self.assertGreater(asyncio.get_running_loop().time() - dropped, GRACE / 2)
        await self.proxy.metrics_until(
            lambda m: not m.all("proxy_worker_up", worker=old.source), "the worker is forgotten"
        )
        late = await self.returns(old)
        self.assertNotEqual(late.session, old.session)
        await late.next_job(0)
        (share,) = await late.mine()
        await self.shares_agree(self.farm, [share])

    async def test_another_name_gets_that_accounts_pool(self):
        other = await self.pool(seed=5)
        name = await self.account(self.proxy, other, user="elsewhere", password=OTHER_POOL_PASSWORD)
        async for number in self.rounds():
            with self.subTest(round=number):
                old, _ = await self.fresh()
                old.reset()
                await self.down(old)
                again = await self.returns(old, account=name)
                await again.next_job(0)
                (share,) = await again.mine()
                await self.shares_agree(other, [share])
                self.assertEqual(other.submits[-1].user.split(".")[0], "elsewhere")
                self.assertNotIn(self.name, [user for user in other.connections[-1].users])
                again.close()
                await self.proxy.metrics_until(
                    lambda m: m.get("proxy_worker_up", worker=again.source) == 0, "the drop"
                )

    async def test_crossed_restores(self):
        """Two miners come back with each other's id: both mine, nobody's shares meet."""
        async for number in self.rounds():
            with self.subTest(round=number):
                first, second = await self.miner(self.proxy, self.name, "a"), await self.miner(
                    self.proxy, self.name, "b"
                )
                if number % 2:
                    first.reset()
                    second.reset()
                    await self.down(first)
                    await self.down(second)
                one, two = await asyncio.gather(self.returns(second, rig="a"), self.returns(first, rig="b"))
                await one.next_job(0)
                await two.next_job(0)
                shares = await one.mine(2) + await two.mine(2)
                await self.shares_agree(self.farm, shares)
                self.assertEqual(len({share.coinbase for share in shares}), 4)
                for miner in (one, two):
                    miner.close()
                    await self.down(miner)

    async def test_repeated_restores(self):
        """An id is used up by the login: the next return uses what the last reply named."""
        old, link = await self.fresh()
        first = old
        async for _ in self.rounds():
            old.reset()
            await self.down(old)
            old = await self.returns(old)
            await old.next_job(0)
            (share,) = await old.mine()
            await self.shares_agree(self.farm, [share])
        self.assertIs(self.farm.submits[-1].connection, link)
        if first.session != old.session:
            thief = await self.returns(first)
            await thief.next_job(0)
            self.assertTrue(old.connected)
            (share,) = await old.mine()
            await self.shares_agree(self.farm, [share])

    async def test_raced_restores_have_one_winner(self):
        for number in range(figure(20, 200)):
            with self.subTest(round=number):
                old, link = await self.fresh()
                old.reset()
                await self.down(old)
                racers = [self.new_miner(self.proxy, self.name, session=old.session) for _ in range(3)]
                await asyncio.gather(*(racer.connect() for racer in racers))
                logins = await asyncio.gather(*(racer.log_in() for racer in racers))
                alive = [racer for racer, taken in zip(racers, logins) if taken]
                self.assertTrue(alive)
                mining = []
                for racer in alive:
                    await racer.changes.until(lambda r=racer: r.job or not r.connected, "a job or the end")
                    if racer.connected:
                        mining.append(racer)
                before = len(self.farm.submits)
                shares = [racer.submit() for racer in mining]
                await asyncio.gather(*(share.reply for share in shares))
                told = [share for share in shares if share.verdict == "accepted"]
                self.assertTrue(told)
                self.assertEqual(
                    len({share.coinbase for share in told}), len(told), "two racers search the same space"
                )
                on_the_link = [s for s in self.farm.submits[before:] if s.connection is link]
                self.assertEqual(len(on_the_link), 1, "exactly one racer has the session's link")
                for racer in racers:
                    racer.close()
                await self.proxy.metrics_until(lambda m: m.sum("proxy_worker_up") == 0, "all are gone")

    async def test_shares_are_not_sent_twice_across_a_restore(self):
        old, link = await self.fresh()
        (share,) = await old.mine()
        old.reset()
        await self.down(old)
        again = await self.returns(old)
        await again.next_job(0)
        self.assertEqual(again.extranonce1, old.extranonce1)
        replay = again.submit(share.job, extranonce2=share.extranonce2, ntime=share.ntime, nonce=share.nonce)
        await at_most(replay.reply, "a verdict")
        self.assertIn(error_code(replay.reply.result()), (None, 21, 22))  # None: the recorded verdict
        self.assertEqual(
            sum(s.coinbase == share.coinbase and s.nonce == share.nonce for s in self.farm.submits), 1
        )

    async def test_counters_and_series_of_a_restored_worker(self):
        old, _ = await self.fresh()
        await old.mine(3)
        old.reset()
        await self.down(old)
        again = await self.returns(old)
        await again.next_job(0)
        await again.mine(2)
        metrics = await self.proxy.metrics_until(
            lambda m: m.get("proxy_worker_sended", worker=again.source) == 2, "the new source port's own count"
        )
        self.assertEqual(metrics.get("proxy_worker_up", worker=again.source), 1)
        await self.proxy.metrics_until(
            lambda m: m.sum("proxy_shares_accepted_total", user=self.name)
            + m.sum("proxy_shares_accepted_total", account=self.name)
            == 5,
            "the account's total",
        )

    async def test_the_pools_drop_while_the_miner_is_away(self):
        old, link = await self.fresh()
        old.reset()
        await self.down(old)
        link.drop()
        await self.farm.until(lambda: link.closed, "the link is gone")
        again = await self.returns(old)
        await again.next_job(0)
        (share,) = await again.mine()
        await self.shares_agree(self.farm, [share])


if __name__ == "__main__":
    main()
