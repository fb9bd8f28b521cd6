#!/usr/bin/env python3
"""The package on a bare Debian 12: installed by apt, started by its unit's own command line as the unit's user, and a simulated worker
mines through it over TLS. Then a reload, an upgrade that keeps the configuration, removal. Needs root, debootstrap and Debian's mirror.

Usage: SPX_SCALE=full bare_root.py BUILD_DIRECTORY
"""
import fcntl
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

from packages import make, run

SKIPPED = 77
MIRROR = os.environ.get("SPX_DEBIAN_MIRROR", "http://deb.debian.org/debian")
SHARES = 50
LIMIT = 60  # seconds, for what takes one
NOTIFY_SOCKET = "/run/notify"
UNIT = "usr/lib/systemd/system/stratumproxyd.service"


def phase(text, since=[time.monotonic()]):
    """Says how long it took since the last one ended."""
    now = time.monotonic()
    print(f"{now - since[0]:6.1f} s  {text}", flush=True)
    since[0] = now


def until(what, condition):
    end = time.monotonic() + LIMIT
    while not condition():
        if time.monotonic() > end:
            raise SystemExit(f"not within {LIMIT} s: {what}")


def in_root(root, *command):
    """A command in the root, with processes of its own: what it leaves behind ends with it."""
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
    return run("unshare", "--mount", "--pid", "--fork", "--kill-child", f"--mount-proc={root}/proc", "chroot", root, *command, env=environment)


class Unit:
    def __init__(self, root):
        self.text = (root / UNIT).read_text()

    def value(self, key):
        return re.search(rf"^{key}=(.*)$", self.text, re.M)[1]


class Programs:
    """What runs in the root, on a loopback of its own."""

    def __init__(self, root):
        self.root, self.running = root, []

    def start(self, *command, user="nobody", **options):
        process = subprocess.Popen(["chroot", f"--userspec={user}", self.root, *command], stdout=subprocess.PIPE, text=True, **options)
        self.running.append(process)
        return process

    def output(self, *command):
        process = self.start(*command)
        text = process.communicate(timeout=LIMIT)[0]
        if process.returncode != 0:
            raise SystemExit(f"{shlex.join(command)} ended with {process.returncode}: {text}")
        return text

    def post(self, path, value):
        return json.loads(self.output("curl", "-sS", "-d", json.dumps(value), f"http://127.0.0.1:8080{path}"))

    def get(self, path):
        return json.loads(self.output("curl", "-sS", f"http://127.0.0.1:8080{path}"))

    def end(self):
        for process in self.running:
            process.kill()
            process.wait()


def loopback_up():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        siocsifflags, iff_up = 0x8914, 1
        fcntl.ioctl(any_socket, siocsifflags, struct.pack("16sh", b"lo", iff_up) + bytes(22))


def service_manager(root):
    """What systemd listens to, where the unit is of Type=notify."""
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind(f"{root}{NOTIFY_SOCKET}")
    os.chmod(f"{root}{NOTIFY_SOCKET}", 0o777)
    manager.settimeout(LIMIT)
    return manager


def serve_tls(root, group):
    """What docs/operations.md tells an operator to do."""
    place = root / "etc/stratumproxy"
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc", "-days", "1", "-subj", "/CN=proxy",
        "-keyout", place / "key.pem", "-out", place / "certificate.pem")
    in_root(root, "chgrp", group, "/etc/stratumproxy/key.pem")
    (place / "key.pem").chmod(0o640)
    with open(place / "stratumproxy.toml", "a") as configuration:
        configuration.write('\n[tls]\ncertificate = "/etc/stratumproxy/certificate.pem"\nkey = "/etc/stratumproxy/key.pem"\n')


