"""The demo behind scripts/demo: simulated pools and workers, stratumproxyd between, and a live table. See docs/operations.md."""
import argparse
import collections
import contextlib
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import sys
import tempfile
import time

from programs import Failure, Program, Stop, free_port, hold_signals, pause, wait_for

Kind = collections.namedtuple("Kind", "algorithm divider difficulty reject_percent")
SHA256D = Kind("sha256d", 1, 4096, 2)
SCRYPT = Kind("scrypt", 65536, 8192, 1)
# account, kind of its pool, {rig: shares/s}. Each rig's rate stands for its hashrate.
FARM = (
    ("alice", SHA256D, {"rack1": 6, "rack2": 11}),
    ("bob", SHA256D, {"garage": 4, "roof": 8}),
    ("carol", SCRYPT, {"barn1": 5, "barn2": 9}),
)
DROPS = SCRYPT  # the pool that hangs, drops and returns
LONGEST = 7 * 24 * 3600
WINDOW = 8  # seconds

# Short times, so that a bounded run shows it all. The window of the hashrate holds at least 30 shares of the slowest rig.
CONFIG = """\
[stratum]
addr = "127.0.0.1:0"
[web]
addr = "127.0.0.1:0"
[db]
url = "sqlite:{directory}/demo.db"
[log]
level = "warning"
[metrics]
tag = "demo"
window_seconds = {window}
interval_seconds = 1
flush_seconds = 0.2
[upstream]
retry_min_seconds = 0.5
retry_max_seconds = 1
spread_seconds = 0.5
share_wait_seconds = 3
"""


def hashes_of(kind, count):
    """Expected hashes of so many shares: docs/metrics.md."""
    return count * 2**32 * kind.difficulty / kind.divider


def hashrate(value):
    for unit in ("H/s", "kH/s", "MH/s", "GH/s", "TH/s", "PH/s"):
        if value < 1000 or unit == "PH/s":
            return f"{value:.1f} {unit}"
        value /= 1000


def columns(rows, words=1):
    """Lines of equal columns; all but the first `words` are set to the right."""
    rows = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(cell) for cell in column) for column in zip(*rows)]
    for row in rows:
        cells = (cell.ljust(w) if at < words else cell.rjust(w) for at, (cell, w) in enumerate(zip(row, widths)))
        yield "  ".join(cells).rstrip()


class Metrics:
    """One look at the daemon's /metrics."""

    _LINE = re.compile(r"^(\w+)\{(.*)\} (\S+)$")
    _LABEL = re.compile(r'(\w+)="([^"\\]*)"')

    def __init__(self, text):
        self.rows = [
            (match[1], dict(self._LABEL.findall(match[2])), float(match[3])) for match in map(self._LINE.match, text.splitlines()) if match
        ]

    def find(self, name, **labels):
        return [(have, value) for key, have, value in self.rows if key == name and labels.items() <= have.items()]

    def sum(self, name, **labels):
        return sum(value for _, value in self.find(name, **labels))


PARTS = ("sent", "accepted", "rejected", "unknown")
WORKER_COUNTERS = dict(zip(PARTS, ("proxy_worker_sended", "proxy_worker_accepted", "proxy_worker_rejected_total", "proxy_worker_unknown_total")))
TOTALS = {part: f"proxy_shares_{part}_total" for part in PARTS}


def shares(metrics, names, **labels):
    return collections.Counter({part: int(metrics.sum(name, **labels)) for part, name in names.items()})


def waiting(counted):
    """Shares without an end so far."""
    return counted["sent"] - counted["accepted"] - counted["rejected"] - counted["unknown"]


class Web:
    """The daemon's HTTP interface."""

    def __init__(self, address):
        self.address = address

    def ask(self, method, path, body=None):
        connection = http.client.HTTPConnection(self.address, timeout=10)
        try:
            connection.request(method, path, json.dumps(body) if body else None)
            answer = connection.getresponse()
            text = answer.read().decode()
        except (OSError, http.client.HTTPException) as error:
            raise Failure(f"the proxy does not answer {path}: {error}") from None
        finally:
            connection.close()
        if answer.status >= 300:
            raise Failure(f"{method} {path}: {answer.status} {text.strip()}")
        return text

    def metrics(self):
        return Metrics(self.ask("GET", "/metrics"))


class Pool:
    """A simulated pool that can be made to hang, drop and return on its port."""

    def __init__(self, house, kind):
        self.house, self.kind = house, kind
        self.address = f"127.0.0.1:{free_port()}"
        self.counted = collections.Counter()
        self.start()

    def start(self):
        self.program = self.house.start(
            f"the {self.kind.algorithm} pool", self.house.load, "pool", "--json", "--listen", self.address, "--job-seconds", 4,
            "--difficulty", self.kind.difficulty, "--reject-percent", self.kind.reject_percent,
        )
        self.program.ready()
        self.state = "up"

    def hang(self):
        self.program.send(signal.SIGSTOP)
        self.state = "hangs"

    def end(self):
        if self.state != "down":
            self.program.ask_to_end()
            self.counted.update({key: value for key, value in self.program.figures().items() if key in ("accepted", "rejected")})
        self.state = "down"


