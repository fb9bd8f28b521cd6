"""scripts/benchmark judges its figures as it says, and its quick form runs."""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

TESTS = pathlib.Path(__file__).resolve().parents[1]
LIBRARY = TESTS.parent / "scripts" / "lib"
sys.path[:0] = [str(TESTS / "support"), str(LIBRARY)]

from waiting import SLOWNESS

import benchmark

DAEMON = os.environ.get("SPX_DAEMON", "stratumproxyd")
LOAD = os.environ.get("SPX_LOAD", "stratumload")
HAPROXY = shutil.which("haproxy", path=benchmark.PROGRAM_PATH)


def runs(load, **figures):
    """Runs of both with these values of one key, one after the other."""
    (key, (haproxy, stratumproxy)), = figures.items()
    return [
        {"load": load, "way": way, key: value, "load_average": 0.5, "others_percent": 3}
        for way, values in ((benchmark.HAPROXY, haproxy), (benchmark.STRATUMPROXY, stratumproxy))
        for value in values
    ]


def row(name):
    return next(row for row in benchmark.ROWS if row.name == name)


class Judgement(unittest.TestCase):
    def test_medians_are_compared_not_single_runs(self):
        result = benchmark.result_of(row("shares"), runs("closed", shares_per_second=([60_000, 64_000, 10_000], [90_000, 50_000, 48_000])))
        self.assertEqual(result["medians"], {benchmark.HAPROXY: 60_000, benchmark.STRATUMPROXY: 50_000})
        self.assertEqual(result["ratio"], 0.833)
        self.assertTrue(result["reached"])

    def test_more_shares_are_better_and_less_of_everything_else(self):
        for name, key, load, good, bad in (
            ("shares", "shares_per_second", "closed", 75, 74.9), ("cpu", "proxy_cpu_us_per_share", "closed", 140, 140.1),
            ("verdict", "verdict_p99_us", "open", 140, 141), ("job", "job_to_last_ms", "crowd", 120, 121),
            ("memory", "proxy_kib_per_worker", "crowd", 150, 151), ("login", "login_seconds", "crowd", 150, 151),
        ):
            with self.subTest(name):
                self.assertTrue(benchmark.result_of(row(name), runs(load, **{key: ([100], [good])}))["reached"])
                self.assertFalse(benchmark.result_of(row(name), runs(load, **{key: ([100], [bad])}))["reached"])


@unittest.skipUnless(HAPROXY, "no haproxy here: scripts/install-dependencies benchmark")
class Quick(unittest.TestCase):
    def test_a_quick_round_measures_all_three(self):
        with tempfile.TemporaryDirectory() as place:
            done = subprocess.run(
                [sys.executable, "-B", LIBRARY / "benchmark.py", "--daemon", DAEMON, "--load", LOAD, "--quick", "--row", "shares", "--json"],
                env=os.environ | {"TMPDIR": place}, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120 * SLOWNESS,
            )
            self.assertEqual(os.listdir(place), [])
        self.assertIn(done.returncode, (0, 1), done.stderr)  # how fast it is does not matter here
        result = json.loads(done.stdout)
        self.assertTrue(result["clean"], result)
        self.assertEqual([run["way"] for run in result["runs"]], [benchmark.HAPROXY, benchmark.STRATUMPROXY, benchmark.DIRECT])
        for run in result["runs"]:
            self.assertEqual(run["exit_code"], 0)
            self.assertEqual(run["sent"], run["accepted"] + run["rejected"] + run["unknown"])
        only, = result["rows"]
        self.assertEqual(only["reached"], done.returncode == 0)
        self.assertAlmostEqual(only["ratio"], result["runs"][1]["shares_per_second"] / result["runs"][0]["shares_per_second"], places=3)


if __name__ == "__main__":
    unittest.main(verbosity=2)
