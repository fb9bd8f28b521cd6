"""A miner for tests. It works out the coinbase it would hash, so that a test can compare it with the pool's."""
import asyncio
import collections
import dataclasses
import itertools
import json
import socket
import struct
import time

from canaries import MINER_PASSWORD
from waiting import Changes, LIMIT, at_most
from wire import Framing, Job, dump, error_code


@dataclasses.dataclass
class MinerJob:
    job: Job
    extranonce1: str
    extranonce2_size: int
    difficulty: float | None
    number: int  # the how many-th notify of this miner
    mask: str | None = None  # the version bits that may be rolled for it
    at: float = dataclasses.field(default_factory=time.monotonic)  # when it came

    @property
    def id(self):
        return self.job.id

    @property
    def clean(self):
        return self.job.clean


@dataclasses.dataclass
class Share:
    job: MinerJob
    extranonce2: str
    ntime: str
    nonce: str
    version: str | None
    reply: asyncio.Future  # of a message, or of None when the connection ended first

    @property
    def coinbase(self):
        return self.job.job.coinbase(self.job.extranonce1, self.extranonce2)

    @property
    def key(self):
        return (self.coinbase, self.ntime, self.nonce, self.version)

    @property
    def verdict(self):
        """accepted, rejected, unknown, or None: not known to the miner."""
        reply = self.reply.result() if self.reply.done() else None
        if reply is None:
            return None
        if reply.get("result") is True and reply.get("error") is None:
            return "accepted"
        if error_code(reply) == 20 and "share state unknown" in str(reply["error"][1]):
            return "unknown"
        return "rejected"


