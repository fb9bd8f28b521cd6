"""The base of every end-to-end test: daemons, pools and miners that are cleaned up, and checked while that happens."""
import asyncio
import os
import pathlib
import re
import sys
import unittest

import temporary_postgresql
from canaries import POOL_PASSWORD, found_in
from contract import Contract
from daemon import Daemon
from fake_miner import FakeMiner
from fake_pool import FakePool
from haproxy import Haproxy
from waiting import LIMIT

_REPORTS = re.compile(
    r"ERROR: (Address|Leak)Sanitizer|WARNING: ThreadSanitizer|runtime error:|terminate called|Assertion .* failed"
)

SOURCE = pathlib.Path(__file__).resolve().parents[2]
SHARED = pathlib.Path(os.environ.get("SPX_SHARED", SOURCE.parent / "shared"))


class HouseTest(unittest.IsolatedAsyncioTestCase):
    """Every daemon must answer as the API's description says, be alive at the end of its test, leave with 0 on SIGTERM, and have
    told no secret."""

    store = os.environ.get("SPX_STORE", "sqlite")
    contract = Contract()

    def setUp(self):
        asyncio.get_event_loop().set_debug(False)  # the runner's default makes every task ten times as dear

    def say(self, text):
        """A figure of this test, for the log of the run."""
        print(f"{self.id().split('.')[-1]}: {text}", flush=True)

    def database(self):
        """The URL of a fresh database of the kind under test, or None for the daemon's own SQLite file."""
        if self.store != "postgresql":
            return None
        if not temporary_postgresql.available() and not os.environ.get("SPX_TEST_POSTGRESQL"):
            self.skipTest("no PostgreSQL on this machine")
        name = re.sub(r"[^a-z0-9]+", "_", self.id().lower())[-50:] + f"_{os.getpid()}"
        self._databases = getattr(self, "_databases", 0) + 1
        return temporary_postgresql.shared().database(f"{name}_{self._databases}")

    async def daemon(self, **options):
        if "db" not in options:
            options["db"] = self.database()
        daemon = Daemon(name=re.sub(r"\W+", "-", self.id().split(".")[-1]), **options)
        daemon.contract = self.contract
        self.addAsyncCleanup(self._end, daemon)
        await daemon.start()
        return daemon

    async def _end(self, daemon):
        survived = daemon.running
        code = await daemon.stop() if survived else daemon.process.returncode if daemon.process else None
        log = daemon.log_text() if daemon.log.exists() else ""
        texts = log + "\n".join(daemon.texts)
        expected_gone = getattr(daemon, "expected_gone", False)
        try:
            report = _REPORTS.search(log)
            self.assertIsNone(report, f"a report in the daemon's log: {log[-4000:]}")
            self.assertEqual(found_in(texts), [], "a secret was told")
            if not expected_gone:
                self.assertTrue(survived, f"the daemon ended by itself with {code}:\n{log[-4000:]}")
                self.assertEqual(code, 0, f"SIGTERM:\n{log[-4000:]}")
        finally:
            daemon.remove()

    async def haproxy(self, *servers, **options):
        """A HAProxy before these addresses."""
        if not Haproxy.available():
            self.skipTest("no HAProxy on this machine")
        balancer = Haproxy(servers, **options)
        self.addAsyncCleanup(balancer.stop)
        return await balancer.start()

    async def pool(self, **options):
        pool = FakePool(**options)
        await pool.start()
        self.addAsyncCleanup(self._end_pool, pool)
        return pool

    async def _end_pool(self, pool):
        await pool.close()
        self.assertEqual(pool.failures, [], "the proxy sent the pool a line that is no message")

    async def account(self, daemon, pool, *, algorithm="sha256d", user="wallet", password=POOL_PASSWORD):
        """The pool, known to the daemon, and an account on it."""
        await daemon.add_pool(pool.address, algorithm)
        return await daemon.register(pool.address, user, password)

    def new_miner(self, daemon, account, rig="rig1", at=None, **options):
        """It connects to the daemon's first listener, or to the address `at`."""
        miner = FakeMiner(at or daemon.stratum, f"{account}.{rig}" if rig else account, **options)
        self.addCleanup(self._end_miner, miner)
        return miner

    def _end_miner(self, miner):
        miner.close()
        self.assertEqual(found_in(b"".join(miner.raw).decode("utf-8", errors="replace")), [], "a miner was told a secret")

    async def miner(self, daemon, account, rig="rig1", **options):
        """A miner that is logged in and has a job."""
        miner = self.new_miner(daemon, account, rig, **options)
        return await miner.start()

    async def shares_agree(self, pool, shares, verdict="accepted"):
        """Every share reached the pool exactly once, with the coinbase the miner hashed, and was told this verdict."""
        await asyncio.wait_for(asyncio.gather(*(share.reply for share in shares)), LIMIT)
        arrived = [submit.key for submit in pool.submits]
        for share in shares:
            self.assertEqual(share.verdict, verdict, share.reply.result())
            wanted = [
                key for key in arrived if key[0] == share.coinbase and int(key[2], 16) == int(share.nonce, 16)
            ]
            self.assertEqual(
                len(wanted),
                1,
                f"share for job {share.job.id} in the pool's ledger; "
                f"miner hashed {share.coinbase}, last of the pool: {arrived[-1:]}",
            )


class OwnPostgresql:
    """Mixed in before a HouseTest: `server` is a PostgreSQL that no other test uses, so that it may be stopped or cut off."""

    store = "postgresql"

    def setUp(self):
        super().setUp()
        if not temporary_postgresql.available():
            self.skipTest("no PostgreSQL on this machine")
        self.server = temporary_postgresql.TemporaryPostgresql().start()
        self.addCleanup(self.server.close)


def main():
    unittest.main(module=sys.modules["__main__"], verbosity=2)
