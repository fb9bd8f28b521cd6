"""HAProxy as docs/scaling/haproxy.cfg sets it up, with the addresses of a test."""
import re

from haproxy import Haproxy
from house import SOURCE

EXAMPLE = SOURCE / "docs" / "scaling" / "haproxy.cfg"


class ExampleHaproxy(Haproxy):
    """Before these daemons, in their order."""

    def __init__(self, daemons, connections=2000):
        super().__init__([daemon.stratum for daemon in daemons])
        self.connections = connections
        self.webs = [daemon.web.rpartition(":")[2] for daemon in daemons]

    def config(self, bind):
        text = EXAMPLE.read_text(encoding="utf-8").replace("bind :3333", f"bind {bind}")
        text = re.sub(r"maxconn \d+", f"maxconn {self.connections}", text)
        names = re.findall(r"^  server (\S+) \S+$", text, re.M)
        assert len(names) == len(self.servers), names
        for name, stratum, web in zip(names, self.servers, self.webs):
            text = re.sub(rf"^  server {name} \S+$", f"  server {name} {stratum} port {web}", text, flags=re.M)
        return text
