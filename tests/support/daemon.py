"""stratumproxyd as a test starts it: free ports, a directory of its own, times compressed by its configuration."""
import asyncio
import http.client
import json
import os
import pathlib
import resource
import shutil
import signal
import sys
import tempfile

from canaries import POOL_PASSWORD, WEB_TOKEN
from metrics_text import Metrics
from waiting import LIMIT, SLOWNESS, at_most, until

PROGRAM = os.environ.get("SPX_DAEMON", "stratumproxyd")
LOGS = os.environ.get("SPX_LOG_DIR")  # kept there for the test that looks for secrets

# For a daemon that shall run out of descriptors: more connections than it has of them. Not under a sanitizer: UBSan looks at
# an object through a pipe, and without descriptors takes every object for a broken one.
EXHAUSTS = SLOWNESS == 1
MORE_THAN_DESCRIPTORS = {"limits": {"connections": 1000 if EXHAUSTS else None}}

# Days in seconds: everything the proxy waits for, short enough for a test and long enough for a loaded machine.
QUICK = {
    "session": {"grace_seconds": 3 * SLOWNESS, "hold_seconds": 5 * SLOWNESS},
    "upstream": {
        "retry_min_seconds": 0.05,
        "retry_max_seconds": 0.5,
        "verdict_timeout_seconds": 20 * SLOWNESS,
        "spread_seconds": 0.2,
    },
}


# What systemd does before it starts a program with sockets: descriptors from 3 on, and variables that name them and the process.
_ACTIVATION = """
import fcntl, os, sys
names, end = sys.argv[1], sys.argv.index("--")
high = [fcntl.fcntl(int(fd), fcntl.F_DUPFD, 100) for fd in sys.argv[2:end]]
for number, fd in enumerate(high):
    os.dup2(fd, 3 + number)
    os.close(fd)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": str(len(high)), "LISTEN_FDNAMES": names}
os.execvp(sys.argv[end + 1], sys.argv[end + 1:])
"""


def _toml(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_toml(v) for v in value) + "]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(v)}" for key, v in value.items()) + " }"
    return json.dumps(value)


def to_toml(tables):
    return "".join(
        f"[{table}]\n" + "".join(f"{key} = {_toml(value)}\n" for key, value in keys.items()) + "\n"
        for table, keys in tables.items()
    )


def merged(*configs):
    result = {}
    for config in configs:
        for table, keys in config.items():
            result.setdefault(table, {}).update(keys)
    return {table: {k: v for k, v in keys.items() if v is not None} for table, keys in result.items()}


