"""Acceptance C: the catalogue of hostile inputs.

Every entry ends as passed or as skipped with the reason. After each one the process lives, and a neighbour's share is
accepted; after all of them no descriptor is left over. Beyond that, CHECKS says what an entry itself must lead to.
"""
import asyncio
import gzip
import json
import pathlib
import re
import socket
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from canaries import REFUSED_PASSWORD, WEB_TOKEN
from daemon import Daemon
from fake_pool import IGNORE
from house import SHARED, HouseTest, main
from waiting import at_most, figure, until
from wire import error_code

CATALOGUE = SHARED / "bad_inputs.jsonl"


def entries(where):
    if not CATALOGUE.exists():
        return []
    return [e for e in map(json.loads, CATALOGUE.read_text(encoding="utf-8").splitlines()) if e["where"] == where]


# The names that the catalogue's expressions use.

SUB = '{"id":1,"method":"mining.subscribe","params":[]}\n'


def sub(request_id, worker="alice.w1", job="J1", en2="00000001", nt="66a00000", no="0000abcd", extra=""):
    return (f'{{"id":{request_id},"method":"mining.submit","params":["{worker}","{job}","{en2}","{nt}","{no}"{extra}]}}\n')


def auth(request_id=2, name="alice.w1"):
    return f'{{"id":{request_id},"method":"mining.authorize","params":["{name}","x"]}}\n'


def noti_line(job, prev='"' + "00" * 32 + '"', c1='"01"', c2='"02"', branches="[]", version='"20000000"', nbits='"1d00ffff"',
              ntime='"66a00000"', clean="true"):
    return (f'{{"id":null,"method":"mining.notify","params":["{job}",{prev},{c1},{c2},{branches},{version},{nbits},{ntime},{clean}]}}\n')


def head(length, method="POST", path="/api/v1/accounts", extra=""):
    return (f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer T\r\nContent-Type: application/json\r\n"
            f"{extra}{'' if length is None else f'Content-Length: {length}'}{'' if length is None else chr(13) + chr(10)}\r\n").encode()


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
    names = {"SUB": SUB, "sub": sub, "auth": auth, "noti_line": noti_line, "POST": POST, "GET": GET, "HDR": HDR, "json": json,
             "POSTHEAD_CHUNKED": head(None, extra="Transfer-Encoding: chunked\r\n"), "cfg": lambda **k: k, **more}
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
            import struct
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.writer.transport.abort()
        else:
            raise AssertionError(f"unknown step {step}")

    def end(self):
        self.writer.transport.abort()


def is_error(code=None, request_id=None):
    """A check: the (only needed) first reply is an error with this code and id."""
    async def check(test, raw, context):
        reply = (await raw.got(1))[0]
        test.assertTrue(reply.get("error") or reply.get("result") is False, reply)
        test.assertIsNot(reply.get("result"), True)
        if code is not None:
            test.assertEqual(error_code(reply), code, reply)
        if request_id is not None:
            test.assertEqual(json.dumps(reply["id"]), request_id)
    return check


def is_result(request_id):
    async def check(test, raw, context):
        reply = (await raw.got(1))[0]
        test.assertIsNone(reply["error"])
        test.assertIsInstance(reply["result"], list)
        test.assertIn(b'"id":' + request_id.encode(), raw.lines[0].replace(b'"id": ', b'"id":'))
    return check


def closes():
    async def check(test, raw, context):
        await raw.ended()
        said = b"".join(raw.lines)  # in a form that this client can read: not always JSON
        test.assertNotIn(b'"result":true', said)
        test.assertNotIn(b'"result":[', said)
    return check


async def parse_error(test, raw, context):
    await raw.ended()
    for reply in raw.replies():
        test.assertEqual((reply["id"], error_code(reply)), (None, 20))


def forwards(count, codes=()):
    """So many shares reach the pool; the others are answered with these codes."""
    async def check(test, raw, context):
        before = context["before"]
        replies = await raw.until(lambda: len(raw.replies()) >= count + len(codes) and raw.replies(), "all verdicts")
        test.assertEqual([error_code(r) for r in replies if r["result"] is not True], list(codes), replies)
        test.assertEqual(len(test.pool_a.submits) - before, count)
    return check


def each_refused(code, count):
    async def check(test, raw, context):
        replies = await raw.got(count)
        for reply in replies:
            test.assertIsNot(reply["result"], True)
            test.assertIn(error_code(reply), code)
    return check


async def no_reply(test, raw, context):
    raw.writer.write(b'{"id":"marker","method":"mining.ping","params":[]}\n')
    replies = await raw.until(lambda: raw.closed or raw.replies(), "the marker's reply or the end")
    if not raw.closed:
        test.assertEqual([r["id"] for r in replies], ["marker"])


