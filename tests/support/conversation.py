"""Conversations on file, and the play that sends both of their sides through a proxy.

A file holds one JSON object a line: {"dir": "miner>pool" or "pool>miner", "line": ...}. The play gives the pool's lines
to a fake pool and the miner's to a fake miner, each changed as that side itself would change it for the peer it has: the
pool answers with the ids it was asked with, the miner takes over login, job ids and the size of its extranonce2.
"""
import dataclasses
import json
import pathlib

from fake_pool import IGNORE
from waiting import at_most
from wire import Job, error_code

HANDSHAKE = ("mining.configure", "mining.subscribe", "mining.authorize")


@dataclasses.dataclass
class Conversation:
    name: str
    lines: list  # (from_miner, message)

    def miner(self):
        return [message for from_miner, message in self.lines if from_miner]

    def pool(self):
        return [message for from_miner, message in self.lines if not from_miner]


def load(path):
    """The conversation, with a line that is no JSON left as text."""
    lines = []
    for text in pathlib.Path(path).read_text(encoding="utf-8").splitlines():
        record = json.loads(text)
        try:
            message = json.loads(record["line"])
        except json.JSONDecodeError:
            message = record["line"]
        lines.append((record["dir"] == "miner>pool", message))
    return Conversation(pathlib.Path(path).stem, lines)


def is_hex(text, size=None):
    if not isinstance(text, str) or (size is not None and len(text) != size):
        return False
    try:
        return len(bytes.fromhex(text)) * 2 == len(text)
    except ValueError:
        return False


def usable_job(params, coinb1_index=2):
    """Is this what a pool of the dialect may send as work?"""
    at = coinb1_index
    return (
        isinstance(params, list)
        and len(params) >= at + 6
        and isinstance(params[0], str)
        and params[0] != ""
        and all(is_hex(p, 64) for p in params[1:at])
        and is_hex(params[at])
        and is_hex(params[at + 1])
        and isinstance(params[at + 2], list)
        and all(is_hex(b, 64) for b in params[at + 2])
        and all(is_hex(p, 8) for p in params[at + 3 : at + 6])
    )


def accepts(reply):
    return reply.get("result") is True and reply.get("error") is None


def _subscribe_result(message):
    """(extranonce1, size) of a subscribe reply of any shape, or None."""
    result = message.get("result")
    if (
        isinstance(result, list)
        and len(result) >= 3
        and isinstance(result[-2], str)
        and isinstance(result[-1], int)
    ):
        return result[-2], result[-1]
    return None


