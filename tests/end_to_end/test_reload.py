"""SIGHUP: the token and the log level are read again; a bad file changes nothing; a daemon that drains takes no notice."""
import asyncio
import pathlib
import signal
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from canaries import WEB_TOKEN
from fake_pool import IGNORE
from house import HouseTest, main
from waiting import SLOWNESS, at_most, until

NEW_TOKEN = WEB_TOKEN + "-new"  # holds the old one: what looks for secrets finds it, too
RELOADED = "proxy_config_last_reload_successful"


class Reload(HouseTest):
    async def asyncSetUp(self):
        self.proxy = await self.daemon(log_level=None, config={"log": {"level": "error"}})
        self.farm = await self.pool()
        self.name = await self.account(self.proxy, self.farm)
        self.rig = await self.miner(self.proxy, self.name)

    def _configure(self, text, token=NEW_TOKEN):
        (self.proxy.directory / "stratumproxyd.toml").write_text(text, encoding="utf-8")
        (self.proxy.directory / "token").write_text(token + "\n", encoding="ascii")

    async def _opens(self, token):
        status, _ = await self.proxy.call("GET", "/api/v1/pools", token=token)
        self.assertIn(status, (200, 401))
        return status == 200

    async def _still_mines(self):
        (share,) = await self.rig.mine()
        await self.shares_agree(self.farm, [share])
        self.assertEqual((self.rig.connects, len(self.farm.connections)), (1, 1))

    async def test_token_and_log_level_are_read_again(self):
        self.assertNotIn("reloaded", self.proxy.log_text())
        self._configure('[log]\nlevel = "info"\n')
        self.assertTrue(await self._opens(WEB_TOKEN))
        self.assertFalse(await self._opens(NEW_TOKEN), "before the signal")
        self.proxy.signal(signal.SIGHUP)
        await until(lambda: self._opens(NEW_TOKEN), "the new token opens")
        self.assertFalse(await self._opens(WEB_TOKEN))
        await until(lambda: "reloaded" in self.proxy.log_text(), "a line of the new level")
        self.assertEqual((await self.proxy.metrics()).get(RELOADED), 1)
        await self._still_mines()

    async def test_a_bad_file_is_refused_and_the_next_good_one_is_taken(self):
        for bad in ('[log]\nlevel = "loud"\n', "[truncated\n", "[sesion]\ngrace_seconds = 1\n"):
            with self.subTest(file=bad):
                self._configure(bad)
                self.proxy.signal(signal.SIGHUP)
                await self.proxy.metrics_until(lambda m: m.get(RELOADED) == 0, "the refusal")
                await until(lambda: "reload_refused" in self.proxy.log_text(), "a line about it")
                self.assertTrue(await self._opens(WEB_TOKEN))
                self.assertFalse(await self._opens(NEW_TOKEN))
                await self._still_mines()
                self._configure("", WEB_TOKEN)
                self.proxy.signal(signal.SIGHUP)
                await self.proxy.metrics_until(lambda m: m.get(RELOADED) == 1, "the good file")

    async def test_a_hundred_reloads_cost_nothing(self):
        files, memory = self.proxy.open_files(), self.proxy.rss_kib()
        for number in range(100):
            self._configure("", NEW_TOKEN if number == 99 else WEB_TOKEN)
            self.proxy.signal(signal.SIGHUP)
        await until(lambda: self._opens(NEW_TOKEN), "the last file's token")
        await self._still_mines()
        await until(lambda: self.proxy.open_files() <= files + 1, "no file is left open")
        self.assertLess(self.proxy.rss_kib() - memory, 8 * 1024 * SLOWNESS)

    async def _drain(self, verdict):
        """SIGTERM while the pool owes a verdict; back when the daemon drains."""
        self.farm.verdict = lambda submit: verdict
        share = self.rig.submit()
        await self.farm.until(lambda: self.farm.submits, "the share at the pool")
        self.proxy.expected_gone = True
        self.proxy.signal(signal.SIGTERM)

        async def draining():
            return (await self.proxy.call("GET", "/readyz", token=None))[0] == 503

        await until(draining, "the daemon drains")
        return share

    async def test_a_daemon_that_drains_does_not_reload(self):
        verdict = asyncio.get_running_loop().create_future()
        share = await self._drain(verdict)
        self._configure("[bad\n")
        self.proxy.signal(signal.SIGHUP)
        metrics = await self.proxy.metrics()
        self.assertEqual(metrics.get(RELOADED), 1)
        verdict.set_result(True)
        await at_most(share.reply, "the verdict that was on its way")
        self.assertEqual(share.verdict, "accepted")
        self.assertEqual(await self.proxy.exited(), 0)
        self.assertNotIn("reload", self.proxy.log_text())

    async def test_a_second_sigterm_ends_at_once(self):
        share = await self._drain(IGNORE)
        self.assertTrue(self.proxy.running)
        self.proxy.signal(signal.SIGTERM)
        self.assertEqual(await self.proxy.exited(limit=min(5 * SLOWNESS, 8)), 0)  # draining may last ten
        self.assertIsNone(share.verdict)


if __name__ == "__main__":
    main()
