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


def runs(load, way=benchmark.STRATUMPROXY, **figures):
    """Runs of both with these values of one key, one after the other."""
    (key, (haproxy, ours)), = figures.items()
    return [
        {"load": load, "way": between, key: value, "load_average": 0.5, "others_percent": 3}
        for between, values in ((benchmark.HAPROXY, haproxy), (way, ours))
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

    def test_shared_links_are_judged_by_their_own_runs(self):
        measured = runs("closed", benchmark.SHARED_FULL, shares_per_second=([100], [101]))
        measured += runs("closed", benchmark.SHARED_BASIC, shares_per_second=([], [119]))
        measured += runs("closed", shares_per_second=([], [75]))
        for name, median, reached in (("shares", 75, True), ("shares-basic", 119, False), ("shares-full", 101, True)):
            with self.subTest(name):
                result = benchmark.result_of(row(name), measured)
                self.assertEqual(result["medians"], {benchmark.HAPROXY: 100, row(name).way: median})
                self.assertEqual(result["reached"], reached)

    def test_an_absolute_row_needs_no_other_proxy(self):
        for value, reached in ((1.2, True), (1.21, False)):
            result = benchmark.result_of(row("memory-shared"), runs("crowd", benchmark.SHARED_FULL, proxy_kib_per_worker=([], [value])))
            self.assertEqual((result["ratio"], result["reached"]), (None, reached))
        self.assertEqual(benchmark.ways_of([row("memory-shared")], "crowd"), [benchmark.SHARED_FULL])
        self.assertEqual(
            benchmark.ways_of([row("memory"), row("memory-shared")], "crowd"),
            [benchmark.HAPROXY, benchmark.STRATUMPROXY, benchmark.SHARED_FULL, benchmark.DIRECT],
        )

    def test_tls_is_compared_with_its_absence(self):
        measured = runs("tls", benchmark.TLS, proxy_cpu_us_per_share=([], [30])) + runs("tls", proxy_cpu_us_per_share=([], [20]))
        result = benchmark.result_of(row("cpu-tls"), measured)
        self.assertEqual((result["ratio"], result["reached"]), (1.5, True))
        self.assertEqual(
            benchmark.ways_of([row("cpu-tls"), row("memory-tls")], "tls"), [benchmark.STRATUMPROXY, benchmark.TLS],
        )

    def test_a_soak_with_one_lost_share_or_too_few_is_a_failure(self):
        rate, lost = (row for row in benchmark.ROWS if row.name == "soak")
        for value, reached in ((2000, True), (1980, False)):
            self.assertEqual(benchmark.result_of(rate, runs("soak", rate.way, shares_per_second=([], [value])))["reached"], reached)
        for value, reached in ((0, True), (1, False)):
            self.assertEqual(benchmark.result_of(lost, runs("soak", lost.way, lost=([], [value])))["reached"], reached)


@unittest.skipUnless(HAPROXY, "no haproxy here: scripts/install-dependencies benchmark")
class Quick(unittest.TestCase):
    def test_a_quick_round_measures_each_way(self):
        with tempfile.TemporaryDirectory() as place:
            done = subprocess.run(
                [sys.executable, "-B", LIBRARY / "benchmark.py", "--daemon", DAEMON, "--load", LOAD, "--quick", "--json",
                 "--row", "shares", "--row", "shares-basic", "--row", "shares-full", "--row", "cpu-tls"],
                env=os.environ | {"TMPDIR": place}, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120 * SLOWNESS,
            )
            self.assertEqual(os.listdir(place), [])
        self.assertIn(done.returncode, (0, 1), done.stderr)  # how fast it is does not matter here
        result = json.loads(done.stdout)
        self.assertTrue(result["clean"], result)
        self.assertEqual([run["way"] for run in result["runs"]], [
            benchmark.HAPROXY, benchmark.STRATUMPROXY, benchmark.SHARED_BASIC, benchmark.SHARED_FULL, benchmark.DIRECT,
            benchmark.STRATUMPROXY, benchmark.TLS,
        ])
        for run in result["runs"]:
            self.assertEqual(run["exit_code"], 0)
            self.assertEqual(run["sent"], run["accepted"] + run["rejected"] + run["unknown"])
            if run["way"] in (benchmark.SHARED_BASIC, benchmark.SHARED_FULL):
                self.assertLessEqual(run["pool_connections"], benchmark.THREADS, "each shard has a link of its own")
            else:
                self.assertGreaterEqual(run["pool_connections"], run["workers"])
        self.assertEqual(all(row["reached"] for row in result["rows"]), done.returncode == 0)
        for row, run in zip(result["rows"][:3], result["runs"][1:]):
            self.assertAlmostEqual(row["ratio"], run["shares_per_second"] / result["runs"][0]["shares_per_second"], places=3)
        plain, over_tls = (run["proxy_cpu_us_per_share"] for run in result["runs"][-2:])
        self.assertAlmostEqual(result["rows"][3]["ratio"], over_tls / plain, places=3)


if __name__ == "__main__":
    unittest.main(verbosity=2)