class Play:
    """One conversation through one proxy. `play()` fails with what did not arrive, or arrived otherwise."""

    def __init__(self, conversation, test, pool, miner, coinb1_index=2):
        self.conversation, self.test, self.pool, self.miner = conversation, test, pool, miner
        self.index = coinb1_index
        self.submits = 0
        self.local = 0  # shares that the proxy refused itself, as the recorded pool did too
        self.refused = None  # the recorded pool's refusal of the login
        self._relayed = (
            []
        )  # (job, extranonce1, size) of the pool, in the order in which they must reach the miner
        self._at_miner = []  # the miner's copy of each, the newest
        self._by_name = {}  # the recorded job id -> its place in _relayed
        self._seen = set()
        self._opening = (
            []
        )  # what the pool says until the first submit: ("reply", method, line) or ("push", None, line)
        self._rest = []  # (message, verdict) of submits and (message, None) of pushes, from the first submit on
        self._asked = {}  # method -> (connection, id): asked by the proxy, not yet answered
        self._met = set()  # methods that the proxy has asked for
        self._verdict = None
        self._split()

    def _split(self):
        """Cuts the recording at its first submit, and finds out which reply belongs to which request."""
        asked, submits = {}, {}
        target = self._opening
        for from_miner, message in self.conversation.lines:
            if not isinstance(message, dict):
                continue
            key = json.dumps(message.get("id"))
            if from_miner:
                if message.get("method") == "mining.submit":
                    entry = [message, None]
                    submits.setdefault(key, []).append(entry)
                    self._rest.append(entry)
                    target = self._rest
                else:
                    asked[key] = message.get("method")
            elif "method" in message:
                target.append(("push", None, message) if target is self._opening else [message, None])
            elif submits.get(key):
                submits[key].pop(0)[1] = message
            else:
                method = asked.pop(key, None)
                if method is None:  # a recording without the miner's side
                    method = {list: "mining.subscribe", dict: "mining.configure"}.get(
                        type(message.get("result"))
                    )
                if method not in HANDSHAKE or (method == "mining.subscribe" and not _subscribe_result(message)):
                    continue
                if method == "mining.authorize" and message.get("error") is not None:
                    self.refused = message["error"]
                self._opening.append(("reply", method, message))

    # The pool's side

    def _request(self, connection, message):
        """The proxy asks: the recorded reply, when there is one, is given in the recorded order."""
        method = message["method"]
        if not any(kind == "reply" and of == method for kind, of, _ in self._opening):
            return False
        if not self._met:  # jobs sent ahead of the subscribe reply are already under its extranonce
            shape = next((_subscribe_result(m) for _, of, m in self._opening if of == "mining.subscribe"), None)
            connection.extranonce1, connection.extranonce2_size = shape or (
                connection.extranonce1,
                connection.extranonce2_size,
            )
        self._met.add(method)
        self._asked[method] = (connection, message["id"])
        self._go_on(connection)
        return True

    def _go_on(self, connection, to_the_end=False):
        while self._opening:
            kind, method, message = self._opening[0]
            if kind == "push":
                self._push(connection, message)
            elif method in self._asked:
                peer, request = self._asked.pop(method)
                if method == "mining.subscribe":
                    peer.extranonce1, peer.extranonce2_size = _subscribe_result(message)
                elif method == "mining.authorize":
                    self._keep(self._relayed[-1:])
                    peer.ready = self.refused is None
                peer.send(dict(message, id=request))
            elif (
                not to_the_end and method not in self._met and not (method == "mining.configure" and self._met)
            ):
                return  # the proxy has not asked for it yet
            self._opening.pop(0)

    def _push(self, connection, message):
        method, params = message.get("method"), message.get("params")
        if method == "mining.notify" and usable_job(params, self.index):
            job = Job(tuple(params), self.index)
            connection.remember(job)
            self._by_name[job.id] = len(self._relayed)
            self._relayed.append((job, connection.extranonce1, connection.extranonce2_size))
        elif method == "mining.set_extranonce" and isinstance(params, list) and len(params) == 2:
            connection.extranonce1, connection.extranonce2_size = params
            if not connection.ready:
                self._keep([])
        elif method == "client.reconnect":
            return  # has a test of its own; here it would only end the conversation
        connection.send(message)

    def _keep(self, jobs):
        """Nobody works on a link that is not logged in yet: only its newest job is anybody's business later."""
        self._relayed = jobs
        self._by_name = {job.id: place for place, (job, _, _) in enumerate(jobs)}

    def _push_job(self, connection, name=None, ntime="66a00000"):
        params = list(self.pool.next_job(lbry=self.index == 3, ntime=ntime).params)
        if name is not None:
            params[0] = name
        self._push(connection, {"id": None, "method": "mining.notify", "params": params})

    def _judge(self, submit):
        if self._verdict is None:
            return True
        submit.connection.send(dict(self._verdict, id=submit.id))
        return IGNORE

    # The miner's side

    async def _log_in(self):
        """The recorded handshake in its order, all in one go, with what is missing put behind it."""
        lines, extra, have = [], [], set()
        for message in self.conversation.miner():
            if not isinstance(message, dict) or message.get("method") in (None, "mining.submit"):
                continue
            method = message["method"]
            opening = method in HANDSHAKE or method.startswith("mining.suggest")
            (lines if opening and method not in have else extra).append(message)
            have.add(method)
        rolls = any(
            len(m["params"]) > 5
            for m in self.conversation.miner()
            if isinstance(m, dict) and m.get("method") == "mining.submit"
        )
        if rolls and "mining.configure" not in have:
            lines.insert(
                0,
                {
                    "id": "conf",
                    "method": "mining.configure",
                    "params": [["version-rolling"], {"version-rolling.mask": "ffffffff"}],
                },
            )
        for method, params in (("mining.subscribe", ["kit/1.0"]), ("mining.authorize", ["", "x"])):
            if method not in have:
                lines.append({"id": method[-4:], "method": method, "params": params})
        replies = []
        for message in lines:
            params = list(message["params"])
            if message["method"] == "mining.authorize":
                params[0] = self.miner.login
            replies.append((message, self.miner.request(message["method"], params, message["id"])))
        for message, reply in replies:
            answer = await at_most(reply, f"a reply to {message['method']}")
            self.test.assertIsNotNone(answer, f"the connection ended before a reply to {message}")
            self._whole(answer, message)
            if message["method"] in HANDSHAKE:
                self.test.assertIsNone(answer["error"], f"{message} -> {answer}")
        return extra

    def _whole(self, reply, request):
        self.test.assertEqual(json.dumps(reply["id"]), json.dumps(request["id"]), "the id is not the request's")
        self.test.assertLessEqual({"id", "result", "error"}, set(reply))

    def _is_job(self, have, relayed):
        """Is what the miner has this job of the pool? A job that is sent again may have its ntime moved forward."""
        job, extranonce1, size = relayed
        at = self.index + 3  # ntime's place in rest
        mine, pools = list(have.job.rest), list(job.rest)
        if int(mine[at], 16) - int(pools[at], 16) not in range(600):
            return False
        mine[at] = pools[at]
        probe = "5a" * have.extranonce2_size
        coinbase = have.job.coinbase(have.extranonce1, probe)
        head, tail = job.coinb1.lower() + extranonce1.lower(), probe + job.coinb2.lower()
        return (
            mine == pools
            and coinbase.startswith(head)
            and coinbase.endswith(tail)
            and len(coinbase) == len(head) + 2 * size + len(job.coinb2)
        )

    def _match(self):
        """Deals the miner's jobs to the pool's, in order. True when each of the pool's is there."""
        place = 0
        self._at_miner = []
        for have in self.miner.job_log:
            if place < len(self._relayed) and self._is_job(have, self._relayed[place]):
                self._at_miner.append(have)
                place += 1
                continue
            again = next((i for i in range(place - 1, -1, -1) if self._is_job(have, self._relayed[i])), None)
            self.test.assertIsNotNone(
                again, f"a job that is none of the pool's, or has another coinbase: {have}"
            )
            self._at_miner[again] = have  # sent again: what the miner works on
        return place == len(self._relayed)

    async def _check_jobs(self):
        """Every job so far is at the miner, and its coinbase is the pool's."""
        await self.miner.changes.until(
            self._match, f"{len(self._relayed)} jobs at the miner, of {len(self.miner.job_log)}"
        )

    async def _submit(self, connection, message, verdict):
        params = message["params"]
        name = params[1]
        if name not in self._by_name:  # the recording begins after this job
            self._push_job(connection, name, params[3].rjust(8, "0"))
        await self._check_jobs()
        job = self._at_miner[self._by_name[name]]
        size = 2 * job.extranonce2_size
        extranonce2 = params[2][-size:].rjust(size, "0") if size else ""
        ntime, nonce = max(params[3].rjust(8, "0").lower(), job.job.ntime), params[4].rjust(8, "0").lower()
        version = params[5] if len(params) > 5 else None
        key = (job.id, extranonce2, ntime, nonce, version)
        again = key in self._seen
        self._seen.add(key)
        self._verdict = verdict
        before = len(self.pool.submits)
        share = self.miner.submit(
            job,
            extranonce2=extranonce2,
            ntime=ntime,
            nonce=params[4],
            version=version,
            request_id=message["id"],
        )
        reply = await at_most(share.reply, f"a verdict on {message}")
        self.test.assertIsNotNone(reply, f"the connection ended at {message}")
        self._whole(reply, message)
        self.submits += 1
        arrived = self.pool.submits[before:]
        if not arrived:
            self.test.assertTrue(
                again or (verdict is not None and not accepts(verdict)),
                f"never reached the pool: {message} -> {reply}",
            )
            self.test.assertIsNotNone(error_code(reply))
            self.local += 1
            return
        (submit,) = arrived
        user = connection.requested("mining.authorize")[-1]["params"][0]
        self.test.assertEqual(
            (submit.user, submit.job_id, submit.ntime, submit.nonce), (user, name, ntime, nonce)
        )
        self.test.assertEqual(len(submit.extranonce2), 2 * connection.jobs[name][2])
        self.test.assertEqual(submit.version, version if version is None else version.rjust(8, "0").lower())
        shape = connection.jobs[name]
        expected = job.job.coinbase(job.extranonce1, extranonce2)
        self.test.assertEqual(shape[0].coinbase(shape[1], submit.extranonce2), expected)
        self._same_verdict(reply, verdict)

    def _same_verdict(self, reply, verdict):
        if verdict is None or accepts(verdict):
            self.test.assertEqual((reply["result"], reply["error"]), (True, None))
            return
        self.test.assertFalse(accepts(reply))
        code, text, _ = reply["error"]
        said = verdict.get("error")
        if isinstance(said, list):
            self.test.assertEqual([code, text], said[:2])
        elif isinstance(said, dict):
            self.test.assertEqual([code, text], [said["code"], said["message"]])
        else:
            self.test.assertEqual(text, said or verdict.get("reject-reason", text))

    async def play(self):
        for method in HANDSHAKE:
            self.pool.on[method] = self._request
        # The recording has its own first difficulty and job.
        self.pool.difficulty, self.pool.send_jobs, self.pool.verdict = None, False, self._judge
        await self.miner.connect()
        extra = await self._log_in()
        connection = await self.pool.until(
            lambda: next((c for c in self.pool.connections if c.requested("mining.authorize")), None),
            "the link's login",
        )
        if self.refused:
            await self.miner.changes.until(
                lambda: self.miner.shown or not self.miner.connected, "the pool's refusal"
            )
            text = " ".join(self.miner.shown)
            self.test.assertTrue(self.refused[1] in text or not self.miner.connected, text)
            return
        await self.pool.until(lambda: connection.ready, "the link is in")
        if (
            not any(of == "mining.authorize" for _, of, _ in self._opening)
            and "mining.authorize" not in self._met
        ):
            self._keep(self._relayed[-1:])
        self._go_on(connection, to_the_end=True)
        if (
            connection.extranonce2_size < 4
        ):  # no room for a mark: the miner is sent away once to learn the pool's extranonce
            if not self._relayed:
                self._push_job(connection)
            await self.miner.closed()
            await self.miner.connect()
            await self._log_in()
            self.test.assertEqual(
                (self.miner.extranonce1, self.miner.extranonce2_size),
                (connection.extranonce1, connection.extranonce2_size),
            )
        await self._check_jobs()
        for message, verdict in self._rest:
            if message.get("method") == "mining.submit":
                await self._submit(connection, message, verdict)
            else:
                self._push(connection, message)
        await self._check_jobs()
        for message in extra:
            if message.get("id") is not None:
                self._whole(
                    await self.miner.ask(message["method"], message.get("params", []), message["id"]), message
                )
        # One share more, whatever the recording was: the conversation has left the house in order.
        self._push_job(connection)
        await self._check_jobs()
        self._verdict = None
        share = self.miner.submit()
        await at_most(share.reply, "a verdict at the end")
        self.test.assertEqual(share.verdict, "accepted", share.reply.result())
        self.test.assertEqual(self.pool.submits[-1].coinbase, share.coinbase)
