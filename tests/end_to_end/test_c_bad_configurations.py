"""The catalogue's configuration entries as TOML: no socket is opened, one line says what is wrong."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import asyncio
import os

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

    async def _run(self, daemon, *arguments):
        process = await asyncio.create_subprocess_exec(
            *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, cwd=daemon.directory
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
        return ready, process.returncode, err.decode(errors="replace")

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
                    self.assertNotEqual(code, 0)
                    self.assertEqual(len(err.strip().splitlines()), 1, err[:500])
                    self.assertIn("x.toml", err)
        for name in ("missing", "fifo", "directory"):
            with self.subTest(config=name):
                path.unlink(missing_ok=True)
                if name == "fifo":
                    os.mkfifo(path)
                elif name == "directory":
                    path.mkdir()
                ready, code, err = await self._run(daemon, program, "--config", str(path), *flags)
                self.assertFalse(ready)
                self.assertGreater(code, 0)
                self.assertEqual(len(err.strip().splitlines()), 1, err[:500])
                if name == "fifo":
                    path.unlink()

    async def test_databases(self):
        daemon = Daemon(name="database")
        self.addCleanup(daemon.remove)
        path = daemon.directory / "a.db"
        command = daemon.command()
        command[command.index("--db") + 1] = f"sqlite:{path}"
        path.write_bytes(b"hello" * 1000)
        ready, code, err = await self._run(daemon, *command)
        self.assertFalse(ready)
        self.assertGreater(code, 0)
        self.assertEqual(path.read_bytes(), b"hello" * 1000)
        self.assertEqual(len(err.strip().splitlines()), 1, err)

    async def test_a_taken_address_is_one_line(self):
        first = await self.daemon()
        for taken, other in ((first.stratum, "127.0.0.1:0"), ("127.0.0.1:0", first.web)):
            with self.subTest(taken=taken):
                second = Daemon(name="second", stratum=taken, web=other)
                self.addCleanup(second.remove)
                ready, code, err = await self._run(second, *second.command())
                self.assertFalse(ready)
                self.assertGreater(code, 0)
                self.assertEqual(len(err.strip().splitlines()), 1, err)


if __name__ == "__main__":
    main()
