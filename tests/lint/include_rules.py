#!/usr/bin/env python3
"""Checks who includes whom, and that nothing below src/net touches a socket, a clock or a random source.

Usage: include_rules.py SOURCE_ROOT

The layers: base <- {protocol, algorithm, metrics} <- session <- net <- facade <- apps. A folder of the library's src/
is a layer; a public header belongs to the layer that implements it. docs/architecture.md draws the picture.
"""

import pathlib
import re
import sys

ALLOWED = {
    "base": {"base"},
    "protocol": {"base", "protocol"},
    "algorithm": {"base", "algorithm"},
    "metrics": {"base", "metrics"},
    "session": {"base", "protocol", "algorithm", "metrics", "session"},
    "net": {"base", "protocol", "algorithm", "metrics", "session", "net"},
    "facade": {"base", "protocol", "algorithm", "metrics", "session", "net", "facade"},
}

# Public headers that are not base vocabulary, by path below include/stratumproxy; a folder is the layer of its headers.
PUBLIC_LAYER = {
    "algorithm.hpp": "algorithm",
    "metrics.hpp": "metrics",
    "proxy.hpp": "facade",
    "asio.hpp": "facade",
    "bans.hpp": "net",
    "scheduling.hpp": "net",
    "tls_certificate.hpp": "net",
    "tls_client.hpp": "net",
    "tls_stream.hpp": "net",
}

PUBLIC = "libstratumproxy/include/stratumproxy/"
SOURCE = "libstratumproxy/src/"

# (what, pattern of the included name, the places that may)
ONLY_IN = [
    ("RapidJSON", re.compile(r"^rapidjson/"),
     ("libstratumproxy/src/protocol/", "apps/", "tests/")),
    ("Asio", re.compile(r"^asio(\.hpp$|/)"),
     ("libstratumproxy/src/net/", "libstratumproxy/src/facade/", "libstratumproxy/include/stratumproxy/asio.hpp",
      "apps/", "tests/")),
    ("libpqxx", re.compile(r"^(pqxx(/|$)|libpq)"), ("apps/stratumproxyd/store/", "tests/")),
    ("SQLite", re.compile(r"^sqlite3"), ("apps/stratumproxyd/store/", "tests/")),
    ("cpp-httplib", re.compile(r"^httplib"), ("apps/", "tests/")),
    ("prometheus-cpp", re.compile(r"^prometheus/"), ("apps/", "tests/")),
    ("spdlog", re.compile(r"^spdlog/"), ("apps/", "tests/")),
]

# Sockets, clocks and random sources belong to net, facade and the apps: the core is handed bytes, times and randomness.
CORE = tuple(SOURCE + layer + "/" for layer in ("base", "protocol", "algorithm", "metrics", "session")) + (PUBLIC,)
CORE_HEADERS = re.compile(r"^(sys/socket\.h|netinet/.*|arpa/inet\.h|netdb\.h|poll\.h|sys/epoll\.h|random|thread|"
                          r"condition_variable|future|sys/time\.h|time\.h|ctime)$")
CORE_CALLS = re.compile(r"clock::now\s*\(|\brandom_device\b|\bgetrandom\b|\bclock_gettime\b|\bgettimeofday\b|"
                        r"(?<![\w.>])::socket\s*\(|\bstd::time\s*\(|\b(?:std::)?rand\s*\(\s*\)")
SLEEP = re.compile(r"\bsleep_for\b|\bsleep_until\b|\busleep\s*\(|\bnanosleep\s*\(|(?<![\w.:])sleep\s*\(|::sleep\s*\(|"
                   r"\btime\.sleep\s*\(")

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
CODE = (".cpp", ".hpp", ".h", ".cc")


def strip_comments(text):
    """Blanks out comments and string literals, keeping the lines."""
    pattern = re.compile(r'//[^\n]*|/\*.*?\*/|R"([^\s()\\]{0,16})\(.*?\)\1"|"(?:\\.|[^"\\\n])*"', re.S)
    return pattern.sub(lambda match: "\n" * match.group(0).count("\n"), text)


def layer_of(path):
    """The layer of a library file, given relative to the root; None outside of the library."""
    if path.startswith(SOURCE):
        return path[len(SOURCE):].split("/")[0]
    if path.startswith(PUBLIC):
        inside = path[len(PUBLIC):]
        return inside.split("/")[0] if "/" in inside else PUBLIC_LAYER.get(inside, "base")
    return None


def included_layer(name):
    """The layer that `#include "name"` reaches into; None when it is no file of the library."""
    if name.startswith("stratumproxy/"):
        return layer_of(PUBLIC + name[len("stratumproxy/"):])
    first = name.split("/")[0]
    return first if "/" in name and first in ALLOWED else None


def check(path, text):
    """Yields (line number, message) for one file; `path` is relative to the root, with slashes."""
    own = layer_of(path)
    if own is not None and own not in ALLOWED:
        yield 1, f"{own} is not a layer"
        return
    for number, line in enumerate(text.splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        name = match.group(2)
        target = included_layer(name)
        if own is not None and target is not None and target not in ALLOWED[own]:
            yield number, f"{own} must not include {name}, which belongs to {target}"
        if path.startswith(PUBLIC) and match.group(1) == '"' and not name.startswith("stratumproxy/"):
            yield number, f"a public header must not include the private {name}"
        if path.startswith("apps/") and target is not None and not name.startswith("stratumproxy/"):
            yield number, f"an app may include public headers only, not the library's {name}"
        for what, pattern, places in ONLY_IN:
            if pattern.match(name) and not path.startswith(places):
                yield number, f"{what} belongs to {', '.join(p for p in places if p != 'tests/')}"
        if path.startswith(CORE) and CORE_HEADERS.match(name):
            yield number, f"<{name}> below net: the core owns no socket, clock, thread or random source"
    for number, line in enumerate(strip_comments(text).splitlines(), 1):
        if path.startswith(CORE):
            found = CORE_CALLS.search(line)
            if found:
                yield number, f"{found.group(0).strip()} below net: it is handed in from outside"
        if path.startswith("tests/") and SLEEP.search(line):
            yield number, "a test must not sleep: wait for the event, or use the virtual clock"


def main():
    root = pathlib.Path(sys.argv[1])
    checked = problems = 0
    for top in ("libstratumproxy", "apps", "tests"):
        for file in sorted((root / top).rglob("*")):
            if file.suffix not in CODE or not file.is_file():
                continue
            checked += 1
            path = file.relative_to(root).as_posix()
            for number, message in check(path, file.read_text(encoding="utf-8")):
                problems += 1
                print(f"{path}:{number}: {message}", file=sys.stderr)
    if not checked:
        sys.exit(f"{root}: no sources found")
    print(f"{checked} files, {problems} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
