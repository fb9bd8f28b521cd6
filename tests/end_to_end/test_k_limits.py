"""Too few descriptors; SIGTERM under load, again and again."""
import asyncio
import collections
import pathlib
import signal
import socket
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from daemon import EXHAUSTS, MORE_THAN_DESCRIPTORS
from house import HouseTest, main
from waiting import SLOWNESS, figure


class Limits(HouseTest):
    async def test_sixty_four_descriptors_and_two_hundred_clients(self):
        daemon = await self.daemon(files=64, config=MORE_THAN_DESCRIPTORS)
        pool = await self.pool()
        account = await self.account(daemon, pool)
        miner = await self.miner(daemon, account)
        loop = asyncio.get_running_loop()
        host, _, port = daemon.stratum.rpartition(":")
        clients = []
        for _ in range(200):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex((host, int(port)))
            clients.append(client)
        start, cpu, shares = loop.time(), daemon.cpu_seconds(), 0
        while loop.time() - start < figure(
            3, 10
        ):  # the span over which CPU is measured, filled with a neighbour's shares
            (share,) = await miner.mine()
            self.assertEqual(share.verdict, "accepted")
            shares += 1
            await asyncio.sleep(0.1)
        spent = (daemon.cpu_seconds() - cpu) / (loop.time() - start)
        self.assertLess(spent, 0.10 * SLOWNESS)
        log = daemon.log_text()
        self.assertLess(len(log.splitlines()), 200)
        for client in clients:
            client.close()
        left = loop.time()
        newcomer = self.new_miner(daemon, account, "newcomer")
        await newcomer.start()
        back = loop.time() - left
        self.assertLess(back, figure(5, 1) * SLOWNESS)
        metrics = await daemon.metrics()
        self.assertEqual(metrics.sum("proxy_descriptors_exhausted_total") > 0, EXHAUSTS)
        await newcomer.mine()
        self.say(
            f"CPU {100 * spent:.1f} %, {shares} shares of a neighbour accepted, back in {1000 * back:.0f} ms"
        )

    async def test_sigterm_under_load(self):
        rounds = figure(5, 20)
        pool = await self.pool()
        told = collections.Counter()
        for number in range(rounds):
            daemon = await self.daemon(threads=2)
            account = await self.account(daemon, pool)
            miners = [await self.miner(daemon, account, f"r{i}") for i in range(20)]
            before = len(pool.submits)

            async def load(miner):
                while miner.connected:
                    await miner.submit().reply

            tasks = [asyncio.create_task(load(miner)) for miner in miners]
            await pool.until(lambda: len(pool.submits) - before > 200, "a running load")
            daemon.signal(signal.SIGTERM)
            self.assertEqual(await daemon.exited(), 0)
            daemon.expected_gone = True
            await asyncio.gather(*tasks)
            shares = [share for miner in miners for share in miner.shares]
            verdicts = collections.Counter(share.verdict for share in shares)
            self.assertEqual(verdicts["unknown"], 0)
            keys = collections.Counter(submit.key[:3] for submit in pool.submits[before:])
            for share in shares:
                arrived = keys[(share.coinbase, share.ntime, share.nonce)]
                self.assertEqual(
                    arrived,
                    1 if share.verdict == "accepted" else 0,
                    "a share reached the pool and its miner was not told"
                    if arrived
                    else "told, but not at the pool",
                )
            told += verdicts
        self.say(
            f"{rounds} times SIGTERM under load: {told['accepted']} accepted, {told['unknown']} unknown, "
            f"{told[None]} never read; exit code 0"
        )

    async def test_sigterm_closes_idle_miners(self):
        daemon = await self.daemon()
        pool = await self.pool()
        account = await self.account(daemon, pool)
        miner = await self.miner(daemon, account)
        self.assertEqual(await daemon.stop(), 0)
        daemon.expected_gone = True
        await miner.closed()


if __name__ == "__main__":
    main()