async def same_reply_twice(test, raw, context):
    first, second = await raw.got(2)
    test.assertEqual((first["id"], second["id"]), (1, 2))
    test.assertEqual(first["result"], second["result"])


async def fresh_sessions(test, raw, context):
    for reply in await raw.until(lambda: raw.replies() if raw.replies() or raw.closed else None, "a reply"):
        test.assertTrue(isinstance(reply["result"], list) or reply["error"], reply)
        test.assertNotIn("%s", json.dumps(reply))


async def live_owner_stays(test, raw, context):
    reply = (await raw.got(1))[0]
    test.assertIsInstance(reply["result"], list)
    test.assertNotEqual(reply["result"][0][0][1], test.neighbour.session)
    test.assertTrue(test.neighbour.connected)


async def version_rolling_false(test, raw, context):
    reply = (await raw.got(1))[0]
    test.assertIs(reply["result"]["version-rolling"], False)


async def login_order(test, raw, context):
    replies = await raw.got(2)
    test.assertEqual([r["id"] for r in replies[:2]], [2, 3])
    test.assertTrue(all(r["result"] is True for r in replies[:2]), replies)


async def difficulty_sane(test, raw, context):
    await no_reply_needed(test, raw)
    for message in raw.decoded():
        if message.get("method") == "mining.set_difficulty":
            test.assertTrue(1e-9 < message["params"][0] < 1e18, message)


async def no_reply_needed(test, raw):
    raw.writer.write(b'{"id":"marker","method":"mining.ping","params":[]}\n')
    await raw.until(lambda: raw.closed or any(r["id"] == "marker" for r in raw.replies()), "the marker's reply or the end")


async def jobs_unchanged(test, raw, context):
    await no_reply_needed(test, raw)
    test.assertEqual(sum(m.get("method") == "mining.notify" for m in raw.decoded()), context["jobs"])


async def answered(test, raw, context):
    await raw.until(lambda: raw.closed or raw.replies(), "a reply or the end")
    test.assertTrue(all("result" in r and "error" in r for r in raw.replies()))


async def id_escaped(test, raw, context):
    await raw.until(lambda: raw.closed or raw.replies(), "a reply")
    if raw.replies():
        test.assertIn(raw.replies()[0]["id"], ("\0\"\n", None))


async def not_forwarded(test, raw, context):
    await raw.until(lambda: raw.closed or raw.replies(), "a reply or the end")
    test.assertEqual(len(test.pool_a.submits), context["before"])
    test.assertFalse(any(r["result"] is True for r in raw.replies() if r.get("id") == 3))


async def answers_true(test, raw, context):
    test.assertIs((await raw.got(1))[0]["result"], True)


async def padded(test, raw, context):
    await forwards(1)(test, raw, context)
    test.assertEqual(test.pool_a.submits[-1].nonce, "0a9a049c")


async def half_closed(test, raw, context):
    await forwards(1)(test, raw, context)
    await raw.ended()


async def error_then_alive(test, raw, context):
    await is_error(20, "null")(test, raw, context)
    raw.writer.write(SUB.encode())
    test.assertIsInstance((await raw.got(2))[1]["result"], list)


