#!/usr/bin/env python3
"""The programs in docs/embedding.md are the files that the tests build and run.

Usage: same_text.py DOCUMENT PROJECT_DIRECTORY
"""
import pathlib
import re
import sys


def main():
    document, project = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    text = document.read_text(encoding="utf-8")
    shown = re.findall(r"^```(?:cpp|cmake)\n(.*?)^```$", text, re.S | re.M)
    files = [*sorted(project.glob("*.cpp")), project / "CMakeLists.txt"]
    known = {file.read_text(encoding="utf-8"): file.name for file in files}
    missing = [name for content, name in known.items() if content not in shown]
    foreign = [block.splitlines()[0] for block in shown if block not in known]
    for name in missing:
        print(f"{document.name} does not show {name} as it is", file=sys.stderr)
    for line in foreign:
        print(f"{document.name} shows a program that is no file of {project.name}: {line}", file=sys.stderr)
    return 1 if missing or foreign else 0


if __name__ == "__main__":
    sys.exit(main())
