#!/usr/bin/env python3
"""Compiles every public header alone: each must include what it uses.

Usage: public_headers.py COMPILER INCLUDE_DIRECTORY
"""

import pathlib
import subprocess
import sys


def main():
    compiler, include = sys.argv[1], pathlib.Path(sys.argv[2])
    headers = sorted(include.rglob("*.hpp"))
    if not headers:
        sys.exit(f"{include}: no headers found")
    failed = 0
    for header in headers:
        name = header.relative_to(include)
        # Twice: a header without #pragma once would define everything again.
        source = f'#include "{name}"\n#include "{name}"\n'
        run = subprocess.run(
            [compiler, "-std=c++20", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", f"-I{include}", "-x", "c++", "-"],
            input=source, text=True, capture_output=True)
        if run.returncode != 0:
            failed += 1
            print(f"{name} does not compile alone:\n{run.stderr}", file=sys.stderr)
    print(f"{len(headers) - failed} of {len(headers)} public headers compile alone")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