MINER_CHECKS = {
    "silent_connection": closes(), "only_newlines_1000": no_reply, "crlf_line_end": is_result("1"),
    "line_at_limit_8192": is_result("1"), "line_one_over_limit": closes(), "one_byte_segments": is_result("1"),
    "two_messages_one_segment": same_reply_twice, "http_post_getwork": closes(), "tls_client_hello_on_plain_port": closes(),
    "ssh_banner": closes(), "proxy_v2_signature_not_enabled": closes(), "half_close_after_submit": half_closed,
    "tcp_urgent_byte": forwards(1), "empty_object": error_then_alive, "leading_bom": parse_error, "utf16le_json": parse_error,
    "overlong_utf8": parse_error, "lone_surrogate": parse_error, "deep_array_nesting": parse_error,
    "deep_object_nesting": parse_error, "exponent_underflow": answered, "exponent_overflow": answered,
    "id_negative": is_result("-1"), "id_float": is_result("1.50"), "id_string_4KiB": is_error(20, "null"),
    "id_with_escapes": id_escaped, "id_missing": no_reply, "id_object": is_error(20, "null"),
    "duplicate_key_params": not_forwarded, "smuggled_internal_keys": forwards(1), "top_level_scalar": is_error(20),
    "trailing_garbage": parse_error, "json5_dialect": parse_error, "nan_infinity": parse_error, "method_number": is_error(20),
    "method_unknown": is_error(20), "method_embedded_nul": not_forwarded, "method_upper_case": is_error(20),
    "server_method_notify": jobs_unchanged, "unsolicited_response": jobs_unchanged, "subscribe_params_null": answered,
    "subscribe_nested_agent": is_result("1"), "agent_8KB_with_ansi": is_result("1"),
    "session_id_live_other_client": live_owner_stays, "authorize_params_bad_types": closes(),
    "authorize_unknown_account": is_error(24), "authorize_sql_drop": is_error(24), "authorize_like_wildcards": is_error(24),
    "authorize_newline_log_forge": is_error(24), "authorize_label_injection": is_error(24), "authorize_homoglyph": is_error(24),
    "authorize_rtl_override": is_error(24), "authorize_xss_name": is_error(24), "authorize_long_name": is_error(24),
    "authorize_empty_worker": answered, "authorize_case_variant": is_error(24), "authorize_flood_wrong_1000ps": closes(),
    "authorize_second_while_first_pending": login_order, "submit_while_authorize_pending": not_forwarded,
    "submit_before_subscribe": is_error(25), "submit_other_account": forwards(0, [24]), "submit_two_params": forwards(0, [20]),
    "submit_number_params": forwards(0, [20]), "submit_30_params": forwards(0, [20]), "submit_job_4KiB": forwards(0, [21]),
    "submit_job_of_other_upstream": forwards(0, [21]), "en2_too_short": forwards(0, [20]), "en2_too_long": forwards(0, [20]),
    "en2_non_hex_tail": forwards(0, [20]), "share_replay_case_change": forwards(1, [22, 22]), "nonce_7_chars": padded,
    "nonce_signed": forwards(0, [20]), "nonce_space": forwards(0, [20]), "ntime_before_job": forwards(0, [20]),
    "ntime_far_future": forwards(0, [20]), "version_bits_outside_mask": forwards(0, [20]), "low_difficulty_share": forwards(1),
    "configure_bad_mask": version_rolling_false, "configure_huge_bits": version_rolling_false,
    "suggest_difficulty_bad": difficulty_sane, "extranonce_subscribe_junk": answers_true,
}

ELSEWHERE = {  # entries that have a test of their own, below or in another file
    "session_id_bad_forms": "test_session_ids_of_bad_forms", "session_id_expired": "test_e_restore",
    "session_resume_race_two_sockets": "test_e_restore", "session_resume_replays_shares": "test_e_restore",
    "share_duplicate_across_resume": "test_e_restore", "pipelined_submits_never_reading": "test_a_miner_that_never_reads",
    "never_reads_notifies": "test_a_miner_that_never_reads", "per_ip_connect_flood": "test_connect_flood",
}