class Outage:
    """A pool hangs, so that some shares are on their way, then ends, and returns; again and again in an endless run."""

    def __init__(self, pool, seconds):
        self.pool = pool
        self.down_for = min(5, seconds * 0.2)
        self.every = 30 if seconds == LONGEST else LONGEST
        self.next = min(12, seconds * 0.4)

    def step(self, at):
        if at < self.next:
            return
        if self.pool.state == "up":
            self.pool.hang()
            self.next = at + 0.5
        elif self.pool.state == "hangs":
            self.pool.end()
            self.next = at + self.down_for
        else:
            self.pool.start()
            self.next = at + self.every

    def over(self):
        """A pool that hangs would keep the last shares without their end."""
        if self.pool.state == "hangs":
            self.pool.end()


class Worker:
    """A simulated worker, a process of its own."""

    def __init__(self, house, account, pool, rig, rate):
        self.account, self.pool, self.rig, self.rate = account, pool, rig, rate
        self.program = house.start(
            f"{account}.{rig}", house.load, "miners", "--json", "--connect", house.stratum, "--user", f"{house.names[account]}.{rig}",
            "--plain-user", "--workers", 1, "--shares-per-second", rate, "--seconds", LONGEST,
        )

    def address(self):
        """Where its connection comes from: by that the metrics name a worker."""
        with contextlib.suppress(OSError):
            sockets = {os.readlink(fd) for fd in pathlib.Path(f"/proc/{self.program.pid}/fd").iterdir()}
            for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
                fields = line.split()
                if f"socket:[{fields[9]}]" in sockets:
                    return f"127.0.0.1:{int(fields[1].split(':')[1], 16)}"
        return ""


class House:
    """Everything that runs; its files are in one directory."""

    def __init__(self, daemon, load, directory):
        self.daemon, self.load, self.directory = daemon, load, directory
        self.log = open(f"{directory}/log", "ab")
        self.programs, self.names = [], {}
        self.pools, self.workers = {}, []

    def start(self, name, *command):
        self.programs.append(Program(name, *command, errors=self.log))
        return self.programs[-1]

    def open(self):
        config = pathlib.Path(self.directory, "demo.toml")
        config.write_text(CONFIG.format(directory=self.directory, window=WINDOW))
        self.proxy = self.start("stratumproxyd", self.daemon, "--config", config)
        said = self.proxy.ready()
        self.stratum, self.web = said["stratum"], Web(said["web"])
        for account, kind, rigs in FARM:
            if kind not in self.pools:
                self.pools[kind] = Pool(self, kind)
                self.web.ask("POST", "/api/v1/pools", {"pool": self.pools[kind].address, "algorithm": kind.algorithm})
            pool = self.pools[kind]
            answer = self.web.ask("POST", "/api/v1/users", {"pool": pool.address, "user": account, "password": "x"})
            self.names[account] = json.loads(answer)["name"]
            self.workers += [Worker(self, account, pool, rig, rate) for rig, rate in rigs.items()]

    def check(self):
        running = [self.proxy, *(worker.program for worker in self.workers), *(pool.program for pool in self.pools.values() if pool.state != "down")]
        for program in running:
            if program.process.poll() is not None:
                raise Failure(f"{program.name} ended by itself with {program.process.returncode}")

    def close(self):
        """Whatever still runs ends, by its pid."""
        for program in reversed(self.programs):
            program.end()
        self.log.close()


def pool_line(pool, metrics):
    """What the proxy says of a pool, but for what only the demo knows: that it hangs, or is gone."""
    here = {"pool": pool.address}
    links = [f"{value:.0f} {labels['state']}" for labels, value in metrics.find("proxy_links", **here) if value]
    state = {"up": "up" if metrics.sum("proxy_pool_up", **here) else "returns", "hangs": "HANGS", "down": "DOWN"}[pool.state]
    drops = metrics.sum("proxy_link_drops_total", **here)
    return f"{pool.kind.algorithm} on {pool.address}, divider {pool.kind.divider}: {state}; {', '.join(links) or 'no links'}; {drops:.0f} drops"


def table(house, at, seconds):
    """The lines of the live table, at most 79 columns wide in a usual run."""
    metrics = house.web.metrics()
    rows = [("worker", "diff", "makes", "hashrate", *PARTS)]
    total = collections.Counter()
    for worker in house.workers:
        here, kind = {"worker": worker.address()}, worker.pool.kind
        counted = shares(metrics, WORKER_COUNTERS, **here)
        total.update(counted)
        rows.append((
            f"{worker.account}.{worker.rig}", f"{metrics.sum('proxy_worker_difficulty', **here):g}",
            hashrate(hashes_of(kind, worker.rate)), hashrate(metrics.sum("proxy_worker_speed", **here)), *(counted[part] for part in PARTS),
        ))
    head, *lines, last = columns([*rows, ("all", "", "", "", *(total[part] for part in PARTS))])
    until = "until Ctrl-C" if seconds == LONGEST else f"of {seconds:g} s"
    yield f"proxy {house.stratum}, http://{house.web.address}/metrics: {at:.0f} s {until}"
    yield ""
    yield head
    for pool in house.pools.values():
        yield pool_line(pool, metrics)
        yield from (line for worker, line in zip(house.workers, lines) if worker.pool is pool)
    yield last
    yield f"(makes: what its shares stand for; hashrate: accepted in the last {WINDOW} s)"


