"""The configuration is read again: at SIGHUP, over the API, when the file changes. All of it that can change does, or nothing; nobody is dropped.

Acceptance D of the issue: reloads under load, a third of them broken; SPX_SCALE=full makes it a hundred.
"""
import asyncio
import json
import os
import pathlib
import shutil
import signal
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import ports
from canaries import WEB_TOKEN
from daemon import to_toml
from fake_pool import IGNORE
from house import HouseTest, main
from waiting import LIMIT, SLOWNESS, at_most, figure, until

LOAD = os.environ.get("SPX_LOAD", "stratumload")
NEW_TOKEN = WEB_TOKEN + "-new"  # holds the old one: what looks for secrets finds it, too
RELOADED = "proxy_config_last_reload_successful"
BROKEN = ('[log]\nlevel = "loud"\n', "[truncated\n", "[sesion]\ngrace_seconds = 1\n", "[session]\ngrace_seconds = 1\nhold_seconds = -1\n",
          "[upstream]\nretry_min_seconds = 9\nretry_max_seconds = 3\n")


class ReloadTest(HouseTest):
    @property
    def file(self):
        return self.proxy.directory / "stratumproxyd.toml"

    def configure(self, *tables, text=None, watch=False):
        """What the file says from now on, written as editors do: beside it, and renamed."""
        beside = self.file.with_suffix(".toml~")
        beside.write_text(to_toml({"config": {"watch": watch}}) + (text or "".join(map(to_toml, tables))), encoding="utf-8")
        beside.replace(self.file)

    def set_token(self, token):
        (self.proxy.directory / "token").write_text(token + "\n", encoding="ascii")

    async def ask(self, method, path, expected=200):
        status, text = await self.proxy.call(method, path, b"" if method == "POST" else None)
        self.assertEqual(status, expected, text)
        return json.loads(text)

    async def reload(self, expected=200):
        return await self.ask("POST", "/api/v1/reload", expected)

    async def files_at_rest(self):
        """Open files, once nothing of HTTP is among them any more."""
        seen = []

        def settled():
            seen.append(self.proxy.open_files())
            return len(seen) > 10 and len(set(seen[-10:])) == 1

        await until(settled, "open files that stay the same")
        return seen[-1]

    async def until_reloaded(self, successful, what):
        await self.proxy.metrics_until(lambda m: m.get(RELOADED) == int(successful), what)