class BadInputs(HouseTest):
    """Two accounts on two pools: alice is attacked, bob is the neighbour."""

    async def asyncSetUp(self):
        if not CATALOGUE.exists():
            self.skipTest(f"no catalogue at {CATALOGUE}")
        self.proxy = await self.daemon(config={
            "limits": {"first_message_seconds": 1.5, "authorize_seconds": 20},
            "upstream": {"verdict_timeout_seconds": 1.5, "retry_max_seconds": 0.2, "share_wait_seconds": 1}})
        self.pool_a, self.pool_b = await self.pool(), await self.pool(seed=2)
        self.alice = await self.account(self.proxy, self.pool_a, user="alicewallet")
        self.bob = await self.account(self.proxy, self.pool_b, user="bobwallet")
        # NiceHash's agent gets four bytes of extranonce2: what the catalogue's submits hold.
        self.neighbour = await self.miner(self.proxy, self.bob, agent="NiceHash/1.0.0")
        await self.neighbour.mine()
        self.done, self.skipped = [], {}

    async def neighbour_mines(self):
        share, = await self.neighbour.mine()
        self.assertEqual(share.verdict, "accepted")
        self.assertTrue(self.proxy.running)

    def adapt(self, data, job=None):
        data = data.replace(b"ALICE", self.alice.upper().encode()).replace(b"bob.w1", self.bob.encode() + b".w1")
        data = data.replace(b'"alice', b'"' + self.alice.encode())
        return data.replace(b'"J1"', json.dumps(job).encode()) if job else data

    async def _prepare(self, pre):
        """A connection in the state that an entry starts from; with the job's id."""
        raw = await Raw().connect(self.proxy.stratum)
        if pre == "tcp":
            return raw, None
        if pre == "auth_vr":
            raw.writer.write(b'{"id":"c","method":"mining.configure","params":[["version-rolling"],{"version-rolling.mask":"ffffffff"}]}\n')
        raw.writer.write(b'{"id":"s","method":"mining.subscribe","params":["NiceHash/1.0.0"]}\n')
        await raw.until(lambda: any(r["id"] == "s" for r in raw.replies()), "the subscribe reply")
        job = None
        if pre != "sub":
            raw.writer.write(self.adapt(auth("\"a\"").encode()))
            job = await raw.until(lambda: next((m["params"][0] for m in raw.decoded() if m.get("method") == "mining.notify"), None),
                                  "a job")
        raw.lines = [line for line in raw.lines if json.loads(line).get("method") == "mining.notify"]
        return raw, job

    async def _drive(self, raw, entry, job):
        steps = evaluate(entry["input"], LIVE_SESSION=self.neighbour.session, OTHER_POOL_JOB=self.neighbour.job.id)
        for step in steps:
            if isinstance(step, bytes):
                try:
                    raw.writer.write(self.adapt(step, job))
                    if not raw.closed:
                        await raw.writer.drain()
                except ConnectionError:
                    break
            elif step[0] in ("sleep", "db_delay_ms"):
                continue  # limits are short here, and a look-up in a local file is not slowed down: order is what counts
            else:
                raw.step(step)

    async def _report(self, total):
        for name, reason in self.skipped.items():
            self.say(f"skipped {name}: {reason}")
        self.say(f"{len(self.done)} passed, {len(self.skipped)} skipped, of {total}")

    async def test_miner_entries(self):
        listed = entries("miner")
        files = None
        for entry in listed:
            name = entry["name"]
            if entry["pre"] == "tls":
                self.skipped[name] = "TLS is not built yet"
                continue
            if name in ELSEWHERE:
                self.skipped[name] = f"has a test of its own: {ELSEWHERE[name]}"
                continue
            with self.subTest(entry=name):
                raw, job = await self._prepare(entry["pre"])
                context = {"before": len(self.pool_a.submits), "jobs": len(raw.lines)}
                try:
                    await self._drive(raw, entry, job)
                    check = MINER_CHECKS.get(name)
                    if check:
                        await check(self, raw, context)
                    await self.neighbour_mines()
                    if name == "close_mid_line":
                        self.assertEqual(len(self.pool_a.submits), context["before"])
                    self.done.append(name)
                finally:
                    raw.end()
            if files is None:
                files = self.proxy.open_files() + 8
        status, text = await self.proxy.call("GET", "/metrics", token=None)
        self.assertEqual(status, 200)
        self.assertNotIn("shares_total{account=", text)
        # Sessions of the attackers are kept for the grace time; then everything they cost is back.
        await until(lambda: self.proxy.open_files() <= files, f"at most {files} open files")
        await self._report(len(listed))

    async def test_session_ids_of_bad_forms(self):
        entry = next(e for e in entries("miner") if e["name"] == "session_id_bad_forms")
        for step in evaluate(entry["input"]):
            with self.subTest(line=step[:80]):
                raw = await Raw().connect(self.proxy.stratum)
                raw.writer.write(step)
                await raw.until(lambda: raw.closed or raw.replies(), "a reply or the end")
                for reply in raw.replies():
                    self.assertIsInstance(reply["result"], list, reply)
                raw.end()
        await self.neighbour_mines()

    async def test_connect_flood(self):
        many = figure(300, 600)
        raws = await asyncio.gather(*(Raw().connect(self.proxy.stratum) for _ in range(many)))
        await self.neighbour_mines()
        await asyncio.gather(*(raw.ended() for raw in raws))  # the deadline of the first message
        await self.neighbour_mines()

    async def test_a_miner_that_never_reads(self):
        """Neither its verdicts nor its jobs: memory stays bounded, others are served."""
        before = self.proxy.rss_kib()
        raw = Raw()
        await raw.connect(self.proxy.stratum, read=False)
        raw.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.writer.write(b'{"id":"s","method":"mining.subscribe","params":["NiceHash/1.0.0"]}\n' + self.adapt(auth("\"a\"").encode()))
        link = await self.pool_a.link()
        for number in range(figure(2000, 20000)):
            raw.writer.write(self.adapt(sub(number, no="%08x" % number).encode(), "none"))
        for number in range(figure(500, 3000)):
            link.notify(branches=14)
            if number % 100 == 0:
                await self.neighbour_mines()
        await self.neighbour_mines()
        self.assertLess(self.proxy.rss_kib() - before, 32 * 1024)
        raw.end()

    # Pools

    async def _victim(self):
        miner = self.new_miner(self.proxy, self.alice, rig="w1", agent="NiceHash/1.0.0", reconnect=True)
        await miner.connect()
        return miner

    async def test_pool_entries(self):
        listed = entries("pool")
        skip = {"tls": "TLS is not built yet", "dns": "needs a name server of its own; nxdomain and the own address are tested below"}
        for entry in listed:
            name, pre = entry["name"], entry["pre"]
            if pre in skip:
                self.skipped[name] = skip[pre]
            elif name == "blackhole_established":
                self.skipped[name] = "needs a packet filter; a silent pool is tested in test_c_thirty_bugs (8)"
            elif name in ("blackhole_syn", "close_within_10ms_repeated"):
                self.skipped[name] = "has a test of its own below"
            else:
                with self.subTest(entry=name):
                    await self._pool_entry(entry)
                    self.done.append(name)
        await self._report(len(listed))

    async def _pool_entry(self, entry):
        name, pre = entry["name"], entry["pre"]
        parts = [s for s in evaluate(entry["input"])]
        # Alternatives of one reply are sent to one share each.
        alternatives = [[p] for p in parts] if pre == "share_in_flight" and len(parts) > 1 and all(
            isinstance(p, bytes) and p.endswith(b"\n") for p in parts) else [parts]
        for steps in alternatives:
            pool = await self.pool(x1=4, n2=8)
            account = await self.account(self.proxy, pool, user="victim")
            miner = self.new_miner(self.proxy, account, rig="w1", agent="NiceHash/1.0.0", reconnect=True)
            try:
                await {"connected": self._hostile_reply, "authorized": self._hostile_push,
                       "share_in_flight": self._hostile_verdict}[pre](name, steps, pool, miner)
                await self.neighbour_mines()
            finally:
                miner.close()
                await pool.close()

    @staticmethod
    def _say(connection, steps, request_id=None):
        for step in steps:
            if isinstance(step, bytes):
                data = step
                if request_id is not None:
                    data = data.replace(b'"id":5,', b'"id":%d,' % request_id).replace(b'"id":"5"', b'"id":"%d"' % request_id)
                    data = data.replace(b'"id":1,', b'"id":%d,' % request_id)
                connection.send_bytes(data)
            elif step[0] in ("rst", "close"):
                connection.drop(reset=step[0] == "rst")

    async def _hostile_reply(self, name, steps, pool, miner):
        """The pool's answer to the proxy's subscribe, the first time; later it behaves."""
        def handler(connection, message):
            if connection.index:
                return False
            self._say(connection, steps, message["id"])
            return name not in ("notify_before_subscribe_result",)
        pool.on["mining.subscribe"] = handler
        await miner.connect()
        await miner.log_in()
        if name in ("extranonce1_empty", "notify_before_subscribe_result"):
            await pool.link()
        elif name != "extranonce_space_too_small":
            await pool.until(lambda: pool.connections and pool.connections[0].closed, "the proxy closes the hostile link")
            await pool.until(lambda: any(c.ready for c in pool.connections[1:]), "another attempt")
            for message in miner.messages:
                self.assertNotIn("f000000f", json.dumps(message))
        else:
            await pool.until(lambda: pool.connections, "the link")
            return
        await miner.changes.until(lambda: miner.job, "a job")
        share, = await miner.mine()
        self.assertEqual(share.verdict, "accepted")

    async def _hostile_push(self, name, steps, pool, miner):
        await miner.start()
        link = await pool.link()
        share, = await miner.mine()
        self.assertEqual(share.verdict, "accepted")
        jobs, difficulty, shown = len(miner.job_log), miner.difficulty, len(miner.shown)
        first = miner.job
        if name == "notify_duplicate_job_id":
            await self._duplicate_job_id(link, steps, pool, miner)
            return
        self._say(link, steps)
        closing = name in ("notify_branch_10000", "line_300KiB_no_newline", "reconnect_empty_params")
        if closing:
            await pool.until(lambda: link.closed, "the proxy closes the link")
            link = await pool.until(lambda: next((c for c in pool.ready if c is not link), None), "another link")
            await miner.changes.until(lambda: len(miner.job_log) > jobs, "the new link's job")
            share, = await miner.mine()
            self.assertEqual(share.verdict, "accepted")
            return
        if name == "set_extranonce_mid_job":
            link.extranonce1, link.extranonce2_size = "aabb", 2
            job = link.notify()
            await miner.changes.until(lambda: miner.connected and miner.job.job.coinb2 == job.coinb2
                                      and miner.job.extranonce1 == miner.extranonce1, "the job of the new extranonce")
            share, = await miner.mine()
            self.assertEqual(share.verdict, "accepted")
            self.assertEqual(pool.submits[-1].coinbase, share.coinbase)
            return
        # A question whose answer comes after everything above has been dealt with.
        link.send({"id": 4711, "method": "mining.ping", "params": []})
        await pool.until(lambda: link.closed or any(r.get("id") == 4711 for r in link.responses), "the answer to a ping")
        self.assertFalse(link.closed, "the link is closed")
        self.assertEqual((len(miner.job_log), miner.difficulty), (jobs, difficulty))
        self.assertFalse([m for m in miner.messages if m.get("method") in ("client.reconnect", "mining.ping", "mining.submit")])
        if name == "show_message_ansi":
            for text in miner.shown[shown:]:
                self.assertTrue(len(text) <= 256 and text.isprintable(), repr(text))
        if name == "unknown_method":
            self.assertTrue(any(r.get("id") == 77 for r in link.responses))
        share = miner.submit(first)
        await at_most(share.reply, "a verdict")
        self.assertEqual(share.verdict, "accepted")
        self.assertEqual(pool.submits[-1].coinbase, share.coinbase)

    async def _duplicate_job_id(self, link, steps, pool, miner):
        before = len(miner.job_log)
        self._say(link, steps)
        await miner.changes.until(lambda: len(miner.job_log) >= before + 2, "both jobs")
        first, second = miner.job_log[before:before + 2]
        self.assertNotEqual(first.id, second.id)
        self.assertTrue(first.job.coinb1.startswith("01") and second.job.coinb1.startswith("03"))

    async def _hostile_verdict(self, name, steps, pool, miner):
        await miner.start()
        pool.verdict = lambda submit: IGNORE
        share = miner.submit()
        submit = await pool.until(lambda: pool.submits and pool.submits[-1], "the share at the pool")
        self._say(submit.connection, [s for s in steps if s != ("sleep", 65)], submit.id)
        reply = await at_most(share.reply, "a verdict")
        self.assertIsNotNone(reply)
        if name == "reply_twice":
            self.assertEqual(share.verdict, "accepted")
            metrics = await self.proxy.metrics_until(
                lambda m: m.sum("proxy_worker_accepted", user=miner.login.split(".")[0]) == 1, "one accepted share")
            self.assertEqual(metrics.sum("proxy_worker_sended", user=miner.login.split(".")[0]), 1)
        elif name in ("reply_id_as_string", "reply_never", "rst_mid_reply"):
            self.assertEqual(share.verdict, "unknown", reply)
        else:
            self.assertEqual(share.verdict, "rejected", reply)
            code, text, trace = reply["error"]
            self.assertTrue(isinstance(code, int) and isinstance(text, str) and len(text) <= 256, reply["error"][:2])

    async def test_blackhole_syn(self):
        """A pool whose machine swallows the SYN: others never notice."""
        trap = socket.socket()
        self.addCleanup(trap.close)
        trap.bind(("127.0.0.1", 0))
        trap.listen(0)
        fillers = []
        for _ in range(3):  # the queue of the listener is full; further SYNs are dropped
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(trap.getsockname())
            fillers.append(filler)
            self.addCleanup(filler.close)
        address = "127.0.0.1:%d" % trap.getsockname()[1]
        await self.proxy.add_pool(address)
        account = await self.proxy.register(address, "swallowed")
        miner = self.new_miner(self.proxy, account)
        await miner.connect()
        self.assertTrue(await miner.log_in())
        for _ in range(20):
            await self.neighbour_mines()
        metrics = await self.proxy.metrics()
        self.assertEqual(metrics.get("proxy_pool_up", pool=address), 0)

    async def test_a_pool_that_closes_at_once(self):
        pool = await self.pool()
        pool.on_connect = lambda connection: connection.drop()
        account = await self.account(self.proxy, pool, user="closed")
        miner = self.new_miner(self.proxy, account)
        await miner.connect()
        self.assertTrue(await miner.log_in())
        files = self.proxy.open_files()
        start = asyncio.get_running_loop().time()
        await pool.until(lambda: len(pool.connections) >= 8, "eight attempts")
        spent = asyncio.get_running_loop().time() - start
        self.assertGreater(spent, 0.4, "the back-off does not grow")
        self.assertLessEqual(self.proxy.open_files(), files + 2)
        await self.neighbour_mines()

    async def test_names_that_do_not_resolve_and_the_proxy_itself(self):
        for address in ("no-such-pool.invalid:3333", self.proxy.stratum):
            with self.subTest(pool=address):
                status, _ = await self.proxy.call("POST", "/api/v1/pools", {"pool": address, "algorithm": "sha256d"})
                if status not in (200, 201):
                    continue  # refused right away: as good
                account = await self.proxy.register(address, "loop")
                if address == self.proxy.stratum:
                    account = await self.proxy.register(address, account)  # its own login at its own door
                miner = self.new_miner(self.proxy, account)
                await miner.connect()
                await miner.log_in()
                for _ in range(10):
                    await self.neighbour_mines()
                metrics = await self.proxy.metrics()
                self.assertLess(metrics.sum("proxy_connections"), 50)
                self.assertEqual(metrics.get("proxy_pool_up", pool=address), 0)

    # HTTP

    async def _exchange(self, data, slow=None):
        """One raw HTTP request; (status or None when closed without one, the whole answer)."""
        host, _, port = self.proxy.web.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        answer = b""
        try:
            for piece in data if isinstance(data, list) else [data]:
                writer.write(piece)
                await asyncio.wait_for(writer.drain(), 10)
        except (ConnectionError, asyncio.TimeoutError):
            pass
        try:
            while b"\r\n\r\n" not in answer:
                piece = await asyncio.wait_for(reader.read(65536), 15)
                if not piece:
                    break
                answer += piece
        except (ConnectionError, asyncio.TimeoutError):
            pass
        writer.transport.abort()
        self.proxy.texts.append(answer.decode("latin-1"))
        match = re.match(rb"HTTP/1\.[01] (\d+)", answer)
        return int(match.group(1)) if match else None, answer

    API = {  # the statuses that the catalogue allows; None: closed without an answer
        "no_auth": {401}, "token_in_query": {401}, "token_100KB": {400, 401, 414, 431, None}, "csrf_text_plain": {400, 401, 403, 415},
        "csrf_origin": {403}, "body_1MiB_content_length": {413}, "body_chunked_256MiB_unterminated": {413, 400, None},
        "body_chunk_overflow": {400, 413, None}, "body_gzip_bomb": {400, 413, 415}, "two_content_lengths": {400},
        "content_length_forms": {400, 411, 413, 422, None}, "headers_100k": {400, 431, None}, "nul_in_header": {200, 400, 401, None},
        "obs_fold_header": {400, None}, "crlf_in_path": {400, 404}, "path_traversal": {400, 404}, "bad_percent": {400, 404},
        "sqli_path": {400, 404}, "sqli_sort": {400, 404, 405}, "paging_bad": {400, 404, 405}, "name_rules": {400},
        "mass_assignment": {400}, "client_ip_spoof": {401}, "ranges_10000": {200, 400, 416}, "pipelined_1000": {200},
        "metrics_after_hostile_names": {200}, "config_dump_secrets": {404},
    }
    API_SKIPPED = {
        "delete_while_mining": "accounts cannot be deleted over HTTP yet", "disable_enable_toggle_1000": "accounts cannot be disabled yet",
        "db_down_read_write": "has a test of its own: test_j_database", "slow_headers_40_connections": "has a test of its own below",
    }

    def _adapt_http(self, data):
        data = data.replace(b"/api/v1/accounts", b"/api/v1/users").replace(b"GET /health ", b"GET /healthz ")
        return data.replace(b"Bearer T\r", b"Bearer " + WEB_TOKEN.encode() + b"\r")

    async def test_api_entries(self):
        listed = entries("api")
        memory = self.proxy.rss_kib()
        for entry in listed:
            name = entry["name"]
            if name in self.API_SKIPPED:
                self.skipped[name] = self.API_SKIPPED[name]
                continue
            steps = evaluate(entry["input"])
            requests = [steps] if name.startswith("body_chunk") else steps
            with self.subTest(entry=name):
                for request in requests:
                    data = [self._adapt_http(p) for p in request] if isinstance(request, list) else self._adapt_http(request)
                    status, answer = await self._exchange(data)
                    self.assertIn(status, self.API[name], (data[:300] if isinstance(data, bytes) else name, answer[:300]))
                    self.assertNotIn(b"Set-Cookie", answer)
                    self.assertNotIn(b"Access-Control-Allow-Origin", answer)
                await self.neighbour_mines()
                self.done.append(name)
        self.assertLess(self.proxy.rss_kib() - memory, 64 * 1024)
        await self._report(len(listed))

    async def test_forty_slow_clients_do_not_stop_metrics(self):
        host, _, port = self.proxy.web.rpartition(":")
        slow = [await asyncio.open_connection(host, int(port)) for _ in range(40)]
        for _, writer in slow:
            writer.write(b"GET /metrics HTTP/1.1\r\nHost: ")
        start = asyncio.get_running_loop().time()
        await self.proxy.metrics()
        status, _ = await self.proxy.call("GET", "/healthz", token=None)
        self.assertEqual(status, 200)
        self.assertLess(asyncio.get_running_loop().time() - start, 2)
        for _, writer in slow:
            writer.transport.abort()

    async def test_registration_refuses_and_repeats_nothing(self):
        pool = self.pool_a.address
        bad = [{"pool": pool, "user": "", "password": REFUSED_PASSWORD}, {"pool": pool, "password": REFUSED_PASSWORD},
               {"pool": 5, "user": "u", "password": REFUSED_PASSWORD}, {"pool": "nowhere", "user": "u", "password": REFUSED_PASSWORD},
               [REFUSED_PASSWORD], REFUSED_PASSWORD, b'{"password":"' + REFUSED_PASSWORD.encode()]
        for body in bad:
            with self.subTest(body=str(body)[:60]):
                status, text = await self.proxy.call("POST", "/api/v1/users", body, token=None)
                self.assertIn(status, (400, 404, 422), text)
                answer = json.loads(text)
                self.assertEqual(answer["name"], "")
                self.assertTrue(answer["error"])
        status, text = await self.proxy.call("POST", "/api/v1/users", {"pool": "unknown.example:1", "user": "u", "password": ""}, token=None)
        self.assertEqual((status, json.loads(text)["name"]), (404, ""))


