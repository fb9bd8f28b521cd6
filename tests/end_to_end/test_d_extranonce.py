"""Every size of extranonce; the miner hashes the pool's coinbase and never comes back more than once."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from house import HouseTest, main

SIZES = ((0, 8), (4, 4), (4, 8), (5, 3), (7, 8), (9, 3), (12, 16), (18, 14))
MARK, MINER = 1, 3


class Extranonce(HouseTest):
    async def _mine(self, daemon, pool, most, exact=True, **options):
        account = await self.account(daemon, pool)
        miner = self.new_miner(daemon, account, reconnect=True, **options)
        await miner.connect()
        await miner.log_in()
        await miner.changes.until(
            lambda: miner.connected
            and miner.job
            and miner.job.extranonce1 == miner.extranonce1
            and miner.last_authorize,
            "a job under the miner's extranonce",
        )
        shares = await miner.mine(3)
        await self.shares_agree(pool, shares)
        for submit in pool.submits:
            self.assertEqual(len(submit.extranonce2), 2 * pool.extranonce2_size)
        self.assertLessEqual(miner.reconnects, most)
        if exact:
            self.assertEqual(miner.reconnects, most)
        return miner

    async def test_the_matrix(self):
        daemon = await self.daemon()
        for x1, n2 in SIZES:
            with self.subTest(extranonce1=x1, extranonce2=n2):
                pool = await self.pool(x1=x1, n2=n2)
                room = n2 >= MARK + MINER
                miner = await self._mine(daemon, pool, 0 if room else 1, agent=f"matrix/{x1}.{n2}")
                self.assertEqual(miner.extranonce2_size, MINER if room else n2)
                self.say(
                    f"x1 {x1}, E {n2}: miner has {len(miner.extranonce1) // 2}/{miner.extranonce2_size}, "
                    f"{miner.reconnects} reconnects, first share accepted"
                )
                miner.close()

    async def test_nicehash_gets_the_four_bytes_it_insists_on(self):
        daemon = await self.daemon()
        pool = await self.pool(x1=4, n2=4)
        miner = await self._mine(daemon, pool, 1, exact=False, agent="NiceHash/1.0.0", smallest_size=4)
        self.assertGreaterEqual(miner.extranonce2_size, 4)
        self.say(f"4/4 with NiceHash: {miner.reconnects} reconnects")
        wide = await self.pool(x1=4, n2=8)
        miner = await self._mine(daemon, wide, 0, agent="NiceHash/1.0.0", smallest_size=4)
        self.assertEqual(miner.extranonce2_size, 4)

    async def test_a_miner_that_refuses_fewer_than_three_bytes(self):
        daemon = await self.daemon()
        pool = await self.pool(x1=5, n2=3)
        miner = await self._mine(daemon, pool, 1, agent="picky/1.0", smallest_size=3)
        self.assertEqual(miner.extranonce2_size, 3)

    async def test_extranonce_subscribers_are_not_sent_away(self):
        daemon = await self.daemon()
        pool = await self.pool(x1=5, n2=3)
        miner = await self._mine(daemon, pool, 0, agent="follows/1.0", extranonce_subscribe=True)
        self.assertEqual((miner.extranonce1, miner.extranonce2_size), (pool.connections[0].extranonce1, 3))

    async def test_many_miners_behind_one_address_without_room(self):
        """Each is sent away at most once, and no two search the same space."""
        daemon = await self.daemon(threads=2)
        pool = await self.pool(x1=5, n2=3)
        account = await self.account(daemon, pool)
        miners = []
        for number in range(4):
            miner = self.new_miner(daemon, account, f"r{number}", reconnect=True, agent=f"farm/{number}")
            await miner.connect()
            await miner.log_in()
            await miner.changes.until(
                lambda m=miner: m.connected and m.job and m.job.extranonce1 == m.extranonce1, "a job"
            )
            miners.append(miner)
        shares = [share for miner in miners for share in await miner.mine(2)]
        await self.shares_agree(pool, shares)
        self.assertEqual(len({share.coinbase for share in shares}), len(shares))
        self.assertLessEqual(max(miner.reconnects for miner in miners), 1)

    async def test_the_daemon_behind_itself(self):
        outer, inner = await self.daemon(tag="outer"), await self.daemon(tag="inner")
        pool = await self.pool(x1=4, n2=8)
        account = await self.account(inner, pool)
        await outer.add_pool(inner.stratum)
        login = await outer.register(inner.stratum, account)
        miner = self.new_miner(outer, login, reconnect=True, mask="ffffffff")
        await miner.start()
        shares = await miner.mine(3) + await miner.mine(2, version="00002000")
        await self.shares_agree(pool, shares)
        self.assertEqual(miner.reconnects, 0)
        self.assertEqual(pool.submits[-1].version, "00002000")
        link = await pool.link()
        jobs = len(miner.job_log)
        link.drop()
        await miner.next_job(jobs)
        await self.shares_agree(pool, await miner.mine(2))


if __name__ == "__main__":
    main()
