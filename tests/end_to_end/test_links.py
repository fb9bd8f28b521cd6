"""Links that last: every way in which a pool can go away, with workers that stay and shares that have one end."""
import asyncio
import collections
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from fake_pool import IGNORE
from house import HouseTest, main
from ledgers import Ledgers
from waiting import SLOWNESS, at_most, figure
from wire import error_code


class Links(HouseTest):
    async def _house(self, miners=1, pool=None, **config):
        self.proxy = await self.daemon(threads=2, config=config)
        self.farm = await self.pool(**(pool or {}))
        self.name = await self.account(self.proxy, self.farm)
        return [await self.miner(self.proxy, self.name, f"r{i}") for i in range(miners)]

    async def test_a_share_in_flight_when_the_link_dies_is_unknown(self):
        for reset in (False, True):
            with self.subTest(reset=reset):
                (miner,) = await self._house()
                self.farm.verdict = lambda submit: IGNORE
                share = miner.submit()
                submit = await self.farm.until(lambda: self.farm.submits and self.farm.submits[-1], "the share")
                jobs = len(miner.job_log)
                submit.connection.drop(reset)
                await at_most(share.reply, "a verdict")
                self.assertEqual(share.verdict, "unknown", share.reply.result())
                self.farm.verdict = lambda submit: True
                job = await miner.next_job(jobs)
                self.assertTrue(job.clean)
                await self.shares_agree(self.farm, [miner.submit()])
                self.assertEqual(
                    sum(s.coinbase == share.coinbase for s in self.farm.submits), 1, "never sent again"
                )

    async def test_a_link_that_dies_in_the_middle_of_a_line(self):
        (miner,) = await self._house()
        link = await self.farm.link()
        jobs = len(miner.job_log)
        link.send_bytes(b'{"id":null,"method":"mining.notify","params":["half')
        link.drop()
        await miner.next_job(jobs)
        await self.shares_agree(self.farm, [miner.submit()])
        self.assertEqual(miner.connects, 1)

    async def test_a_resumed_session_is_asked_for(self):
        (miner,) = await self._house()
        first = await self.farm.link()
        first.drop()
        second = await self.farm.until(
            lambda: next((c for c in self.farm.ready if c is not first), None), "another link"
        )
        self.assertIn(first.session, second.requested("mining.subscribe")[0]["params"])

    async def test_a_share_of_a_link_that_is_gone_for_good_is_21(self):
        """The pool comes back with another extranonce1 and does not know the session: old work is void."""
        (miner,) = await self._house(pool={"x1": 4})
        old = miner.job
        self.farm.sessions = collections.defaultdict(lambda: None)
        self.farm.on["mining.subscribe"] = (
            lambda c, m: c.reply(m["id"], [[["mining.notify", "z"]], f"{c.index + 0x55:08x}", 8])
            or setattr(c, "extranonce1", f"{c.index + 0x55:08x}")
            or True
        )
        jobs = len(miner.job_log)
        (await self.farm.link()).drop()
        await miner.next_job(jobs)
        before = len(self.farm.submits)
        share = miner.submit(old)
        reply = await at_most(share.reply, "a verdict")
        self.assertEqual(error_code(reply), 21, reply)
        self.assertEqual(len(self.farm.submits), before)
        await self.shares_agree(self.farm, [miner.submit()])

    async def test_a_silent_pool_is_replaced(self):
        (miner,) = await self._house(upstream={"silence_seconds": 4 * SLOWNESS})
        first = await self.farm.link()
        await self.farm.until(lambda: first.closed and self.farm.ready, "a link in its place")
        await miner.changes.until(lambda: len(miner.job_log) > 1, "the new link's job")
        await self.shares_agree(self.farm, [miner.submit()])
        self.assertEqual(miner.connects, 1)

    async def test_an_outage_of_the_pool_moves_nobody(self):
        miners = await self._house(miners=figure(20, 200))
        await self.farm.stop_listening()
        for link in self.farm.live:
            link.drop()
        await self.proxy.metrics_until(
            lambda m: m.get("proxy_pool_up", pool=self.farm.address) == 0, "the outage"
        )
        await self.farm.start()
        await asyncio.gather(
            *(miner.next_job(1) if len(miner.job_log) < 2 else miner.next_job(0) for miner in miners)
        )
        await self.farm.link(len(miners))
        await asyncio.gather(
            *(miner.changes.until(lambda m=miner: len(m.job_log) > 1, "a new job") for miner in miners)
        )
        await self.shares_agree(self.farm, [miner.submit() for miner in miners])
        self.assertTrue(all(miner.connects == 1 for miner in miners))

    async def test_a_worker_hears_something_from_time_to_time(self):
        (miner,) = await self._house(session={"refresh_seconds": 0.5})
        job = await miner.next_job(1)
        self.assertEqual(job.id, miner.job_log[0].id)
        self.assertFalse(job.clean)
        await self.shares_agree(self.farm, [miner.submit()])

    async def test_chaos_keeps_the_share_laws(self):
        """Links dropped at random under load: each share has one end, each forwarded share is at the pool once."""
        miners = await self._house(miners=10)
        stop = asyncio.Event()

        async def load(miner):
            while not stop.is_set():
                await at_most(miner.submit().reply, "a verdict", 20)

        tasks = [asyncio.create_task(load(miner)) for miner in miners]
        for number in range(figure(30, 300)):
            seen = len(self.farm.submits)
            await self.farm.until(
                lambda: self.farm.ready and len(self.farm.submits) > seen + 5, "shares that go on"
            )
            link = self.farm.ready[number % len(self.farm.ready)]
            if number % 3 == 2:
                link.send_bytes(b'{"id":7,"resu')
            link.drop(reset=number % 2 == 1)
        stop.set()
        await asyncio.gather(*tasks)
        self.assertTrue(all(miner.connects == 1 for miner in miners))
        told = await Ledgers(self, self.proxy, miners, [self.farm], here=(21,)).agree()
        self.say(f"{sum(told.values())} shares through drops: {dict(told)}")


if __name__ == "__main__":
    main()
