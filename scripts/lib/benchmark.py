"""stratumproxyd and HAProxy side by side, behind scripts/benchmark. See docs/benchmarks.md."""
import argparse
import collections
import json
import os
import pathlib
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from programs import Failure, Program, Stop, free_port, hold_signals, pause, wait_for

THREADS = os.cpu_count()  # as many as stratumproxyd has by default
CROWD = 9800
SCRAPED = 10_000
SOAKED = 18_000
PROGRAM_PATH = os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin"  # haproxy's place is not in every user's path
DESCRIPTORS = 20_000  # two for each of the crowd, and some aside

# What one call of `stratumload bench` measures: its options, and for how long it mines.
Load = collections.namedtuple("Load", "options seconds")
LOADS = {
    "closed": Load("--workers 100 --jobs 0", 10),
    "open": Load("--workers 1000 --shares-per-second 2000 --jobs 0", 10),
    "tls": Load("--workers 1000 --logins-at-once 100 --shares-per-second 2000 --jobs 0", 10),
    "crowd": Load(f"--workers {CROWD} --shares-per-second 500 --jobs 5", 2),
    "scraped": Load(f"--workers {SCRAPED} --shares-per-second 2000 --jobs 0 --scrape", 10),
    "soak": Load(f"--workers {SOAKED} --shares-per-second 2000 --jobs 0 --login-seconds 120", 600),
}
HAPROXY, STRATUMPROXY, DIRECT = "HAProxy", "stratumproxyd", "direct"
SHARED_BASIC, SHARED_FULL = "shared, basic", "shared, full"  # stratumproxyd too, many workers on a link
TLS = "TLS"  # stratumproxyd too, its miners speak TLS
POOL_OPTIONS = {
    STRATUMPROXY: [],
    SHARED_BASIC: ["--mode", "shared", "--verify", "basic"],
    SHARED_FULL: ["--mode", "shared", "--verify", "full"],
    TLS: ["--tls"],
}
# A row of the table: name, words, the load, the key of its figure, how much of HAProxy's figure is allowed, what of stratumproxyd it is
# about. `absolute`: the limit is the figure itself. `than`: what it is compared with.
Row = collections.namedtuple("Row", "name words load key unit decimals limit more_is_better way absolute than",
                             defaults=(STRATUMPROXY, False, HAPROXY))
ROWS = (
    Row("shares", "shares/s, 100 workers, closed loop", "closed", "shares_per_second", "/s", 0, 0.75, True),
    Row("cpu", "CPU per share, same run", "closed", "proxy_cpu_us_per_share", "us", 1, 1.4, False),
    Row("verdict", "p99 of the verdict, 1,000 workers, 2,000 shares/s", "open", "verdict_p99_us", "us", 0, 1.4, False),
    Row("job", "job to the last of 9,800 workers", "crowd", "job_to_last_ms", "ms", 0, 1.2, False),
    Row("memory", "memory per worker, 9,800 workers", "crowd", "proxy_kib_per_worker", "KiB", 2, 1.5, False),
    Row("login", "9,800 workers logged in", "crowd", "login_seconds", "s", 2, 1.5, False),
    Row("shares-basic", "shared links, basic: shares/s, 100 workers", "closed", "shares_per_second", "/s", 0, 1.2, True, SHARED_BASIC),
    Row("cpu-basic", "shared links, basic: CPU per share", "closed", "proxy_cpu_us_per_share", "us", 1, 0.8, False, SHARED_BASIC),
    Row("shares-full", "shared links, full: shares/s, 100 workers", "closed", "shares_per_second", "/s", 0, 1.0, True, SHARED_FULL),
    Row("cpu-full", "shared links, full: CPU per share", "closed", "proxy_cpu_us_per_share", "us", 1, 1.0, False, SHARED_FULL),
    Row("job-shared", "shared links: job to the last of 9,800", "crowd", "job_to_last_ms", "ms", 0, 0.75, False, SHARED_FULL),
    Row("memory-shared", "shared links: memory per worker", "crowd", "proxy_kib_per_worker", "KiB", 2, 1.2, False, SHARED_FULL, True),
    Row("scrape", "a scrape with 10,000 workers, back to back", "scraped", "scrape_ms", "ms", 0, 300, False, SHARED_FULL, True),
    Row("scrape", "scrapes: p99 of the verdict against that without", "scraped", "scraped_verdict_ratio", "", 2, 2, False, SHARED_FULL, True),
    Row("scrape", "scrapes: memory that is not given back", "scraped", "scraped_kib_more", "KiB", 0, 8_192, False, SHARED_FULL, True),
    Row("cpu-tls", "TLS, on the left without: CPU per share, 1,000 workers", "tls", "proxy_cpu_us_per_share", "us", 1, 2.0, False, TLS, False,
        STRATUMPROXY),
    Row("memory-tls", "TLS: memory per worker", "tls", "proxy_kib_per_worker", "KiB", 2, 20, False, TLS, True, STRATUMPROXY),
    Row("soak", "soak, 18,000 workers, 10 minutes: shares/s", "soak", "shares_per_second", "/s", 0, 1_990, True, SHARED_FULL, True),
    Row("soak", "soak: shares lost", "soak", "lost", "", 0, 0, False, SHARED_FULL, True),
)
NAMES = list(dict.fromkeys(row.name for row in ROWS))
ONLY_WHEN_ASKED = ("soak",)

