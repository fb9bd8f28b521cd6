#!/usr/bin/env python3
"""The manual pages and --help tell of the same commands and options.

Usage: man_pages.py stratumproxyd=PROGRAM [stratumload=PROGRAM]
"""
import pathlib
import re
import shutil
import subprocess
import sys

MANUALS = pathlib.Path(__file__).resolve().parents[2] / "docs" / "man"
PAGES = {"stratumproxyd": "stratumproxyd.8", "stratumload": "stratumload.1"}
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9.-]*")


def help_of(program, path):
    return subprocess.run([program, *path, "--help"], capture_output=True, text=True, check=True).stdout


def options_in_help(text):
    """The names at the beginnings of lines; descriptions may name others."""
    heads = [re.split(r"\s{2,}", line.strip())[0] for line in text.splitlines() if re.match(r" {2,6}-", line)]
    return {option for head in heads for option in OPTION.findall(head)}


def commands_in_help(text):
    found, inside = [], False
    for line in text.splitlines():
        if re.match(r"(Commands|Subcommands):$", line):
            inside = True
        elif not line.startswith("  "):
            inside = False
        elif inside and (match := re.match(r"  ([a-z][a-z-]*)", line)):
            found.append(match.group(1))
    return found


def tree(program, path=()):
    """Every command with the options of its own."""
    text = help_of(program, path)
    yield path, options_in_help(text) - ({"--help"} if path else set())
    for name in commands_in_help(text):
        yield from tree(program, (*path, name))


def plain(roff):
    """The text without fonts; requests keep their dot."""
    text = re.sub(r"\\f.|\\&", "", roff).replace("\\-", "-").replace('"', "")
    # .BR and .BI set their words alternately, without blanks between those that were not quoted.
    return re.sub(r"(?m)^\.(B|I|BR|BI|RB|RI|IR|IB) ", "", text)


def blocks(page):
    """The pieces that tell of one command each, by its path."""
    text = plain(page)
    found = {}
    options = text.split(".SH OPTIONS\n")[1]
    found[()] = re.split(r"(?m)^\.SH ", options)[0]
    body = re.split(r"(?m)^\.SH (?:COMMANDS|ROLES)\n", text)[1]
    body = re.split(r"(?m)^\.SH ", body)[0]
    pieces = re.split(r"(?m)^\.SS ", body)[1:] if "\n.SS " in body else re.split(r"(?m)^\.TP\n", body)[1:]
    for piece in pieces:
        path = []
        for word in piece.split("\n")[0].split():
            if not re.fullmatch(r"[a-z][a-z-]*", word):
                break
            path.append(word)
        found[tuple(path)] = piece
    return found


def compare(name, program):
    page = (MANUALS / PAGES[name]).read_text(encoding="utf-8")
    written, problems = blocks(page), []
    for path, options in tree(program):
        called = " ".join((name, *path))
        is_group = any(other[: len(path)] == path and len(other) > len(path) for other in written) and path
        if path not in written:
            if not is_group:
                problems.append(f"the manual page has no {called}")
            continue
        told = set(OPTION.findall(written.pop(path)))
        told -= {"--help"} if path else set()
        for option in sorted(options ^ told):
            problems.append(f"{called} {option}: only in {'--help' if option in options else 'the manual page'}")
    problems += [f"{name} {' '.join(path)}: only in the manual page" for path in written]
    if groff := shutil.which("groff"):
        ended = subprocess.run([groff, "-man", "-Tascii", "-ww", "-z", str(MANUALS / PAGES[name])], capture_output=True, text=True, check=False)
        problems += ended.stderr.splitlines()
    return problems


def main():
    problems = [each for given in sys.argv[1:] for each in compare(*given.split("=", 1))]
    for each in problems:
        print(each, file=sys.stderr)
    print(f"{len(sys.argv) - 1} manual pages, {len(problems)} problems")
    return 1 if problems or len(sys.argv) < 2 else 0


if __name__ == "__main__":
    sys.exit(main())
