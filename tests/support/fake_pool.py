"""A pool for tests: every connection is scriptable, every submit is kept with the coinbase it stands for."""
import asyncio
import dataclasses
import json
import random
import socket
import struct
import time

import ports
from waiting import Changes, LIMIT
from wire import Framing, dump, make_job

IGNORE = "ignore"  # a verdict: never answer


@dataclasses.dataclass
class Submit:
    """One mining.submit that the pool received."""

    connection: "PoolConnection"
    id: object
    user: str
    job_id: str
    extranonce2: str
    ntime: str
    nonce: str
    version: str | None
    known: bool  # the job is one of this connection's
    coinbase: str  # hex; empty when the job is not known
    params: list
    told: object = None  # True, False, an error, or None: nothing so far
    at: float = dataclasses.field(default_factory=time.monotonic)  # when it came
    told_at: float | None = None

    @property
    def key(self):
        return (self.coinbase, self.ntime, self.nonce, self.version)


def accept(_submit):
    return True


class PoolConnection:
    """One connection of the proxy, seen from the pool."""

    def __init__(self, pool, reader, writer, index):
        self.pool = pool
        self.reader = reader
        self.writer = writer
        self.index = index
        self.framing = Framing(pool.framing, seed=index + 1)
        self.extranonce1 = pool.extranonce1(index)
        self.extranonce2_size = pool.extranonce2_size
        self.session = f"{index:08x}5e55"
        self.agent = None
        self.users = []  # authorized, in order
        self.passwords = []
        self.requests = []  # every message with a method
        self.responses = []  # every message without one
        self.jobs = {}  # id -> (job, extranonce1, extranonce2_size)
        self.last_job = None
        self.mask = None
        self.closed = False
        self.ready = False  # subscribed and authorized
        self.submits = []

    def __repr__(self):
        return f"<pool connection {self.index} of {self.pool.address}>"

    # What the pool says

    def send_bytes(self, data):
        if self.closed:
            return
        for piece in self.framing.pieces(data):
            self.writer.write(piece)

    def send(self, message):
        self.send_bytes(dump(message))

    def reply(self, request_id, result, error=None):
        self.send({"id": request_id, "result": result, "error": error})

    def push(self, method, params):
        self.send({"id": None, "method": method, "params": params})

    def set_difficulty(self, value):
        self.push("mining.set_difficulty", [value])

    def notify(self, job=None, **options):
        """Sends a job (a fresh one by default) and remembers what it means on this connection."""
        if job is None:
            job = self.pool.next_job(**options)
        self.remember(job)
        self.push("mining.notify", list(job.params))
        return job

    def remember(self, job):
        self.jobs[job.id] = (job, self.extranonce1, self.extranonce2_size)
        self.last_job = job
        self.pool.blocks.add(job.params[1])

    def set_extranonce(self, extranonce1, size):
        self.extranonce1, self.extranonce2_size = extranonce1, size
        self.push("mining.set_extranonce", [extranonce1, size])

    def drop(self, reset=False):
        """Ends the connection, orderly or with a reset."""
        if self.closed:
            return
        if reset:
            self.writer.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
            )
            self.writer.transport.abort()
        else:
            self.writer.close()

    def requested(self, method):
        return [m for m in self.requests if m.get("method") == method]

    # What the proxy says

    async def run(self):
        try:
            while line := await self.reader.readline():
                if line.strip():
                    self._message(json.loads(line))
                self.pool.changes.note()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        except Exception as failure:  # a line that is no message: the test must see it
            self.pool.failures.append(f"{self}: {failure!r}")
        self.closed = True
        self.writer.close()
        self.pool.changes.note()

    def _message(self, message):
        if "method" not in message:
            self.responses.append(message)
            return
        self.requests.append(message)
        if self.pool.silent:
            return
        method = message["method"]
        handler = self.pool.on.get(method)
        if handler and handler(self, message):
            return
        default = getattr(self, "_" + method.replace("mining.", "").replace(".", "_"), None)
        if default:
            default(message)
        elif message.get("id") is not None:
            self.reply(message["id"], None, [20, "Unsupported", None])

    def _configure(self, message):
        params = message["params"]
        result = {}
        if "version-rolling" in params[0]:
            if self.pool.mask is None:
                result["version-rolling"] = False
            else:
                asked = int(params[1].get("version-rolling.mask", "ffffffff"), 16)
                self.mask = f"{asked & int(self.pool.mask, 16):08x}"
                result |= {"version-rolling": True, "version-rolling.mask": self.mask}
        for extension in params[0]:
            result.setdefault(extension, False)
        self.reply(message["id"], result)

    def _subscribe(self, message):
        params = message.get("params") or []
        self.agent = params[0] if params else None
        session = params[1] if len(params) > 1 else None
        kept = self.pool.sessions.get(session)  # an earlier connection
        if kept:
            self.session, self.extranonce1 = session, kept.extranonce1
            self.jobs = dict(kept.jobs)
            self.pool.resumed.append(self)
        self.pool.sessions[self.session] = self
        self.reply(
            message["id"],
            [
                [["mining.set_difficulty", self.session], ["mining.notify", self.session]],
                self.extranonce1,
                self.extranonce2_size,
            ],
        )

    def _authorize(self, message):
        user, *rest = message["params"]
        verdict = self.pool.authorize(user)
        if verdict is True:
            self.users.append(user)
            self.passwords.append(rest[0] if rest else None)
            self.reply(message["id"], True)
            if not self.ready:
                self.ready = True
                if self.pool.difficulty is not None:
                    self.set_difficulty(self.pool.difficulty)
                if self.pool.send_jobs:
                    self.notify()
        elif verdict is False:
            self.reply(message["id"], False)
        elif verdict is not IGNORE:
            self.reply(message["id"], None, verdict)

    def _extranonce_subscribe(self, message):
        self.reply(message["id"], True)

    def _suggest_difficulty(self, message):
        if message.get("id") is not None:
            self.reply(message["id"], True)

    def _ping(self, message):
        self.reply(message["id"], "pong")

    def _submit(self, message):
        params = message["params"]
        user, job_id, extranonce2, ntime, nonce = params[:5]
        known = self.jobs.get(job_id)
        submit = Submit(
            self,
            message["id"],
            user,
            job_id,
            extranonce2,
            ntime,
            nonce,
            params[5] if len(params) > 5 else None,
            known is not None,
            known[0].coinbase(known[1], extranonce2) if known else "",
            params,
        )
        self.submits.append(submit)
        self.pool.submits.append(submit)
        verdict = self.pool.verdict(submit)
        if asyncio.isfuture(verdict):
            verdict.add_done_callback(lambda done: self._verdict(submit, done.result()))
        else:
            self._verdict(submit, verdict)

    def _verdict(self, submit, verdict):
        if verdict == IGNORE:
            return
        submit.told, submit.told_at = verdict, time.monotonic()
        if verdict is True:
            self.reply(submit.id, True)
        elif verdict is False:
            self.reply(submit.id, False)
        else:
            self.reply(submit.id, None, list(verdict))