class Daemon:
    """One daemon; it can be stopped, killed and started again on the same database."""

    _count = 0

    def __init__(
        self,
        *,
        db=None,
        config=None,
        threads=1,
        tag=None,
        files=None,
        log_level="info",
        name="daemon",
        stratum="127.0.0.1:0",
        web="127.0.0.1:0",
        has_token=True,
        arguments=(),
        sockets=(),
        environment=None,
    ):
        Daemon._count += 1
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="spx-e2e-"))
        self.db = db or f"sqlite:{self.directory}/accounts.db"
        self.config = merged(QUICK, config or {})
        self.threads, self.tag, self.files, self.log_level = threads, tag, files, log_level
        self.listen = {"stratum": stratum, "web": web}
        self.has_token, self.arguments = has_token, list(arguments)
        self.sockets = list(sockets)  # (name, listening socket), passed as systemd passes them
        self.environment = environment or {}
        logs = pathlib.Path(LOGS) if LOGS else self.directory
        logs.mkdir(parents=True, exist_ok=True)
        self.log = logs / f"{name}-{os.getpid()}-{Daemon._count}.log"
        self.process = None
        self.stratum = self.web = None
        self.listeners = []  # those of [[stratum.listen]]
        self.https = None  # an ssl.SSLContext, where it serves HTTPS
        self.texts = []  # what HTTP answered, for the secrets' sake
        self.contract = None  # who is told of every answer, and may fail for it
        token = self.directory / "token"
        token.write_text(WEB_TOKEN + "\n", encoding="ascii")
        token.chmod(0o600)

    def command(self):
        config = self.directory / "stratumproxyd.toml"
        config.write_text(to_toml(self.config), encoding="utf-8")
        command = [
            PROGRAM,
            "--config",
            str(config),
            "--stratum.addr",
            self.listen["stratum"],
            "--web.addr",
            self.listen["web"],
            "--db",
            self.db,
            "--threads",
            str(self.threads),
        ]
        if self.has_token:
            command += ["--web.token-file", str(self.directory / "token")]
        if self.log_level:  # else the file's
            command += ["--log.level", self.log_level]
        if self.tag:
            command += ["--metrics.tag", self.tag]
        return command + self.arguments

    async def launch(self):
        """Starts the process without waiting for it to be ready."""

        def limits():
            if self.files:
                resource.setrlimit(resource.RLIMIT_NOFILE, (self.files, self.files))

        passed = [listening.fileno() for _, listening in self.sockets]
        names = ":".join(name for name, _ in self.sockets)
        activation = [sys.executable, "-c", _ACTIVATION, names, *map(str, passed), "--"] if passed else []
        with open(self.log, "ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *activation,
                *self.command(),
                pass_fds=passed,
                env=os.environ | self.environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                cwd=self.directory,
                preexec_fn=limits,
            )
        return self

    async def start(self, limit=LIMIT):
        await self.launch()
        line = (await at_most(self.process.stdout.readline(), "the ready line", limit)).decode()
        words = line.split()
        if words[:2] != ["stratumproxyd", "ready"]:
            code = await at_most(self.process.wait(), "the end of a daemon that is not ready")
            raise AssertionError(f"no ready line but {line!r}, exit code {code}\n{self.log_text()[-3000:]}")
        bound = dict(word.split("=", 1) for word in words[2:])
        self.stratum, self.web = bound["stratum"], bound["web"]
        self.listeners = bound["listen"].split(",") if "listen" in bound else []
        return self

    @property
    def running(self):
        return self.process is not None and self.process.returncode is None

    def signal(self, number):
        self.process.send_signal(number)

    async def exited(self, limit=20 * SLOWNESS):
        return await at_most(self.process.wait(), "the daemon's end", limit)

    async def stop(self, limit=20 * SLOWNESS):
        """SIGTERM; the exit code."""
        if self.running:
            self.signal(signal.SIGTERM)
        return await self.exited(limit)

    async def kill(self):
        if self.running:
            self.process.kill()
        return await self.exited()

    async def restart(self):
        """Again on the same ports and database."""
        self.listen = {"stratum": self.stratum, "web": self.web}
        return await self.start()

    def log_text(self):
        return self.log.read_text(encoding="utf-8", errors="replace")

    def remove(self):
        shutil.rmtree(self.directory, ignore_errors=True)

    # What /proc knows

    def _proc(self, name):
        return pathlib.Path(f"/proc/{self.process.pid}/{name}")

    def _status_kib(self, name):
        for line in self._proc("status").read_text().splitlines():
            if line.startswith(name + ":"):
                return int(line.split()[1])
        raise AssertionError("the daemon is gone")

    def rss_kib(self):
        return self._status_kib("VmRSS")

    def forget_peak(self):
        """From now on peak_kib() is the most memory since this call."""
        self._proc("clear_refs").write_text("5")

    def peak_kib(self):
        return self._status_kib("VmHWM")

    def cpu_seconds(self):
        fields = self._proc("stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def open_files(self):
        return len(list(self._proc("fd").iterdir()))

    # HTTP

    def _http(self, method, path, body, token, headers, timeout):
        host, _, port = self.web.rpartition(":")
        tls = {"context": self.https} if self.https else {}
        kind = http.client.HTTPSConnection if self.https else http.client.HTTPConnection
        connection = kind(host.strip("[]"), int(port), timeout=timeout, **tls)
        try:
            data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
            head = {"Content-Type": "application/json"} if data is not None else {}
            if token:
                head["Authorization"] = f"Bearer {token}"
            connection.request(method, path, data, head | (headers or {}))
            answer = connection.getresponse()
            text = answer.read().decode("utf-8", errors="replace")
            if self.contract:
                lower = {name.lower(): value for name, value in answer.getheaders()}
                self.contract.check(method, path, data, answer.status, lower, text)
            return answer.status, text
        finally:
            connection.close()

    async def call(self, method, path, body=None, token=WEB_TOKEN, headers=None, timeout=LIMIT):
        """One request; (status, text). The body is bytes, or a value for JSON."""
        status, text = await asyncio.to_thread(self._http, method, path, body, token, headers, timeout)
        self.texts.append(text)
        return status, text

    async def metrics(self):
        status, text = await self.call("GET", "/metrics", token=None)
        if status != 200:
            raise AssertionError(f"/metrics answers {status}")
        return Metrics(text)

    async def metrics_until(self, condition, what, limit=LIMIT):
        """The first scrape for which the condition is true."""
        last = None

        async def scrape():
            nonlocal last
            last = await self.metrics()
            return last if condition(last) else None

        try:
            return await until(scrape, what, limit, pause=0.1)
        except AssertionError as failure:
            rows = [line for line in (last.text if last else "").splitlines() if line.startswith("proxy_")]
            raise AssertionError(f"{failure}\n" + "\n".join(rows)) from None

    async def add_pool(self, address, algorithm="sha256d", **row):
        """`row`: further members, such as mode and verify."""
        status, text = await self.call("POST", "/api/v1/pools", {"pool": address, "algorithm": algorithm} | row)
        if status not in (200, 201):
            raise AssertionError(f"pool {address}: {status} {text}")

    async def register(self, address, user="wallet", password=POOL_PASSWORD, **row):
        """An account on a pool that is known already; its name."""
        status, text = await self.call(
            "POST", "/api/v1/users", {"pool": address, "user": user, "password": password} | row, token=None
        )
        answer = json.loads(text)
        if status not in (200, 201) or answer["error"]:
            raise AssertionError(f"register at {address}: {status} {text}")
        return answer["name"]