class BadConfigurations(HouseTest):
    """The catalogue's configuration entries as TOML: no socket is opened, one line says what is wrong."""

    FILES = {
        "empty_file": (b"", True), "truncated": (b"[stratum\naddr=", False), "invalid_utf8": (b'[metrics]\ntag = "\xff"\n', False),
        "deep_nesting": (b"[metrics]\ntag = " + b"[" * 300000, False), "unknown_key": (b"[sesion]\ngrace_seconds = 1\n", False),
        "duplicate_key": (b"[session]\ngrace_seconds = 1\ngrace_seconds = 2\n", False),
        "wrong_types": (b"[stratum]\naddr = 3333\n", False), "wrong_table": (b'session = "x"\n', False),
        "limit_zero": (b"[limits]\nline_bytes = 0\n", False), "limit_negative": (b"[limits]\nin_flight = -1\n", False),
        "limit_text": (b'[limits]\nline_bytes = "10"\n', False), "limit_huge": (b"[limits]\nauthorize_seconds = 1e300\n", False),
    }

    async def _run(self, daemon, *arguments):
        process = await asyncio.create_subprocess_exec(*arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
                                                       cwd=daemon.directory)
        first = asyncio.create_task(process.stdout.readline())
        ended = asyncio.create_task(process.wait())
        await at_most(asyncio.wait({first, ended}, return_when=asyncio.FIRST_COMPLETED), "a ready line or the end")
        ready = first.done() and first.result().startswith(b"stratumproxyd ready")
        if ready:
            process.terminate()
        out, err = await at_most(process.communicate(), "the end")
        return ready, process.returncode, err.decode(errors="replace")

    async def test_configurations(self):
        daemon = Daemon(name="config")
        self.addCleanup(daemon.remove)
        path = daemon.directory / "x.toml"
        flags = ["--stratum.addr", "127.0.0.1:0", "--web.addr", "127.0.0.1:0", "--db", f"sqlite:{daemon.directory}/x.db"]
        program = daemon.command()[0]
        for name, (data, good) in self.FILES.items():
            with self.subTest(config=name):
                path.write_bytes(data)
                ready, code, err = await self._run(daemon, program, "--config", str(path), *(flags if name not in ("wrong_types",) else flags[2:]))
                self.assertEqual(ready, good, err)
                if not good:
                    self.assertNotEqual(code, 0)
                    self.assertEqual(len(err.strip().splitlines()), 1, err[:500])
                    self.assertIn("x.toml", err)
        for name in ("missing", "fifo", "directory"):
            with self.subTest(config=name):
                path.unlink(missing_ok=True)
                if name == "fifo":
                    import os
                    os.mkfifo(path)
                elif name == "directory":
                    path.mkdir()
                ready, code, err = await self._run(daemon, program, "--config", str(path), *flags)
                self.assertFalse(ready)
                self.assertGreater(code, 0)
                self.assertEqual(len(err.strip().splitlines()), 1, err[:500])
                if name == "fifo":
                    path.unlink()

    async def test_databases(self):
        daemon = Daemon(name="database")
        self.addCleanup(daemon.remove)
        path = daemon.directory / "a.db"
        command = daemon.command()
        command[command.index("--db") + 1] = f"sqlite:{path}"
        path.write_bytes(b"hello" * 1000)
        ready, code, err = await self._run(daemon, *command)
        self.assertFalse(ready)
        self.assertGreater(code, 0)
        self.assertEqual(path.read_bytes(), b"hello" * 1000)
        self.assertEqual(len(err.strip().splitlines()), 1, err)

    async def test_a_taken_address_is_one_line(self):
        first = await self.daemon()
        for taken, other in ((first.stratum, "127.0.0.1:0"), ("127.0.0.1:0", first.web)):
            with self.subTest(taken=taken):
                second = Daemon(name="second", stratum=taken, web=other)
                self.addCleanup(second.remove)
                ready, code, err = await self._run(second, *second.command())
                self.assertFalse(ready)
                self.assertGreater(code, 0)
                self.assertEqual(len(err.strip().splitlines()), 1, err)


if __name__ == "__main__":
    main()
