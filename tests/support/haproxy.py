"""A HAProxy before daemons, for tests: TCP, with the PROXY protocol towards them."""
import asyncio
import os
import pathlib
import shutil
import socket
import tempfile

from waiting import SLOWNESS, at_most

PATH = os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin"  # its place is not in every user's path

_CONFIG = """global
  maxconn 4000
defaults
  mode tcp
  timeout connect 5s
  timeout client 1h
  timeout server 1h
"""


class Haproxy:
    """One frontend, over IPv4 or IPv6; each new connection goes to the next of the servers. Ended by `stop`."""

    def __init__(self, servers, header="send-proxy", host="127.0.0.1", options=""):
        self.servers, self.header, self.host, self.options = list(servers), header, host, options
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="spx-haproxy-"))
        self.log = self.directory / "log"
        self.process = self.address = None

    @staticmethod
    def available():
        return shutil.which("haproxy", path=PATH) is not None

    def config(self, bind):
        servers = "".join(
            f"  server s{number} {address} {self.header} {self.options}\n" for number, address in enumerate(self.servers)
        )
        return f"{_CONFIG}listen stratum\n  bind {bind}\n  balance roundrobin\n{servers}"

    async def start(self):
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        with socket.socket(family) as listening, open(self.log, "wb") as log:
            listening.bind((self.host, 0))
            listening.listen(1024)
            host = f"[{self.host}]" if ":" in self.host else self.host
            self.address = f"{host}:{listening.getsockname()[1]}"
            config = self.directory / "haproxy.cfg"
            config.write_text(self.config(f"fd@{listening.fileno()}"), encoding="utf-8")
            self.process = await asyncio.create_subprocess_exec(
                shutil.which("haproxy", path=PATH), "-db", "-f", str(config),
                stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=[listening.fileno()],
            )
        return self

    async def stop(self):
        if self.process and self.process.returncode is not None:
            raise AssertionError(f"HAProxy ended by itself: {self.log.read_text()}")
        if self.process:
            self.process.kill()
            await at_most(self.process.wait(), "HAProxy's end", 20 * SLOWNESS)
        shutil.rmtree(self.directory, ignore_errors=True)
