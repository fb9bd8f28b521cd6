"""A PostgreSQL server for the time of a test, from Debian's binaries, in a directory of its own."""
import glob
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import tempfile

import ports
from canaries import DATABASE_PASSWORD

BINARIES = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
# Two tests on one server may make it at the same moment.
_ROLE = f"""DO $$ BEGIN CREATE ROLE spx LOGIN PASSWORD '{DATABASE_PASSWORD}';
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"""


def available():
    return bool(BINARIES)


class TemporaryPostgresql:
    """Runs as the user postgres when we are root: the server refuses to run as root."""

    def __init__(self):
        self._bin = pathlib.Path(BINARIES[-1])
        self._root = pathlib.Path(tempfile.mkdtemp(prefix="spx-pg-"))
        self._data = self._root / "data"
        self._as = {}
        if os.geteuid() == 0:
            entry = pwd.getpwnam("postgres")
            os.chown(self._root, entry.pw_uid, entry.pw_gid)
            self._as = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
        self.port = ports.free()
        self._server = None
        self._run(
            "initdb", "-D", self._data, "-A", "trust", "--auth-host=scram-sha-256", "-U", "postgres", "-N"
        )
        with open(self._data / "postgresql.conf", "a", encoding="ascii") as config:
            config.write(
                f"listen_addresses='127.0.0.1'\nport={self.port}\nunix_socket_directories='{self._root}'\n"
                "fsync=off\nmax_connections=60\n"
            )

    def _run(self, program, *arguments):
        result = subprocess.run(
            [str(self._bin / program), *map(str, arguments)],
            capture_output=True,
            text=True,
            cwd=self._root,
            check=False,
            **self._as,
        )
        if result.returncode:
            raise RuntimeError(f"{program}: {result.stderr or result.stdout}")
        return result.stdout

    def start(self):
        self._run("pg_ctl", "-D", self._data, "-l", self._root / "log", "-w", "-t", "60", "start")
        return self

    def stop(self, mode="immediate"):
        self._run("pg_ctl", "-D", self._data, "-m", mode, "-w", "-t", "60", "stop")

    def sql(self, statement, database="postgres"):
        return self._run(
            "psql",
            "-h",
            self._root,
            "-p",
            self.port,
            "-U",
            "postgres",
            "-d",
            database,
            "-X",
            "-A",
            "-t",
            "-q",
            "-v",
            "ON_ERROR_STOP=1",
            "-c",
            statement,
        )

    def database(self, name):
        """A fresh database with an owner of its own; its URL."""
        self.sql(_ROLE)
        self.sql(f'CREATE DATABASE "{name}" OWNER spx')
        return f"postgresql://spx:{DATABASE_PASSWORD}@127.0.0.1:{self.port}/{name}"

    def _processes(self):
        first = int((self._data / "postmaster.pid").read_text(encoding="ascii").split()[0])
        found = [first]
        for entry in pathlib.Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    if int((entry / "stat").read_text().rpartition(")")[2].split()[1]) == first:
                        found.append(int(entry.name))
                except (OSError, IndexError):
                    pass
        return found

    def freeze(self):
        """Silence: connections stay open, nothing answers."""
        for process in self._processes():
            os.kill(process, signal.SIGSTOP)

    def thaw(self):
        for process in self._processes():
            os.kill(process, signal.SIGCONT)

    def close(self):
        try:
            self.thaw()
            self.stop()
        except (RuntimeError, OSError):
            pass
        shutil.rmtree(self._root, ignore_errors=True)


_shared = None


def shared():
    """One server for all tests of a process. SPX_TEST_POSTGRESQL names a server that the test script started."""
    global _shared
    url = os.environ.get("SPX_TEST_POSTGRESQL")
    if _shared is None:
        if url:
            _shared = _Given(url)
        else:
            import atexit

            _shared = TemporaryPostgresql().start()
            atexit.register(_shared.close)
    return _shared


class _Given:
    """A server that somebody else runs; `url` is a superuser's."""

    def __init__(self, url):
        self._url = url

    def _sql(self, statement):
        psql = str(pathlib.Path(BINARIES[-1]) / "psql") if BINARIES else "psql"
        result = subprocess.run(
            [psql, self._url, "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-c", statement],
            capture_output=True,
            text=True,
            check=False,
        )
        if result.returncode:
            raise RuntimeError(result.stderr)
        return result.stdout

    def database(self, name):
        self._sql(_ROLE)
        self._sql(f'DROP DATABASE IF EXISTS "{name}"')
        self._sql(f'CREATE DATABASE "{name}" OWNER spx')
        rest = self._url.partition("://")[2].partition("@")[2] or self._url.partition("://")[2]
        return f"postgresql://spx:{DATABASE_PASSWORD}@{rest.split('/')[0]}/{name}"