def mine(root):
    """Runs in a network of its own, so that the ports of the configuration are free."""
    loopback_up()
    unit, programs = Unit(root), Programs(root)
    user = unit.value("User")
    try:
        # What systemd does for the unit.
        in_root(root, "install", "-d", "-o", user, "-g", unit.value("Group"), "-m", unit.value("StateDirectoryMode"),
                f"/var/lib/{unit.value('StateDirectory')}")
        serve_tls(root, unit.value("Group"))
        pool = programs.start("stratumload", "pool", "--listen", "127.0.0.1:3333", "--difficulty", "0.001", stderr=subprocess.DEVNULL)
        manager = service_manager(root)
        daemon = programs.start(*shlex.split(unit.value("ExecStart")), user=f"{user}:{unit.value('Group')}", umask=0o077,
                                env=os.environ | {"NOTIFY_SOCKET": NOTIFY_SOCKET})
        ready = daemon.stdout.readline()
        if not ready.startswith("stratumproxyd ready stratum=127.0.0.1:9332 web=127.0.0.1:8080"):
            raise SystemExit(f"the daemon is not ready: {ready!r}")
        if unit.value("Type") == "notify":
            assert manager.recv(256) == b"READY=1"
        phase("the unit's command line as the unit's user: ready")
        programs.post("/api/v1/pools", {"pool": "127.0.0.1:3333", "algorithm": "sha256d"})
        name = programs.post("/api/v1/users", {"pool": "127.0.0.1:3333", "user": "wallet", "password": "x"})["name"]
        figures = json.loads(programs.output("stratumload", "miners", "--tls", "--connect", "127.0.0.1:9332", "--user", name, "--workers", "1",
                                             "--shares", str(SHARES), "--seconds", str(LIMIT), "--json"))
        assert (figures["sent"], figures["accepted"]) == (SHARES, SHARES), figures
        phase(f"an account registered, {SHARES} shares of one worker, over TLS, accepted")
        daemon.send_signal(signal.SIGHUP)  # ExecReload
        until("the reload", lambda: programs.get("/api/v1/status")["reloaded_at"])
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(LIMIT) == 0, daemon.returncode
        assert pool.poll() is None
        state = root / f"var/lib/{unit.value('StateDirectory')}/stratumproxy.db"
        assert state.stat().st_uid == state.parent.stat().st_uid != 0 and state.stat().st_mode & 0o077 == 0, state.stat()
        phase("reloaded and stopped, exit code 0")
    finally:
        programs.end()


def run_inside(root):
    done = subprocess.run(["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", f"--mount-proc={root}/proc",
                           sys.executable, "-B", __file__, "--inside", root])
    if done.returncode != 0:
        sys.exit(1)


def look_after_package(root, package):
    """An upgrade keeps what the administrator wrote; what is removed leaves the database."""
    conffile = root / "etc/stratumproxy/stratumproxy.toml"
    mine_own = conffile.read_text() + '\n[log]\nlevel = "warning"\n'
    conffile.write_text(mine_own)
    in_root(root, "apt-get", "install", "-y", "--reinstall", package)
    assert conffile.read_text() == mine_own
    in_root(root, "apt-get", "remove", "-y", "stratumproxy")
    assert conffile.exists() and not (root / UNIT).exists()
    in_root(root, "apt-get", "purge", "-y", "stratumproxy")
    assert not conffile.exists() and (root / "var/lib/stratumproxy/stratumproxy.db").exists()
    phase("installed again, removed, purged")


def why_not():
    if os.environ.get("SPX_SCALE") != "full":
        return "it downloads a Debian; SPX_SCALE=full runs it"
    if os.geteuid() != 0:
        return "it needs root"
    missing = [program for program in ("debootstrap", "unshare", "openssl", "cpack") if not shutil.which(program)]
    return f"{' and '.join(missing)} not installed" if missing else None


def main():
    if sys.argv[1] == "--inside":
        return mine(pathlib.Path(sys.argv[2]))
    if reason := why_not():
        print(f"skipped: {reason}")
        sys.exit(SKIPPED)
    with tempfile.TemporaryDirectory(prefix="stratumproxy-bare-root.") as work:
        root = pathlib.Path(work) / "root"
        made = make(sys.argv[1], pathlib.Path(work) / "packages")
        phase("packages made")
        run("debootstrap", "--variant=minbase", "bookworm", root, MIRROR)
        phase("a bare Debian 12")
        package = f"/tmp/{made['stratumproxy'].name}"
        shutil.copy(made["stratumproxy"], f"{root}{package}")
        in_root(root, "apt-get", "install", "-y", package)
        phase("installed by apt")
        run_inside(root)
        look_after_package(root, package)


if __name__ == "__main__":
    main()
