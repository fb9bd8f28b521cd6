"""The three ledgers of shares: what the miners were told, what the proxy counted, what the pools got. And the laws between them.

    told = await Ledgers(self, daemon, miners, pools).agree()

Every pool needs a seed of its own: the same jobs at two pools would be the same coinbases. The daemon's accounts must have no other miners
than these.
"""
import asyncio
import collections

from waiting import LIMIT
from wire import error_code

ENDS = ("accepted", "rejected", "unknown")


def key_of(one):
    """What is hashed, of a share or a submit: equal for both when the proxy changed nothing of it."""
    version = int(one.version or "0", 16)  # who may roll bits, and rolls none, need not say so
    return one.coinbase, int(one.ntime, 16), int(one.nonce, 16), version


class Ledgers:
    """Holds when every share has come to its end.

    1. sent = accepted + rejected + unknown, in the metrics as with the miners, for each pool and for all of them.
    2. No share is at the pools twice, none is there that no miner sent, each at a connection that gave its job; an accepted one is there,
       unless the proxy verified it itself.
    3. A miner is told what the pool said: `true` where it said so and nowhere else. Each request has one reply.
    4. Unknown is only a share whose link ended before the verdict, or whose verdict did not come in time.
    5. What the pool has never seen is rejected with one of the codes in `here`: 21 where the job is gone, 22 for a replay, 23 below the
       worker's difficulty.
    """

    def __init__(self, test, daemon, miners, pools, here=(21, 22, 23)):
        self.test, self.daemon, self.miners, self.pools, self.here = test, daemon, list(miners), list(pools), here

    @property
    def shares(self):
        return [share for miner in self.miners for share in miner.shares]

    @property
    def accounts(self):
        return {miner.login.partition(".")[0] for miner in self.miners}

    async def agree(self, limit=3 * LIMIT):
        """All of the laws; the numbers of shares by what the miners were told (None: their connection ended first)."""
        shares = self.shares
        if open_ends := [share.reply for share in shares if not share.reply.done()]:
            await asyncio.wait(open_ends, timeout=limit)
        left = [share for share in shares if not share.reply.done()]
        self.test.assertEqual(left[:1], [], f"{len(left)} of {len(shares)} shares have no reply after {limit:g} s")
        told = self.check_shares()
        await self.check_metrics(told, limit)
        return told

    def check_shares(self):
        """What miners and pools say, of the shares that have their reply."""
        test = self.test
        submits = collections.defaultdict(list)
        for pool in self.pools:
            for submit in pool.submits:
                test.assertTrue(submit.known, f"{submit.connection} got a share for a job that it did not give: {submit.params}")
                submits[key_of(submit)].append(submit)
        for twice in submits.values():
            test.assertEqual(len(twice), 1, f"the pools have a share {len(twice)} times: {twice}")
        told, keys = collections.Counter(), set()
        self.held = 0
        for share in self.shares:
            if not share.reply.done():
                keys.add(key_of(share))
                continue
            told[share.verdict] += 1
            code = error_code(share.reply.result() or {})
            key = key_of(share)
            if share.verdict == "rejected" and code == 22 and key in keys:
                test.assertIn(22, self.here, share)
                continue  # the submit, if there is one, is the first one's
            test.assertNotIn(key, keys, f"the same share again, and {share.verdict}")
            keys.add(key)
            self._check(share, code, submits[key][0] if key in submits else None)
        strangers = [of for key, of in submits.items() if key not in keys]
        test.assertEqual(strangers, [], "shares at the pools that no miner sent")
        for miner in self.miners:
            self._check_replies(miner)
        return told

    def _check(self, share, code, submit):
        test, verdict = self.test, share.verdict
        about = f"{share.reply.result()}\nto {share}\nat the pool: {submit}"
        if submit is None:
            self.held += verdict == "accepted"
            if verdict == "rejected":
                test.assertIn(code, self.here, about)
        elif verdict == "accepted":
            test.assertIs(submit.told, True, about)
        elif verdict == "rejected":
            test.assertNotIn(submit.told, (True, None), about)
            if submit.told is not False:
                test.assertEqual(submit.told[0], code, about)
        elif verdict == "unknown":
            test.assertTrue(submit.told is None or self._is_late(submit) or submit.connection.closed, about)

    def _is_late(self, submit):
        # A little earlier: the proxy's clock began with the share, the pool's when it got it.
        return submit.told_at - submit.at > self.daemon.config["upstream"]["verdict_timeout_seconds"] * 0.9

    def _check_replies(self, miner):
        """Ids are counted up by the miner, so each may be answered once."""
        ids = collections.Counter(repr(message.get("id")) for message in miner.messages if "method" not in message)
        twice = [number for number, count in ids.items() if count > 1]
        self.test.assertEqual(twice, [], f"requests of {miner.login} that were answered twice")

    async def check_metrics(self, told, limit=3 * LIMIT):
        """What the proxy counted. `told` is exact where no miner's connection ended."""
        test, names = self.test, [pool.address for pool in self.pools]

        def totals(metrics, name, pool):
            return int(sum(metrics.sum(name, user=user, pool=pool) for user in self.accounts))

        def rows(metrics):
            return {pool: [totals(metrics, f"proxy_shares_{end}_total", pool) for end in ("sent", *ENDS)] for pool in names}

        def at_rest(metrics):
            counts = rows(metrics).values()
            return sum(row[0] for row in counts) >= told.total() - told[None] and all(row[0] == sum(row[1:]) for row in counts)

        metrics = await self.daemon.metrics_until(at_rest, f"every share of {dict(told)} and its end in the totals", limit)
        counts = rows(metrics)
        for at, end in enumerate(ENDS, 1):
            counted = sum(row[at] for row in counts.values())
            test.assertLessEqual(told[end], counted, (end, counts, told))
            test.assertLessEqual(counted, told[end] + told[None], (end, counts, told))
        test.assertLessEqual(sum(row[0] for row in counts.values()), told.total(), (counts, told))
        if told[None]:
            return
        held = int(sum(metrics.sum("proxy_shares_held_back_total", pool=pool) for pool in names))
        test.assertEqual(held, self.held, "accepted by the proxy alone")
        sent = collections.Counter(key_of(share) for share in self.shares if share.verdict == "accepted")
        for pool in self.pools:
            accepted = sum(submit.told is True and key_of(submit) in sent for submit in pool.submits)
            test.assertEqual(totals(metrics, "proxy_pool_shares_accepted_total", pool.address), accepted, f"accepted by {pool.address}")
