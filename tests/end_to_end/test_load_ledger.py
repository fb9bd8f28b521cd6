"""The ledger of `stratumload bench` finds one share among a million that something between lost, doubled or invented."""
import asyncio
import json
import os
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from waiting import SLOWNESS

PROGRAM = os.environ.get("SPX_LOAD", "stratumload")
DAEMON = os.environ.get("SPX_DAEMON")
SHARES = 1_000_000
CHUNK = 1 << 16


class Relay:
    """Carries bytes between miners and pool; with `fault(line) -> lines` applied to one share, the `victim`th."""

    def __init__(self, pool_port, fault=None, victim=SHARES // 2):
        self.pool_port, self.fault, self.victim = pool_port, fault, victim
        self.seen, self.faults = 0, 0
        self.tasks = set()

    async def start(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0, limit=CHUNK)
        return self.server.sockets[0].getsockname()[1]

    async def stop(self):
        self.server.close()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    def tamper(self, data):
        before, self.seen = self.seen, self.seen + data.count(b"mining.submit")
        if not self.fault or self.faults or self.seen < self.victim:
            return data
        lines = data.splitlines(keepends=True)
        # The first and the last may be pieces of a line.
        for at, line in enumerate(lines[1:-1], 1):
            if b"mining.submit" in line:
                self.faults += 1
                lines[at] = self.fault(line)
                break
        return b"".join(lines)

    async def carry(self, reader, writer, change=lambda data: data):
        try:
            while data := await reader.read(CHUNK):
                writer.write(change(data))
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    async def serve(self, reader, writer):
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self.pool_port, limit=CHUNK)
        for task in (
            asyncio.ensure_future(self.carry(reader, up_writer, self.tamper)),
            asyncio.ensure_future(self.carry(up_reader, writer)),
        ):
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)


def lost(line):
    return b""


def doubled(line):
    return line + line


def invented(line):
    """The share as it is, and one more by the same worker, for the same job, with another nonce."""
    share = json.loads(line)
    share["id"] = 4_000_000_000
    share["params"][4] = f"{int(share['params'][4], 16) ^ 1:08x}"
    return line + json.dumps(share).encode() + b"\n"


async def free_port():
    """A port that the kernel just gave away: the relay must know the pool's before the pool is there."""
    server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    return port


async def bench(*arguments):
    process = await asyncio.create_subprocess_exec(
        PROGRAM, "bench", "--json", "--jobs", "1", "--seconds", "150", "--drain-seconds", "2", *arguments,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )
    out, errors = await asyncio.wait_for(process.communicate(), 170 * SLOWNESS)
    if not out:
        raise AssertionError(f"no result, exit code {process.returncode}: {errors.decode()}")
    return process.returncode, json.loads(out)


class Ledger(unittest.IsolatedAsyncioTestCase):
    async def through_relay(self, fault):
        pool_port = await free_port()
        relay = Relay(pool_port, fault)
        port = await relay.start()
        try:
            code, result = await bench(
                "--through", f"127.0.0.1:{port}", "--pool-listen", f"127.0.0.1:{pool_port}",
                "--workers", "10", "--window", "100", "--shares", str(SHARES), "--reject-percent", "1",
            )
        finally:
            await relay.stop()
        self.assertEqual(result["sent"], SHARES)
        self.assertEqual(relay.faults, 1 if fault else 0)
        self.assertAlmostEqual(result["rejected"], SHARES / 100, delta=SHARES / 500)
        self.assertEqual(result["altered"], 0)
        print(
            f"{fault.__name__ if fault else 'no fault'}: sent {result['sent']}, at the pool {result['received']}, lost {result['lost']}, "
            f"doubled {result['doubled']}, invented {result['invented']}, verdicts for no share {result['stray_verdicts']}, exit code {code}",
            file=sys.stderr,
        )
        return code, result

    async def test_an_honest_relay_has_no_fault(self):
        code, result = await self.through_relay(None)
        self.assertEqual([result[key] for key in ("lost", "doubled", "invented", "stray_verdicts", "wrong_verdicts")], [0] * 5)
        self.assertEqual(result["received"], SHARES)
        self.assertEqual(result["accepted"] + result["rejected"] + result["unknown"], SHARES)
        self.assertTrue(result["clean"])
        self.assertEqual(code, 0)

    async def test_one_lost_share_is_found(self):
        code, result = await self.through_relay(lost)
        self.assertEqual([result[key] for key in ("lost", "doubled", "invented")], [1, 0, 0])
        self.assertEqual(result["received"], SHARES - 1)
        self.assertFalse(result["clean"])
        self.assertEqual(code, 1)

    async def test_one_doubled_share_is_found(self):
        code, result = await self.through_relay(doubled)
        self.assertEqual([result[key] for key in ("lost", "doubled", "invented")], [0, 1, 0])
        self.assertEqual(result["received"], SHARES + 1)
        self.assertFalse(result["clean"])
        self.assertEqual(code, 1)

    async def test_one_invented_share_is_found(self):
        code, result = await self.through_relay(invented)
        self.assertEqual([result[key] for key in ("lost", "doubled", "invented")], [0, 0, 1])
        self.assertEqual(result["received"], SHARES + 1)
        self.assertFalse(result["clean"])
        self.assertEqual(code, 1)


class Bench(unittest.IsolatedAsyncioTestCase):
    async def test_nothing_between(self):
        code, result = await bench("--direct", "--workers", "50", "--shares", "20000", "--reject-percent", "5")
        self.assertEqual(code, 0, result)
        self.assertEqual(result["sent"], 20000)
        self.assertGreater(result["rejected"], 0)
        self.assertEqual(result["logged_in"], 50)
        self.assertGreater(result["job_to_last_ms"], 0)

    @unittest.skipUnless(DAEMON, "SPX_DAEMON names no stratumproxyd")
    async def test_the_daemon_between_loses_doubles_and_invents_nothing(self):
        code, result = await bench(
            "--proxy", DAEMON, "--workers", "200", "--shares", "50000", "--reject-percent", "2", "--job-seconds", "0.5"
        )
        self.assertEqual(code, 0, result)
        self.assertEqual(result["accepted"] + result["rejected"] + result["unknown"], 50000)
        self.assertEqual(result["received"], 50000)
        self.assertGreater(result["proxy_kib_per_worker"], 0)
        self.assertGreater(result["proxy_cpu_us_per_share"], 0)

    async def test_what_cannot_start_says_why_in_one_line(self):
        for arguments, words in (
            (("--through", "nowhere"), "is not HOST:PORT"),
            (("--proxy", "/nonexistent/stratumproxyd"), "did not become ready"),
        ):
            process = await asyncio.create_subprocess_exec(
                PROGRAM, "bench", *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
            )
            out, errors = await asyncio.wait_for(process.communicate(), 30 * SLOWNESS)
            self.assertEqual((process.returncode, out), (2, b""))
            self.assertIn(words, errors.decode().splitlines()[-1])


if __name__ == "__main__":
    unittest.main(verbosity=2)