class FakeMiner:
    """One miner. Ids count from 1; `reconnect=True` makes it come back, with its session id, when it is dropped."""

    def __init__(
        self,
        address,
        login,
        *,
        password=MINER_PASSWORD,
        agent="kit/1.0",
        session=None,
        framing="whole",
        seed=1,
        reconnect=False,
        smallest_size=1,
        coinb1_index=2,
        mask=None,
        extranonce_subscribe=False,
        reading=True,
        tls=None,
    ):
        host, _, port = address.rpartition(":")
        self.host, self.port = host.strip("[]"), int(port)
        self.login, self.password, self.agent, self.session = login, password, agent, session
        self.framing = Framing(framing, seed)
        self.reconnect = reconnect
        self.smallest_size = smallest_size  # an extranonce2 below this makes the miner leave and try again
        self.coinb1_index = coinb1_index
        self.asked_mask = mask
        self.wants_extranonce = extranonce_subscribe
        self.mask = None
        self.extranonce1 = None
        self.extranonce2_size = None
        self.difficulty = None
        self.difficulties = []
        self.jobs = {}
        self.job_log = []  # MinerJob, in order of arrival
        self.messages = []  # every line, decoded, in order of arrival
        self.raw = []  # the same as bytes
        self.shown = []  # client.show_message
        self.shares = []
        self.connects = 0
        self.refused = 0  # connections that this miner left because of smallest_size
        self.connected = False
        self.source = None  # our host:port, the label `worker`
        self.changes = Changes()
        self.last_authorize = None
        self._jobs_before = 0
        self.reading = reading
        self.tls = tls  # an ssl.SSLContext; the proxy is localhost
        self._counter = itertools.count(1)
        self._ids = itertools.count(1)
        self._pending = collections.defaultdict(collections.deque)
        self._reader = self._writer = None
        self._task = None
        self._leaving = False

    # Connection

    async def connect(self):
        name = {"ssl": self.tls, "server_hostname": "localhost"} if self.tls else {}
        self._reader, self._writer = await asyncio.open_connection(self.host, self.port, limit=1 << 20, **name)
        host, port = self._writer.get_extra_info("sockname")[:2]
        self.source = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self.connects += 1
        self.connected = True
        self.last_authorize = None
        self._jobs_before = len(self.job_log)
        if self.reading:
            self._task = asyncio.create_task(self._read())
        return self

    @property
    def reconnects(self):
        return max(0, self.connects - 1)

    async def _read(self):
        reader = self._reader
        try:
            while line := await reader.readline():
                self.raw.append(line)
                self._message(json.loads(line))
                self.changes.note()
        except (ConnectionError, asyncio.CancelledError, asyncio.IncompleteReadError):
            pass
        self.connected = False
        self._writer.close()
        for queue in self._pending.values():
            for future in queue:
                if not future.done():
                    future.set_result(None)
        self._pending.clear()
        self.changes.note()
        if self.reconnect and not self._leaving:
            await self._come_back()

    async def _come_back(self):
        try:
            await self.connect()
            await self.log_in()
        except (ConnectionError, AssertionError):
            pass

    def close(self):
        """Leaves for good, orderly."""
        self._leaving = True
        if self._writer:
            self._writer.close()

    def reset(self):
        """Leaves with a reset, as a power cut behind a router looks."""
        self._leaving = True
        self.drop()

    def drop(self):
        """The connection breaks; with `reconnect` the miner comes back, with its session id."""
        self._writer.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
        self._writer.transport.abort()

    async def closed(self, limit=LIMIT):
        await self.changes.until(lambda: not self.connected, "the proxy closes this miner", limit)

    # What the miner says

    def send_bytes(self, data):
        for piece in self.framing.pieces(data):
            self._writer.write(piece)

    def send(self, message):
        self.send_bytes(dump(message))

    def request(self, method, params, request_id=None):
        """Sends a request; gives the future of its reply. Several requests with one id are answered in order."""
        if request_id is None:
            request_id = next(self._ids)
        future = asyncio.get_running_loop().create_future()
        if not self.connected:
            future.set_result(None)
            return future
        self._pending[json.dumps(request_id)].append(future)
        self.send({"id": request_id, "method": method, "params": params})
        return future

    async def ask(self, method, params, request_id=None, limit=LIMIT):
        return await at_most(self.request(method, params, request_id), f"a reply to {method}", limit)

    def subscribe(self):
        params = [self.agent] if self.session is None else [self.agent, self.session]
        return self.request("mining.subscribe", params)

    def configure(self, mask="1fffe000"):
        return self.request("mining.configure", [["version-rolling"], {"version-rolling.mask": mask}])

    def _learn(self, result):
        """A reply's own effects are in force before the next line is read."""
        if isinstance(result, list) and len(result) == 3:
            subscriptions, self.extranonce1, self.extranonce2_size = result
            self.session = subscriptions[0][1]
        elif isinstance(result, dict) and result.get("version-rolling") is True:
            self.mask = result["version-rolling.mask"]

    def authorize(self, login=None):
        return self.request("mining.authorize", [login or self.login, self.password])

    async def log_in(self, limit=LIMIT):
        """configure?, subscribe, authorize, extranonce.subscribe?, pipelined. True when the login was taken."""
        if self.asked_mask:
            self.configure(self.asked_mask)
        subscribed = self.subscribe()
        if self.smallest_size > 1:
            await at_most(subscribed, "a reply to mining.subscribe", limit)
            if self.extranonce2_size is not None and self.extranonce2_size < self.smallest_size:
                self.refused += 1
                self._writer.close()
                return False
        authorized = self.authorize()
        if self.wants_extranonce:
            self.request("mining.extranonce.subscribe", [])
        await at_most(subscribed, "a reply to mining.subscribe", limit)
        self.last_authorize = await at_most(authorized, "a reply to mining.authorize", limit)
        self.changes.note()
        return self._is_in()

    def _is_in(self):
        return bool(self.last_authorize and self.last_authorize.get("result") is True)

    @property
    def ready(self):
        """Logged in on this connection, and it has brought a job."""
        return self.connected and self._is_in() and len(self.job_log) > self._jobs_before

    async def start(self, limit=LIMIT):
        """Connects, logs in, waits for a job of the pool."""
        await self.connect()
        if not await self.log_in(limit):
            raise AssertionError(f"login refused: {self.last_authorize}")
        await self.next_job(0, limit)
        return self

    @property
    def job(self):
        return self.job_log[-1] if self.job_log else None

    async def next_job(self, seen=None, limit=LIMIT):
        """The newest job, once there are more than `seen` (default: than now)."""
        seen = len(self.job_log) if seen is None else seen
        await self.changes.until(lambda: len(self.job_log) > seen, f"job number {seen + 1}", limit)
        return self.job

    def submit(
        self, job=None, *, extranonce2=None, ntime=None, nonce=None, version=None, worker=None, request_id=None
    ):
        """Sends one share, by default one that was not sent before."""
        job = job or self.job
        number = next(self._counter)
        size = job.extranonce2_size
        if extranonce2 is None:
            extranonce2 = (number % (1 << 8 * size)).to_bytes(size, "big").hex()
        share = Share(
            job,
            extranonce2,
            ntime or job.job.ntime,
            nonce or f"{(number * 2654435761) & 0xffffffff:08x}",
            version,
            None,
        )
        params = [worker or self.login, job.id, share.extranonce2, share.ntime, share.nonce]
        if version is not None:
            params.append(version)
        share.reply = self.request("mining.submit", params, request_id)
        self.shares.append(share)
        return share

    async def mine(self, count=1, **options):
        """Shares one after another, each with its verdict."""
        shares = []
        for _ in range(count):
            share = self.submit(**options)
            await at_most(share.reply, "the verdict of a share")
            shares.append(share)
        return shares

    # What the proxy says

    def _message(self, message):
        self.messages.append(message)
        method = message.get("method")
        if method is None:
            queue = self._pending.get(json.dumps(message.get("id")))
            if queue:
                future = queue.popleft()
                self._learn(message.get("result"))
                if not future.done():
                    future.set_result(message)
            return
        params = message.get("params") or []
        if method == "mining.set_difficulty":
            self.difficulty = params[0]
            self.difficulties.append(params[0])
        elif method == "mining.notify":
            job = MinerJob(
                Job(tuple(params), self.coinb1_index),
                self.extranonce1,
                self.extranonce2_size,
                self.difficulty,
                len(self.job_log) + 1,
                self.mask,
            )
            if job.clean:
                self.jobs.clear()
            self.jobs[job.id] = job
            self.job_log.append(job)
        elif method == "mining.set_extranonce":
            self.extranonce1, self.extranonce2_size = params
        elif method == "mining.set_version_mask":
            self.mask = params[0]
        elif method == "client.show_message":
            self.shown.append(params[0])
