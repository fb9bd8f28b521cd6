"""The catalogue's configuration entries as TOML: no socket is opened, one line says what is wrong."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import asyncio
import contextlib
import os
import sqlite3

from bad_inputs import entries
from canaries import POOL_PASSWORD, WEB_TOKEN, found_in
from daemon import Daemon
from house import HouseTest, main
from waiting import at_most


class BadConfigurations(HouseTest):
    FILES = {
        "empty_file": (b"", True),
        "truncated": (b"[stratum\naddr=", False),
        "invalid_utf8": (b'[metrics]\ntag = "\xff"\n', False),
        "deep_nesting": (b"[metrics]\ntag = " + b"[" * 300000, False),
        "unknown_key": (b"[sesion]\ngrace_seconds = 1\n", False),
        "duplicate_key": (b"[session]\ngrace_seconds = 1\ngrace_seconds = 2\n", False),
        "wrong_types": (b"[stratum]\naddr = 3333\n", False),
        "wrong_table": (b'session = "x"\n', False),
        "limit_zero": (b"[limits]\nline_bytes = 0\n", False),
        "limit_negative": (b"[limits]\nin_flight = -1\n", False),
        "limit_text": (b'[limits]\nline_bytes = "10"\n', False),
        "limit_huge": (b"[limits]\nauthorize_seconds = 1e300\n", False),
    }

    CATALOGUE = {  # what plays an entry: files above, or a test of this folder
        "missing_file": ["missing"],
        "empty_file": ["empty_file"],  # no setting has to be there
        "fifo": ["fifo"],
        "truncated_json": ["truncated"],
        "invalid_utf8": ["invalid_utf8"],
        "deep_nesting": ["deep_nesting"],
        "unknown_key": ["unknown_key"],
        "duplicate_key": ["duplicate_key"],
        "wrong_types": ["wrong_types", "wrong_table"],
        "limits_bad": ["limit_zero", "limit_negative", "limit_text", "limit_huge"],
        "secret_file_world_readable": "test_a_token_that_others_may_read_is_warned_of_once",
        "sqlite_not_a_database": "test_databases",
        "sqlite_newer_schema": "test_a_newer_database_is_left_alone",
        "reload_invalid": "test_reload",
        "reload_100_times_in_1s": "test_reload",
        "reload_during_drain": "test_reload",
        "duplicate_listen": "test_a_taken_address_is_one_line",
        "tls_key_mismatch": "test_tls",
    }
    SKIPPED = {
        "no_pools": "pools are in the database, not in the file",
        "reload_removes_active_pool": "pools are in the database, not in the file",
    }

    async def _run(self, daemon, *arguments, **variables):
        process = await asyncio.create_subprocess_exec(
            *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, cwd=daemon.directory, env=os.environ | variables
        )
        first = asyncio.create_task(process.stdout.readline())
        ended = asyncio.create_task(process.wait())
        await at_most(
            asyncio.wait({first, ended}, return_when=asyncio.FIRST_COMPLETED), "a ready line or the end"
        )
        ready = first.done() and first.result().startswith(b"stratumproxyd ready")
        if ready:
            process.terminate()
        out, err = await at_most(process.communicate(), "the end")
        err = err.decode(errors="replace")
        self.assertEqual(found_in(err), [], "a secret was told")
        return ready, process.returncode, err

    async def test_configurations(self):
        daemon = Daemon(name="config")
        self.addCleanup(daemon.remove)
        path = daemon.directory / "x.toml"
        flags = [
            "--stratum.addr",
            "127.0.0.1:0",
            "--web.addr",
            "127.0.0.1:0",
            "--db",
            f"sqlite:{daemon.directory}/x.db",
        ]
        program = daemon.command()[0]
        played = []
        for name, (data, good) in self.FILES.items():
            with self.subTest(config=name):
                path.write_bytes(data)
                ready, code, err = await self._run(
                    daemon,
                    program,
                    "--config",
                    str(path),
                    *(flags if name not in ("wrong_types",) else flags[2:]),
                )
                self.assertEqual(ready, good, err)
                if not good:
                    self.assertEqual(code, 2)
                    self.assertEqual(len(err.strip().splitlines()), 1, err[:500])
                    self.assertIn("x.toml", err)
                played.append(name)
        for name in ("missing", "fifo", "directory"):
            with self.subTest(config=name):
                path.unlink(missing_ok=True)
                if name == "fifo":
                    os.mkfifo(path)
                elif name == "directory":
                    path.mkdir()
                ready, code, err = await self._run(daemon, program, "--config", str(path), *flags)
                self.assertFalse(ready)
                self.assertEqual(code, 2)
                self.assertEqual(len(err.strip().splitlines()), 1, err[:500])
                if name == "fifo":
                    path.unlink()
                played.append(name)
        for entry in entries("config"):
            name = entry["name"]
            with self.subTest(entry=name):
                if name in self.SKIPPED:
                    self.say(f"skipped {name}: {self.SKIPPED[name]}")
                elif isinstance(self.CATALOGUE[name], str):
                    self.say(f"skipped {name}: has a test of its own: {self.CATALOGUE[name]}")
                else:
                    self.assertEqual([file for file in self.CATALOGUE[name] if file not in played], [])
                    self.say(f"passed {name}")

    async def test_the_environment(self):
        daemon = Daemon(name="environment")
        self.addCleanup(daemon.remove)
        program = daemon.command()[0]
        addresses = {"STRATUMPROXY_STRATUM_ADDR": "127.0.0.1:0", "STRATUMPROXY_WEB_ADDR": "127.0.0.1:0"}
        ready, code, err = await self._run(
            daemon, program, STRATUMPROXY_DB_URL="sqlite:of-the-environment.db", STRATUMPROXY_WEB_TOKEN=WEB_TOKEN, **addresses
        )
        self.assertEqual((ready, code), (True, 0), err)
        self.assertTrue((daemon.directory / "of-the-environment.db").exists())
        # A flag wins over it, and it wins over the file.
        (daemon.directory / "x.toml").write_text('[db]\nurl = "sqlite:of-the-file.db"\n[metrics]\ntag = "of-the-file"\n', encoding="utf-8")
        ready, code, err = await self._run(
            daemon, program, "--config", "x.toml", "--db", "sqlite:of-the-flag.db", STRATUMPROXY_DB_URL="sqlite:never.db", **addresses
        )
        self.assertEqual((ready, code), (True, 0), err)
        self.assertEqual([file.name for file in sorted(daemon.directory.glob("*.db"))], ["of-the-environment.db", "of-the-flag.db"])
        for name, value in (
            ("STRATUMPROXY_DB_URI", f"postgresql://proxy:{POOL_PASSWORD}@db/proxy"),
            ("STRATUMPROXY_DB_URL", f"mysql://proxy:{POOL_PASSWORD}@db/proxy"),
            ("STRATUMPROXY_WEB_TOKEN", "short"),
        ):
            with self.subTest(variable=name):
                ready, code, err = await self._run(daemon, program, **addresses | {name: value})
                self.assertEqual((ready, code), (False, 2), err)
                self.assertEqual(len(err.strip().splitlines()), 1, err)
                self.assertIn(name, err)

    async def test_databases(self):
        daemon = Daemon(name="database")
        self.addCleanup(daemon.remove)
        path = daemon.directory / "a.db"
        command = daemon.command()
        command[command.index("--db") + 1] = f"sqlite:{path}"
        path.write_bytes(b"hello" * 1000)
        ready, code, err = await self._run(daemon, *command)
        self.assertFalse(ready)
        self.assertEqual(code, 2)
        self.assertEqual(path.read_bytes(), b"hello" * 1000)
        self.assertEqual(len(err.strip().splitlines()), 1, err)

    async def test_a_newer_database_is_left_alone(self):
        daemon = Daemon(name="newer")
        self.addCleanup(daemon.remove)
        await daemon.start()
        self.assertEqual(await daemon.stop(), 0)
        path = daemon.db.removeprefix("sqlite:")
        with contextlib.closing(sqlite3.connect(path)) as database:
            database.execute(
                "INSERT INTO stratumproxy_schema SELECT 9999, name, applied_at FROM stratumproxy_schema LIMIT 1"
            )
            database.commit()
            before = list(database.iterdump())
        ready, code, err = await self._run(daemon, *daemon.command())
        self.assertFalse(ready)
        self.assertEqual(code, 2)
        self.assertEqual(len(err.strip().splitlines()), 1, err)
        self.assertIn("9999", err)
        with contextlib.closing(sqlite3.connect(path)) as database:
            self.assertEqual(list(database.iterdump()), before)

    async def test_a_token_that_others_may_read_is_warned_of_once(self):
        daemon = Daemon(name="readable")
        self.addCleanup(daemon.remove)
        (daemon.directory / "token").chmod(0o644)
        ready, code, err = await self._run(daemon, *daemon.command())
        self.assertTrue(ready, err)
        self.assertEqual(code, 0)
        self.assertEqual(err.count("token_file_world_readable"), 1, err)

    async def test_a_taken_address_is_one_line(self):
        first = await self.daemon()
        for taken, other in ((first.stratum, "127.0.0.1:0"), ("127.0.0.1:0", first.web)):
            with self.subTest(taken=taken):
                second = Daemon(name="second", stratum=taken, web=other)
                self.addCleanup(second.remove)
                ready, code, err = await self._run(second, *second.command())
                self.assertFalse(ready)
                self.assertEqual(code, 2)
                self.assertEqual(len(err.strip().splitlines()), 1, err)


if __name__ == "__main__":
    main()