HAPROXY_CONFIG = """\
global
  nbthread {threads}
  maxconn {connections}
defaults
  mode tcp
  timeout connect 10s
  timeout client 1h
  timeout server 1h
listen stratum
  bind 127.0.0.1:{port}
  server pool 127.0.0.1:{pool}
"""


class Bench:
    def __init__(self, daemon, load, haproxy, directory, quick):
        self.daemon, self.load, self.haproxy, self.quick = daemon, load, haproxy, quick
        self.directory = pathlib.Path(directory)
        self.errors = open(self.directory / "log", "ab")
        self.programs = []

    def start(self, name, *command):
        self.programs.append(Program(name, *command, errors=self.errors))
        return self.programs[-1]

    def end(self):
        while self.programs:
            self.programs.pop().end()

    def certificate(self):
        chain, key = self.directory / "proxy.pem", self.directory / "proxy.key"
        if not chain.exists():
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
                            "-subj", "/CN=localhost", "-keyout", key, "-out", chain], check=True, stderr=self.errors)
        return ["--certificate", chain, "--key", key]

    def measure(self, between, load):
        """One run, with processes of its own: memory that an earlier run freed would be used first."""
        pool = free_port()
        if between in POOL_OPTIONS:
            way = ["--proxy", self.daemon, *POOL_OPTIONS[between]]
            if between == TLS:
                way += self.certificate()
        elif between == DIRECT:
            way = ["--direct"]
        else:
            port = free_port()
            config = self.directory / "haproxy.cfg"
            config.write_text(HAPROXY_CONFIG.format(threads=THREADS, connections=CROWD + 100, port=port, pool=pool))
            proxy = self.start("haproxy", self.haproxy, "-db", "-f", config)
            wait_for("haproxy", 10, lambda: listens(port))
            way = ["--through", f"127.0.0.1:{port}", "--proxy-pid", proxy.pid]
        options, seconds = LOADS[load]
        began = time.monotonic()
        load_average, busy, own = os.getloadavg()[0], busy_seconds(), own_seconds()
        bench = self.start(
            "stratumload", self.load, "bench", "--json", *way, "--pool-listen", f"127.0.0.1:{pool}", *options.split(),
            "--seconds", min(seconds, 2) if self.quick else seconds,
        )
        wait_for(f"{load} through {between}", 300 + seconds, lambda: bench.process.poll() is not None)
        figures = bench.figures()
        self.end()
        all_of_it = os.cpu_count() * (time.monotonic() - began)
        others = max(0.0, busy_seconds() - busy - (own_seconds() - own)) / all_of_it
        pause(0.5)  # thousands of sockets are taken down
        return figures | {
            "exit_code": bench.process.returncode, "load_average": round(load_average, 2), "others_percent": round(100 * others),
        }


def listens(port):
    """Asked of the kernel: a connection to try it would use some of the memory that is measured."""
    wanted = f":{port:04X}"
    rows = (line.split() for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:])
    return any(row[1].endswith(wanted) and row[3] == "0A" for row in rows)


def busy_seconds():
    """CPU time that the whole machine has used, with what its host kept from it."""
    user, nice, system, _, _, irq, softirq, steal = map(int, pathlib.Path("/proc/stat").read_text().split("\n")[0].split()[1:9])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def own_seconds():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def result_of(row, runs):
    """A row of the table: the medians of what was measured, their ratio, and whether it is good enough."""
    ways = (row.than, row.way, DIRECT)
    mine = [run for run in runs if run["load"] == row.load and run["way"] in ways]
    values = {way: [run[row.key] for run in mine if run["way"] == way and row.key in run] for way in ways}
    middle = {way: statistics.median(figures) for way, figures in values.items() if figures}
    judged, ratio = middle[row.way], None
    if not row.absolute:
        judged = ratio = middle[row.way] / middle[row.than] if middle[row.than] else float("inf")
    return {
        "row": row.name, "what": row.words, "unit": row.unit, "way": row.way, "medians": middle, "values": values,
        "ratio": ratio and round(ratio, 3),
        "to_reach": row.limit, "reached": judged >= row.limit if row.more_is_better else judged <= row.limit,
        "load_average": max(run["load_average"] for run in mine), "others_percent": max(run["others_percent"] for run in mine),
    }


def figure(row, value):
    return "-" if value is None else f"{value:,.{row.decimals}f} {row.unit}".rstrip()


