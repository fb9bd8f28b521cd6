"""The catalogue of hostile inputs: its entries, the names that its expressions use, and a connection without manners.

Every entry ends as passed or as skipped with the reason. After each one the process lives and a neighbour's share is
accepted; `BadInputsTest` sees to that.
"""
import asyncio
import gzip
import json
import socket
import struct

from house import SHARED, HouseTest
from waiting import SLOWNESS, until

CATALOGUE = SHARED / "bad_inputs.jsonl"


def entries(where):
    if not CATALOGUE.exists():
        return []
    return [
        e for e in map(json.loads, CATALOGUE.read_text(encoding="utf-8").splitlines()) if e["where"] == where
    ]


# The names that the catalogue's expressions use.

SUB = '{"id":1,"method":"mining.subscribe","params":[]}\n'


def sub(request_id, worker="alice.w1", job="J1", en2="00000001", nt="66a00000", no="0000abcd", extra=""):
    return f'{{"id":{request_id},"method":"mining.submit","params":["{worker}","{job}","{en2}","{nt}","{no}"{extra}]}}\n'


def auth(request_id=2, name="alice.w1"):
    return f'{{"id":{request_id},"method":"mining.authorize","params":["{name}","x"]}}\n'


def noti_line(
    job,
    prev='"' + "00" * 32 + '"',
    c1='"01"',
    c2='"02"',
    branches="[]",
    version='"20000000"',
    nbits='"1d00ffff"',
    ntime='"66a00000"',
    clean="true",
):
    return f'{{"id":null,"method":"mining.notify","params":["{job}",{prev},{c1},{c2},{branches},{version},{nbits},{ntime},{clean}]}}\n'


def head(length, method="POST", path="/api/v1/accounts", extra=""):
    return (
        f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer T\r\nContent-Type: application/json\r\n"
        f"{extra}{'' if length is None else f'Content-Length: {length}'}{'' if length is None else chr(13) + chr(10)}\r\n"
    ).encode()


def POST(body, enc=None):
    return head(len(body), extra=f"Content-Encoding: {enc}\r\n" if enc else "") + body


def GET(path):
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer T\r\n\r\n".encode()


def HDR(name, value):
    return f"POST /api/v1/accounts HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer T\r\n{name}: {value}\r\n\r\n{{}}".encode()


def evaluate(text, **more):
    """The entry's input as a list of steps: bytes, or tuples for the driver."""
    kind, _, body = text.partition(":")
    if kind == "text":
        return [body.encode()]
    if kind == "hex":
        return [bytes.fromhex(body)]
    names = {
        "SUB": SUB,
        "sub": sub,
        "auth": auth,
        "noti_line": noti_line,
        "POST": POST,
        "GET": GET,
        "HDR": HDR,
        "json": json,
        "POSTHEAD_CHUNKED": head(None, extra="Transfer-Encoding: chunked\r\n"),
        "cfg": lambda **k: k,
        **more,
    }
    if "GZIP_50MiB_ZEROES" in body:
        names["GZIP_50MiB_ZEROES"] = gzip.compress(bytes(50 << 20))
    steps = eval(body, names)  # the catalogue is part of the reference, not an input from outside
    if isinstance(steps, bytes):
        return [steps]
    return [steps] if isinstance(steps, tuple) else list(steps)


class Raw:
    """A connection without manners: bytes out, lines in."""

    def __init__(self):
        self.lines = []
        self.closed = False
        self.reading = True

    async def connect(self, address, read=True):
        host, _, port = address.rpartition(":")
        self.reader, self.writer = await asyncio.open_connection(host, int(port), limit=1 << 20)
        if read:
            self.task = asyncio.create_task(self._read())
        return self

    async def _read(self):
        try:
            while line := await self.reader.readline():
                self.lines.append(line)
        except (ConnectionError, ValueError):
            pass
        self.closed = True

    def decoded(self):
        return [json.loads(line) for line in self.lines]

    def replies(self):
        return [m for m in self.decoded() if "method" not in m]

    async def until(self, condition, what):
        return await until(condition, f"{what}; so far {[l[:200] for l in self.lines]}, closed: {self.closed}")

    async def got(self, count):
        """So many replies; a connection that ends sooner fails."""
        return await self.until(lambda: len(self.replies()) >= count and self.replies(), f"{count} replies")

    async def ended(self):
        await self.until(lambda: self.closed, "the proxy closes")

    def step(self, step):
        """One step of the driver."""
        kind = step[0]
        sock = self.writer.get_extra_info("socket")
        if kind == "close":
            self.writer.close()
        elif kind == "half_close":
            self.writer.write_eof()
        elif kind == "oob":
            # The transport's socket hides send(): a duplicate of the descriptor has it.
            with socket.fromfd(sock.fileno(), sock.family, sock.type) as twin:
                twin.send(step[1], socket.MSG_OOB)
        elif kind == "rst":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.writer.transport.abort()
        else:
            raise AssertionError(f"unknown step {step}")

    def end(self):
        self.writer.transport.abort()


class BadInputsTest(HouseTest):
    """Two accounts on two pools: alice is attacked, bob is the neighbour."""

    async def asyncSetUp(self):
        if not CATALOGUE.exists():
            self.skipTest(f"no catalogue at {CATALOGUE}")
        self.proxy = await self.daemon(
            config={
                "limits": {"first_message_seconds": 4 * SLOWNESS, "authorize_seconds": 30 * SLOWNESS},
                "upstream": {
                    "verdict_timeout_seconds": 4 * SLOWNESS,
                    "retry_max_seconds": 0.2,
                    "share_wait_seconds": 4 * SLOWNESS,
                },
            }
        )
        self.pool_a, self.pool_b = await self.pool(), await self.pool(seed=2)
        self.alice = await self.account(self.proxy, self.pool_a, user="alicewallet")
        self.bob = await self.account(self.proxy, self.pool_b, user="bobwallet")
        # NiceHash's agent gets four bytes of extranonce2: what the catalogue's submits hold.
        self.neighbour = await self.miner(self.proxy, self.bob, agent="NiceHash/1.0.0")
        await self.neighbour.mine()
        self.done, self.skipped = [], {}

    async def neighbour_mines(self):
        (share,) = await self.neighbour.mine()
        self.assertEqual(share.verdict, "accepted")
        self.assertTrue(self.proxy.running)

    def adapt(self, data, job=None):
        data = data.replace(b"ALICE", self.alice.upper().encode()).replace(
            b"bob.w1", self.bob.encode() + b".w1"
        )
        data = data.replace(b'"alice', b'"' + self.alice.encode())
        return data.replace(b'"J1"', json.dumps(job).encode()) if job else data

    async def report(self, total):
        for name, reason in self.skipped.items():
            self.say(f"skipped {name}: {reason}")
        self.say(f"{len(self.done)} passed, {len(self.skipped)} skipped, of {total}")