class FakePool:
    """Listens on a free port of 127.0.0.1.

    verdict(submit) -> True, False, (code, text, None), IGNORE, or a future of one of them.
    authorize(user) -> True, False, an error, or IGNORE.
    on[method] = handler(connection, message) -> true when it has dealt with the message.
    """

    def __init__(
        self,
        *,
        x1=4,
        n2=8,
        mask="1fffe000",
        difficulty=1024,
        jobs=True,
        authorize=lambda user: True,
        verdict=accept,
        framing="whole",
        seed=1,
        lbry=False,
        tls=None,
    ):
        self._x1 = x1
        self.extranonce2_size = n2
        self.mask = mask
        self.difficulty = difficulty
        self.send_jobs = jobs
        self.authorize = authorize
        self.verdict = verdict
        self.framing = framing
        self.silent = False
        self.lbry = lbry
        self.tls = tls  # an ssl.SSLContext
        self.on = {}
        self.on_connect = None  # called with the new connection
        self.connections = []
        self.submits = []
        self.sessions = {}
        self.blocks = set()  # the previous block of every job, which no two jobs have in common
        self.resumed = []
        self.failures = []
        self.changes = Changes()
        self._random = random.Random(seed)
        self._jobs = 0
        self._server = None
        self._tasks = set()
        self.host = "127.0.0.1"  # as the proxy knows it; we listen there whatever it is called
        self.port = 0

    def extranonce1(self, index):
        if callable(self._x1):
            return self._x1(index)
        if isinstance(self._x1, str):
            return self._x1
        return (
            (0xA1B2C3D4E5F60718293A4B5C6D7E8F901122 + index).to_bytes(18, "big").hex()[-2 * self._x1 :]
            if self._x1
            else ""
        )

    def next_job(self, **options):
        self._jobs += 1
        options.setdefault("lbry", self.lbry)
        return make_job(self._random, f"p{self._jobs:x}", **options)

    def gave(self, job):
        """Whether a miner's job was one of this pool's."""
        return job.job.params[1] in self.blocks

    @property
    def address(self):
        return f"{self.host}:{self.port}"

    @property
    def live(self):
        return [c for c in self.connections if not c.closed]

    @property
    def ready(self):
        return [c for c in self.live if c.ready]

    async def start(self):
        for port in [self.port] if self.port else ports.numbers():
            try:
                self._server = await asyncio.start_server(
                    self._accept, "127.0.0.1", port, backlog=4096, limit=1 << 20, ssl=self.tls
                )
            except OSError as error:
                if self.port or not ports.taken(error):
                    raise
            else:
                self.port = port
                return self
        raise AssertionError("no free port")

    async def _accept(self, reader, writer):
        connection = PoolConnection(self, reader, writer, len(self.connections))
        self.connections.append(connection)
        self.changes.note()
        if self.on_connect:
            self.on_connect(connection)
        task = asyncio.current_task()
        self._tasks.add(task)
        try:
            await connection.run()
        finally:
            self._tasks.discard(task)

    async def stop_listening(self):
        """New connections are refused until start() is called again; the port stays the same."""
        if self._server:
            self._server.close()
            self._server = None

    async def close(self):
        await self.stop_listening()
        for connection in self.live:
            connection.drop()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def broadcast(self, **options):
        """One job for everybody, as a pool does it."""
        job = self.next_job(**options)
        for connection in self.ready:
            connection.notify(job)
        return job

    async def until(self, condition, what, limit=LIMIT):
        return await self.changes.until(condition, what, limit)

    async def link(self, count=1, limit=LIMIT):
        """The first live, logged-in connections, when there are so many."""
        await self.until(lambda: len(self.ready) >= count, f"{count} links logged in at {self.address}", limit)
        return self.ready[0] if count == 1 else self.ready[:count]