class Reload(ReloadTest):
    async def asyncSetUp(self):
        self.proxy = await self.daemon(log_level=None, config={"config": {"watch": False}, "log": {"level": "error"}})
        self.farm = await self.pool()
        self.name = await self.account(self.proxy, self.farm)
        self.rig = await self.miner(self.proxy, self.name)

    async def _opens(self, token):
        status, _ = await self.proxy.call("GET", "/api/v1/pools", token=token)
        self.assertIn(status, (200, 401))
        return status == 200

    async def _still_mines(self, links=1):
        (share,) = await self.rig.mine()
        await self.shares_agree(self.farm, [share])
        self.assertEqual((self.rig.connects, len(self.farm.connections)), (1, links))

    async def test_token_and_log_level_are_read_again(self):
        self.assertNotIn("reloaded", self.proxy.log_text())
        self.configure({"log": {"level": "info"}})
        self.set_token(NEW_TOKEN)
        self.assertTrue(await self._opens(WEB_TOKEN))
        self.assertFalse(await self._opens(NEW_TOKEN), "before the signal")
        self.proxy.signal(signal.SIGHUP)
        await until(lambda: self._opens(NEW_TOKEN), "the new token opens")
        self.assertFalse(await self._opens(WEB_TOKEN))
        await until(lambda: "reloaded" in self.proxy.log_text(), "a line of the new level")
        self.assertIn("web.token_file", self.proxy.log_text())
        self.assertEqual((await self.proxy.metrics()).get(RELOADED), 1)
        await self._still_mines()

    async def test_a_bad_file_is_refused_and_the_next_good_one_is_taken(self):
        for bad in BROKEN:
            with self.subTest(file=bad):
                self.configure(text=bad)
                self.set_token(NEW_TOKEN)
                self.proxy.signal(signal.SIGHUP)
                await self.until_reloaded(False, "the refusal")
                await until(lambda: "reload_refused" in self.proxy.log_text(), "a line about it")
                self.assertTrue(await self._opens(WEB_TOKEN))
                self.assertFalse(await self._opens(NEW_TOKEN))
                await self._still_mines()
                self.configure()
                self.set_token(WEB_TOKEN)
                self.proxy.signal(signal.SIGHUP)
                await self.until_reloaded(True, "the good file")

    async def test_what_needs_a_restart_is_said_and_everything_else_is_taken(self):
        self.configure(
            {"stratum": {"addr": "127.0.0.1:1"}, "log": {"level": "info", "format": "json"}, "metrics": {"tag": "other", "max_workers": 0, "flush_seconds": 0.05},
             "session": {"hold_seconds": 7}, "checks": {"threads": 2}, "limits": {"connections": 2, "error_budget": 2}, "web": {"hosts": ["farm.example"]}}
        )
        host = {"Host": "farm.example"}
        self.assertEqual((await self.proxy.call("GET", "/api/v1/pools", headers=host))[0], 403)
        outcome = await self.reload()
        # Address, database, token file and threads are flags here: those win, whatever the file says.
        self.assertEqual(outcome["needs_restart"], ["log.format", "metrics.tag", "checks.threads"])
        for key in ("web.hosts", "metrics.max_workers", "metrics.flush_seconds", "session.grace_seconds", "session.hold_seconds", "limits.connections", "limits.error_budget"):
            self.assertIn(key, outcome["taken"])
        self.assertEqual((await self.ask("GET", "/api/v1/status"))["needs_restart"], outcome["needs_restart"])
        await until(lambda: "restart_needed" in self.proxy.log_text(), "a line about it")
        self.assertEqual((await self.proxy.call("GET", "/api/v1/pools", headers=host))[0], 200)
        metrics = await self.proxy.metrics()
        self.assertEqual(metrics.get("proxy_worker_up", worker="other", user=self.name), 1)
        await self._still_mines()

        second = await self.miner(self.proxy, self.name, "rig2")
        third = self.new_miner(self.proxy, self.name, "rig3")
        await third.connect()
        await third.closed()
        for _ in range(2):
            second.send_bytes(b"nonsense\n")
        await second.closed()
        again = await self.reload()
        self.assertEqual((again["taken"], again["needs_restart"]), ([], outcome["needs_restart"]))
        await self._still_mines(links=2)

    async def test_a_hundred_reloads_cost_nothing(self):
        files, memory = await self.files_at_rest(), self.proxy.rss_kib()
        for number in range(100):
            self.configure()
            self.set_token(NEW_TOKEN if number == 99 else WEB_TOKEN)
            self.proxy.signal(signal.SIGHUP)
        await until(lambda: self._opens(NEW_TOKEN), "the last file's token")
        await self._still_mines()
        await until(lambda: self.proxy.open_files() == files, "no file is left open")
        self.assertLess(self.proxy.rss_kib() - memory, 8 * 1024 * SLOWNESS)

    async def test_the_file_is_watched_where_that_is_wanted(self):
        self.configure({"log": {"level": "info"}}, watch=True)
        self.assertIn("config.watch", (await self.reload())["taken"])
        self.configure(text=BROKEN[0], watch=True)
        await self.until_reloaded(False, "the broken file")
        self.file.write_text("[log]\nlevel = 'info'\n", encoding="utf-8")  # in place
        await self.until_reloaded(True, "the good file")
        self.configure(text=BROKEN[1], watch=True)
        await self.until_reloaded(False, "the broken file")
        self.file.unlink()
        await until(lambda: "No such file" in self.proxy.log_text(), "the file that is gone")
        self.configure(watch=False)
        await self.until_reloaded(True, "the file that is there again")
        await self._still_mines()

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
        self.configure(text="[bad\n")
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


