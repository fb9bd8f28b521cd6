#!/usr/bin/env python3
"""The version stands in CMakeLists.txt; the first entry of CHANGELOG.md is about that version.

Usage: changelog.py SOURCE_ROOT
"""
import datetime
import pathlib
import re
import sys


def fault(cmake, changes):
    """What is wrong, or nothing."""
    version = re.search(r"^project\(\w+ VERSION (\d+\.\d+\.\d+)\b", cmake, re.M)
    if not version:
        return "CMakeLists.txt: project() has no version of three numbers"
    newest = re.search(r"^## (.*)$", changes, re.M)
    entry = newest and re.fullmatch(r"(\d+\.\d+\.\d+), (\d{4}-\d\d-\d\d)", newest[1])
    if not entry:
        return "CHANGELOG.md: the first entry is not headed '## VERSION, YYYY-MM-DD'"
    if entry[1] != version[1]:
        return f"CHANGELOG.md begins with {entry[1]}, but CMakeLists.txt says {version[1]}"
    try:
        datetime.date.fromisoformat(entry[2])
    except ValueError:
        return f"CHANGELOG.md: {entry[2]} is no day"
    return None


def main():
    root = pathlib.Path(sys.argv[1])
    assert fault("project(p VERSION 1.2.3 LANGUAGES CXX", "## 1.2.4, 2026-01-02") and not fault("project(p VERSION 1.2.3)", "## 1.2.3, 2026-01-02")
    found = fault(*((root / name).read_text(encoding="utf-8") for name in ("CMakeLists.txt", "CHANGELOG.md")))
    if found:
        sys.exit(found)


if __name__ == "__main__":
    main()
