"""scripts/demo shows true figures, its shares add up, and it leaves nothing behind however it ends."""
import os
import pathlib
import pty
import re
import select
import signal
import subprocess
import sys
import tempfile
import termios
import time
import unittest
import uuid

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from waiting import SLOWNESS

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "scripts" / "lib" / "demo.py"
DAEMON = os.environ.get("SPX_DAEMON", "stratumproxyd")
LOAD = os.environ.get("SPX_LOAD", "stratumload")
LIMIT = 60 * SLOWNESS
UNITS = {"H/s": 1, "kH/s": 1e3, "MH/s": 1e6, "GH/s": 1e9, "TH/s": 1e12}
LEDGER = re.compile(r"^sent (\d+) = accepted (\d+) \+ rejected (\d+) \+ unknown (\d+); workers and proxy agree\.$", re.M)
RIG = re.compile(r"^(\w+\.\w+) +(\S+) +(\S+) (\S+) +(\S+) (\S+) +(\d+) +(\d+) +(\d+) +(\d+)$", re.M)
RIGS = {"alice.rack1", "alice.rack2", "bob.garage", "bob.roof", "carol.barn1", "carol.barn2"}


class Demo(unittest.TestCase):
    def setUp(self):
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        self.place = pathlib.Path(place.name)
        self.mark = f"SPX_DEMO_MARK={uuid.uuid4()}"
        self.environment = os.environ | {"TMPDIR": place.name} | dict([self.mark.split("=")])

    def command(self, *arguments, daemon=DAEMON, load=LOAD):
        return [sys.executable, "-B", str(SCRIPT), "--daemon", daemon, "--load", load, *arguments]

    def run_it(self, *arguments, **programs):
        return subprocess.run(
            self.command(*arguments, **programs), env=self.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT
        )

    def nothing_is_left(self):
        self.assertEqual(list(self.place.iterdir()), [])
        for environment in pathlib.Path("/proc").glob("[0-9]*/environ"):
            try:
                self.assertNotIn(self.mark.encode(), environment.read_bytes(), environment)
            except OSError:
                continue  # it ended meanwhile, or belongs to somebody else

    def ledger(self, text):
        found = LEDGER.search(text)
        self.assertTrue(found, text)
        sent, accepted, rejected, unknown = map(int, found.groups())
        self.assertEqual(sent, accepted + rejected + unknown)
        return sent, accepted, rejected, unknown

    def test_a_bounded_run_shows_what_is_so(self):
        done = self.run_it("--seconds", "6")
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        sent, accepted, _, unknown = self.ledger(done.stdout)
        self.assertGreater(sent, 100)
        self.assertGreater(accepted, sent / 2)
        self.assertGreater(unknown, 0, "shares were on their way when the pool hung and dropped")
        self.assertIn("DOWN", done.stdout)
        self.assertNotIn("\x1b", done.stdout)  # no terminal: plain tables
        rigs = RIG.findall(done.stdout.split("\nworker ")[-1])
        self.assertEqual({rig[0] for rig in rigs}, RIGS)
        self.assertEqual({rig[1] for rig in rigs}, {"4096", "8192"})
        made = {rig[0]: float(rig[2]) * UNITS[rig[3]] for rig in rigs}
        shown = {rig[0]: float(rig[4]) * UNITS[rig[5]] for rig in rigs}
        self.assertEqual(len(set(made.values())), 6)
        for rig in RIGS - {"carol.barn1", "carol.barn2"}:  # whose pool dropped
            self.assertLess(abs(shown[rig] / made[rig] - 1), 0.5, done.stdout)
        self.assertLessEqual(max(map(len, done.stdout.split("\nAfter ")[0].splitlines())), 79, done.stdout)
        self.nothing_is_left()

    def on_a_terminal(self, until, number):
        """Starts the endless demo on a terminal of its own, sends the signal when the text has come; gives all it showed."""
        try:
            master, slave = pty.openpty()
        except OSError as error:
            self.skipTest(f"no terminal to be had here: {error}")  # a bare root without /dev/pts
        termios.tcsetwinsize(slave, (24, 80))
        os.set_blocking(master, False)
        process = subprocess.Popen(self.command(), env=self.environment, stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
        os.close(slave)
        out, signalled, end = b"", False, time.monotonic() + LIMIT
        try:
            while True:
                if not select.select([master], [], [], LIMIT)[0] or time.monotonic() > end:
                    self.fail(f"it goes on after {out[-2000:]}")
                try:
                    piece = os.read(master, 65536)
                except OSError:  # the other end is closed
                    break
                out += piece
                if not signalled and re.search(until, out):
                    process.send_signal(number)
                    signalled = True
            code = process.wait(LIMIT)
        finally:
            os.close(master)
            process.terminate()
            process.wait(LIMIT)
        return code, out.decode()

    def test_ctrl_c_ends_it_in_order(self):
        code, text = self.on_a_terminal(rb"(?s)\x1b\[\d+A.*all +[1-9]", signal.SIGINT)  # drawn again in place
        self.assertEqual(code, 0, text)
        self.assertGreater(self.ledger(text.replace("\r\n", "\n"))[0], 0)
        self.nothing_is_left()

    def test_a_termination_while_the_pool_is_down_leaves_nothing(self):
        code, text = self.on_a_terminal(rb"DOWN", signal.SIGTERM)
        self.assertEqual(code, 0, text)
        self.ledger(text.replace("\r\n", "\n"))
        self.nothing_is_left()

    def test_a_program_that_does_not_start_is_said_in_a_line(self):
        for programs, words in (({"daemon": "/nonexistent"}, "cannot start stratumproxyd"), ({"load": "/bin/false"}, "pool did not start")):
            done = self.run_it("--seconds", "5", **programs)
            self.assertEqual((done.returncode, done.stdout), (2, ""))
            self.assertIn(words, done.stderr)
            self.assertNotIn("Traceback", done.stderr)
            self.nothing_is_left()


if __name__ == "__main__":
    unittest.main(verbosity=2)