@unittest.skipUnless(shutil.which(LOAD), "stratumload is not built")
class UnderLoad(ReloadTest):
    """Workers of stratumload mine while the options change and change back; its ledger finds each share that is lost, doubled or invented."""

    RELOADS = figure(12, 102)
    WORKERS = figure(100, 1000)
    SHARES_PER_SECOND = figure(400, 2000)

    # Limits below what there is, other times, other names: each of it counts at once.
    OTHER = {
        "log": {"level": "warning"},
        "web": {"audit_days": 1, "registrations_per_minute": 1},
        "metrics": {"flush_seconds": 0.05, "worker_label": "rig", "max_workers": 3, "history_days": 1},
        "accounts": {"delete_check_seconds": 1},
        "session": {"grace_seconds": 1, "refresh_seconds": 1, "max_kept_per_account": 1, "version_mask": 0x00FFE000},
        "split": {"mark_bytes": 2, "miner_bytes": 4},
        "upstream": {"silence_seconds": 100, "retry_max_seconds": 30, "line_bytes": 4096, "output_bytes": 4096, "connects_per_second": 1},
        "shared": {"max_workers_per_link": 7, "empty_link_seconds": 1},
        "failover": {"patience_seconds": 1, "no_job_seconds": 100, "storm_shares": 64},
        "slices": {"shortest_seconds": 1, "longest_seconds": 2},
        "vardiff": {"shares_per_minute": 1, "first": 1},
        "checks": {"max_queued": 1},
        "limits": {"line_bytes": 512, "output_bytes": 16384, "in_flight": 1, "error_budget": 1, "unauthorized_per_address": 1, "connections": 1,
                   "idle_seconds": 100},
    }

    async def _house(self, mode):
        self.proxy = await self.daemon(config={"config": {"watch": True}}, threads=2)
        self.first = {table: keys for table, keys in self.proxy.config.items() if table != "config"}
        self.pool = f"127.0.0.1:{ports.free()}"
        await self.proxy.add_pool(self.pool, mode=mode, fixed_difficulty=True)
        self.name = await self.proxy.register(self.pool)

    async def _mine(self):
        """Mines until it is interrupted; back when all workers are in."""
        load = await asyncio.create_subprocess_exec(
            LOAD, "bench", "--json", "--through", self.proxy.stratum, "--pool-listen", self.pool, "--user", self.name,
            "--workers", str(self.WORKERS), "--shares-per-second", str(self.SHARES_PER_SECOND), "--seconds", "86400", "--jobs", "0",
            "--job-seconds", "1", "--reject-percent", "5", "--login-seconds", str(6 * LIMIT), "--drain-seconds", str(3 * LIMIT),
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )
        self.addCleanup(lambda: load.returncode is None and load.kill())
        await self.proxy.metrics_until(
            lambda m: m.sum("proxy_worker_up") == self.WORKERS and m.sum("proxy_shares_accepted_total") > 0, "all workers mine", 6 * LIMIT
        )
        return load

    async def _some_shares(self):
        before = (await self.proxy.metrics()).sum("proxy_shares_sent_total")
        await self.proxy.metrics_until(lambda m: m.sum("proxy_shares_sent_total") > before, "shares in the database")

    async def _reload(self, number):
        """A third of them over the API, a third by the signal, broken, and a third by the file alone."""
        if number % 3 == 0:
            self.configure(self.OTHER, watch=True)
            self.assertEqual((await self.reload())["needs_restart"], [])
        elif number % 3 == 1:
            self.configure(text=BROKEN[number // 3 % len(BROKEN)])
            self.proxy.signal(signal.SIGHUP)
            await self.until_reloaded(False, "the broken file")
        else:
            self.configure(self.first, watch=True)
            await self.until_reloaded(True, "the first values")

    async def _nobody_is_dropped(self, mode):
        await self._house(mode)
        empty = await self.files_at_rest()
        load = await self._mine()
        for number in range(3):  # what is made once is there then
            await self._some_shares()
            await self._reload(number)
        mining, memory = await self.files_at_rest(), self.proxy.rss_kib()
        for number in range(self.RELOADS):
            await self._some_shares()
            await self._reload(number)
        await self._some_shares()
        metrics = await self.proxy.metrics()
        self.assertEqual(metrics.sum("proxy_worker_up"), self.WORKERS)
        self.assertEqual((metrics.sum("proxy_connections_closed_total"), metrics.sum("proxy_connections_refused_total")), (0, 0))
        await until(lambda: self.proxy.open_files() == mining, "the same files as before")
        grown = self.proxy.rss_kib() - memory
        self.assertLess(grown, 8 * 1024 * SLOWNESS)

        load.send_signal(signal.SIGINT)
        out, err = await at_most(load.communicate(), "the end of the load", 6 * LIMIT)
        self.assertEqual(load.returncode, 0, err.decode() + out.decode())
        told = json.loads(out)
        self.assertTrue(told["clean"], told)
        self.assertEqual((told["disconnects"], told["unknown"], told["lost"], told["doubled"], told["invented"]), (0, 0, 0, 0, 0), told)
        counts = [told["sent"], told["accepted"], told["rejected"]]

        def counted(metrics):
            return [metrics.sum(f"proxy_shares_{end}_total") for end in ("sent", "accepted", "rejected")]

        await self.proxy.metrics_until(lambda m: counted(m) == counts, f"what the load counted: {counts}")
        await until(lambda: self.proxy.open_files() == empty, "no file is left open", 3 * LIMIT)
        self.say(f"{mode}: {self.RELOADS} reloads, {self.WORKERS} workers, {told['sent']} shares = {told['accepted']} + {told['rejected']}, "
                 f"{told['disconnects']} disconnects, files {empty} -> {mining} -> {empty}, memory {grown:+} KiB")

    async def test_nobody_is_dropped_from_a_link_of_its_own(self):
        await self._nobody_is_dropped("dedicated")

    async def test_nobody_is_dropped_from_a_shared_link(self):
        await self._nobody_is_dropped("shared")


if __name__ == "__main__":
    main()