def show(lines, before):
    """Draws the lines where those `before` were, if this is a terminal; gives what is to be given next time."""
    if not sys.stdout.isatty():
        print(*lines, "", sep="\n", flush=True)
        return 0
    width, height = shutil.get_terminal_size()
    lines = [line[: width - 1] for line in lines][: height - 1]
    up = f"\x1b[{before}A" if before else ""
    print(up + "".join(f"\r{line}\x1b[K\n" for line in lines) + "\x1b[J", end="", flush=True)
    return len(lines)


def mine(house, seconds):
    """The live table, until the time is over or somebody stops it. Gives the seconds that it took."""
    outage = Outage(house.pools[DROPS], seconds)
    every = 0.5 if sys.stdout.isatty() else max(0.5, min(5, seconds / 4))
    began, drawn, draw_at = time.monotonic(), 0, 0
    with contextlib.suppress(Stop):
        while (at := time.monotonic() - began) < seconds:
            house.check()
            outage.step(at)
            if at >= draw_at:
                drawn = show(list(table(house, at, seconds)), drawn)
                draw_at = at + every
            pause(min(0.1, seconds - at))
    outage.over()
    return time.monotonic() - began


def summary(house, took):
    """What the miners were told, what the proxy counted, what the pools saw. True when it all adds up."""
    for worker in house.workers:
        worker.program.ask_to_end()  # no new shares; those on their way still get their verdict
    told = {account: collections.Counter() for account, _, _ in FARM}
    for worker in house.workers:
        figures = worker.program.figures()
        told[worker.account].update({part: figures[part] for part in PARTS})
    everyone = sum(told.values(), collections.Counter())

    def proxys():
        counted = shares(house.web.metrics(), TOTALS)
        return counted if counted == everyone else None

    with contextlib.suppress(Failure):
        wait_for("the proxy's totals", 5, proxys)
    metrics = house.web.metrics()
    total = shares(metrics, TOTALS)
    pools = collections.Counter()
    for pool in house.pools.values():
        pool.end()
        pools.update(pool.counted)

    def ends(counted):
        return *(counted[part] for part in PARTS), waiting(counted)

    rows = [("account", "name", "algorithm", *PARTS, "no end")]
    for account, kind, _ in FARM:
        rows.append((account, house.names[account], kind.algorithm, *ends(told[account])))
    rows.append(("all workers", "", "", *ends(everyone)))
    rows.append(("the proxy", "", "", *ends(total)))
    print(f"\nAfter {took:.1f} s, with the last verdict in:\n", *columns(rows, words=3), "", sep="\n")
    reasons = collections.Counter()
    for labels, value in metrics.find("proxy_shares_rejected_total"):
        reasons[labels["reason"]] += int(value)
    rejected = ", ".join(f"{reason} {times}" for reason, times in sorted(reasons.items()))
    print(f"The pools saw {pools['accepted'] + pools['rejected']} shares and accepted {pools['accepted']}. Rejected: {rejected or 'none'}.")
    exact = all(waiting(counted) == 0 for counted in (*told.values(), total))
    agree = total == everyone
    equal = "=" if exact else "IS NOT"
    print(f"sent {everyone['sent']} {equal} accepted {everyone['accepted']} + rejected {everyone['rejected']} + unknown {everyone['unknown']}; "
          f"workers and proxy {'agree' if agree else 'DO NOT AGREE'}.", flush=True)
    return exact and agree and everyone["sent"] > 0


def main():
    parser = argparse.ArgumentParser(prog="scripts/demo", description="The proxy at work between simulated pools and workers.")
    parser.add_argument("--daemon", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--load", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=float, default=LONGEST, metavar="N", help="end after N seconds (default: until Ctrl-C)")
    options = parser.parse_args()
    if not 1 <= options.seconds <= LONGEST:
        parser.error(f"--seconds takes 1 to {LONGEST}")
    hold_signals()
    with tempfile.TemporaryDirectory(prefix="stratumproxy-demo-") as directory:
        house = House(options.daemon, options.load, directory)
        try:
            house.open()
            adds_up = summary(house, mine(house, options.seconds))
        except Failure as failure:
            print(f"scripts/demo: {failure}", *pathlib.Path(directory, "log").read_text().splitlines()[-5:], sep="\n  ", file=sys.stderr)
            return 2
        except Stop:
            return 130
        except BrokenPipeError:  # nobody reads any more
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 130
        finally:
            house.close()
    print("Everything that was started has ended.")
    return 0 if adds_up else 1


if __name__ == "__main__":
    sys.exit(main())