def print_table(rows, results, runs):
    cells = [("", HAPROXY, STRATUMPROXY, "ratio", "to reach", "", DIRECT, "load", "others")]
    for row, result in zip(rows, results):
        sign = ">=" if row.more_is_better else "<="
        limit = f"{row.limit:,g} {row.unit}".rstrip() if row.absolute else f"{row.limit:g}"
        cells.append((
            row.words, *(figure(row, result["medians"].get(between)) for between in (row.than, row.way)),
            "-" if row.absolute else f"{result['ratio']:.2f}", f"{sign} {limit}", "yes" if result["reached"] else "NO",
            figure(row, result["medians"].get(DIRECT)),
            f"{result['load_average']:.1f}", f"{result['others_percent']} %",
        ))
    widths = [max(map(len, column)) for column in zip(*cells)]
    for line in cells:
        print("  ".join(cell.ljust(w) if at == 0 else cell.rjust(w) for at, (cell, w) in enumerate(zip(line, widths))))
    rounds = max(run["round"] for run in runs)
    shares = sum(run["sent"] for run in runs)
    faults = sum(run["exit_code"] != 0 for run in runs)
    print(f"\nMedians of {rounds}. {len(runs)} runs, {shares:,} shares: "
          + (f"{faults} RUNS WITH FAULTS" if faults else "sent = accepted + rejected + unknown in each, none lost, doubled or invented") + ".")
    print("load: highest load average at the start of a run, the runs before included; others: CPU time that went to something else, at most.")


def note(text):
    print(text, file=sys.stderr, flush=True)


def ways_of(rows, load):
    """What a load goes through: HAProxy and nothing at all only where a row compares with them."""
    mine = [row for row in rows if row.load == load]
    ours = list(dict.fromkeys(way for row in mine for way in (row.than, row.way) if way != HAPROXY))
    return [HAPROXY, *ours, DIRECT] if compares_with_haproxy(mine) else ours


def compares_with_haproxy(rows):
    return any(row.than == HAPROXY and not row.absolute for row in rows)


def measure_all(bench, rows, rounds):
    runs = []
    for number in range(1, rounds + 1):
        for load in dict.fromkeys(row.load for row in rows):
            for between in ways_of(rows, load):
                run = bench.measure(between, load) | {"round": number, "load": load, "way": between}
                runs.append(run)
                about = {row.key: row for row in reversed(rows) if row.load == load and between in (row.than, row.way, DIRECT)}
                shown = "  ".join(f"{row.name} {figure(row, run.get(row.key))}" for row in reversed(about.values()))
                note(f"{number}/{rounds} {between:13}  {shown}  (load {run['load_average']}, others {run['others_percent']} %)"
                     + ("" if run["exit_code"] == 0 else "  FAULTS"))
    return runs


def main():
    parser = argparse.ArgumentParser(prog="scripts/benchmark", description="stratumproxyd and HAProxy in TCP mode, side by side.")
    parser.add_argument("--daemon", help=argparse.SUPPRESS)
    parser.add_argument("--load", help=argparse.SUPPRESS)
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="runs of each, whose medians are compared (default: 5)")
    parser.add_argument("--row", action="append", choices=NAMES, help=f"only this one; may be repeated: {', '.join(NAMES)}; "
                        f"{', '.join(ONLY_WHEN_ASKED)} is measured only when asked for")
    parser.add_argument("--quick", action="store_true", help="one round of short runs: whether it works, not how fast")
    parser.add_argument("--json", action="store_true", help="one JSON object, with every run")
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error("--rounds takes 1 or more")
    wanted = options.row or [name for name in NAMES if name not in ONLY_WHEN_ASKED]
    rows = [row for row in ROWS if row.name in wanted]
    rounds = 1 if options.quick else options.rounds
    haproxy = shutil.which("haproxy", path=PROGRAM_PATH)
    hold_signals()
    with tempfile.TemporaryDirectory(prefix="stratumproxy-benchmark-") as directory:
        bench = Bench(options.daemon, options.load, haproxy, directory, options.quick)
        try:
            if not haproxy and compares_with_haproxy(rows):
                raise Failure("there is no haproxy")
            _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            if hard != resource.RLIM_INFINITY and hard < DESCRIPTORS and any(row.load in ("crowd", "scraped", "soak") for row in rows):
                raise Failure(f"thousands of workers need {DESCRIPTORS} descriptors, but the limit is {hard}: see ulimit -Hn")
            runs = measure_all(bench, rows, rounds)
        except Failure as failure:
            note(f"scripts/benchmark: {failure}\n" + "\n".join((pathlib.Path(directory) / "log").read_text().splitlines()[-5:]))
            return 2
        except Stop:
            return 130
        finally:
            bench.end()
    results = [result_of(row, runs) for row in rows]
    clean = all(run["exit_code"] == 0 for run in runs)
    if options.json:
        print(json.dumps({"cores": os.cpu_count(), "rounds": rounds, "quick": options.quick, "clean": clean, "rows": results, "runs": runs}))
    else:
        print_table(rows, results, runs)
    return 0 if clean and all(result["reached"] for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
