"""The six secrets that the whole suite used are in none of the logs it left behind.

Each test looks through its own daemon's log, metrics and HTTP answers when it ends; this one, which runs last, looks
through everything once more.
"""
import os
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from canaries import ALL, found_in


class Canaries(unittest.TestCase):
    def test_no_secret_in_any_log(self):
        folder = pathlib.Path(os.environ.get("SPX_LOG_DIR", "/nonexistent"))
        logs = sorted(folder.glob("*.log")) if folder.is_dir() else []
        if not logs:
            self.skipTest("no logs: SPX_LOG_DIR names no folder of a run")
        size = 0
        for log in logs:
            text = log.read_text(encoding="utf-8", errors="replace")
            size += len(text)
            self.assertEqual(found_in(text), [], log.name)
        self.assertGreater(size, 0)
        print(f"{len(ALL)} secrets, {len(logs)} logs, {size} bytes: 0 hits", flush=True)


if __name__ == "__main__":
    unittest.main(verbosity=2)
