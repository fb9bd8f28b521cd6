"""Hostile miners.

MINER_CHECKS says what an entry must lead to, beyond a daemon that lives and a neighbour that mines.
"""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import asyncio
import json
import shutil
import socket
import subprocess

from bad_inputs import SUB, BadInputsTest, Raw, auth, entries, evaluate, sub
from house import main
from waiting import SLOWNESS, figure, until
from wire import error_code


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
        replies = await raw.until(
            lambda: len(raw.replies()) >= count + len(codes) and raw.replies(), "all verdicts"
        )
        test.assertEqual([error_code(r) for r in replies if r["result"] is not True], list(codes), replies)
        test.assertEqual(len(test.pool_a.submits) - before, count)

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


async def live_owner_stays(test, raw, context):
    reply = (await raw.got(1))[0]
    test.assertIsInstance(reply["result"], list)
    test.assertNotEqual(reply["result"][0][0][1], test.neighbour.session)
    test.assertTrue(test.neighbour.connected)


async def version_rolling_false(test, raw, context):
    reply = (await raw.got(1))[0]
    test.assertIs(reply["result"]["version-rolling"], False)


async def difficulty_sane(test, raw, context):
    await no_reply_needed(test, raw)
    for message in raw.decoded():
        if message.get("method") == "mining.set_difficulty":
            test.assertTrue(1e-9 < message["params"][0] < 1e18, message)


async def no_reply_needed(test, raw):
    raw.writer.write(b'{"id":"marker","method":"mining.ping","params":[]}\n')
    await raw.until(
        lambda: raw.closed or any(r["id"] == "marker" for r in raw.replies()), "the marker's reply or the end"
    )


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


# Account names are found without case, and it is the account's own name by which everything is counted.
async def known_by_its_own_name(test, raw, context):
    await answers_true(test, raw, context)
    _, text = await test.proxy.call("GET", "/api/v1/workers")
    users = {row["user"] for row in json.loads(text)["workers"]}
    test.assertIn(test.alice, users)
    test.assertNotIn(test.alice.upper(), users)


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
    "silent_connection": closes(),
    "only_newlines_1000": no_reply,
    "crlf_line_end": is_result("1"),
    "line_at_limit_8192": is_result("1"),
    "line_one_over_limit": closes(),
    "one_byte_segments": is_result("1"),
    "two_messages_one_segment": same_reply_twice,
    "http_post_getwork": closes(),
    "tls_client_hello_on_plain_port": closes(),
    "ssh_banner": closes(),
    "proxy_v2_signature_not_enabled": closes(),
    "half_close_after_submit": half_closed,
    "tcp_urgent_byte": forwards(1),
    "empty_object": error_then_alive,
    "leading_bom": parse_error,
    "utf16le_json": parse_error,
    "overlong_utf8": parse_error,
    "lone_surrogate": parse_error,
    "deep_array_nesting": parse_error,
    "deep_object_nesting": parse_error,
    "exponent_underflow": answered,
    "exponent_overflow": answered,
    "id_negative": is_result("-1"),
    "id_float": is_result("1.50"),
    "id_string_4KiB": is_error(20, "null"),
    "id_with_escapes": id_escaped,
    "id_missing": no_reply,
    "id_object": is_error(20, "null"),
    "duplicate_key_params": not_forwarded,
    "smuggled_internal_keys": forwards(1),
    "top_level_scalar": is_error(20),
    "trailing_garbage": parse_error,
    "json5_dialect": parse_error,
    "nan_infinity": parse_error,
    "method_number": is_error(20),
    "method_unknown": is_error(20),
    "method_embedded_nul": not_forwarded,
    "method_upper_case": is_error(20),
    "server_method_notify": jobs_unchanged,
    "unsolicited_response": jobs_unchanged,
    "subscribe_params_null": answered,
    "subscribe_nested_agent": is_result("1"),
    "agent_8KB_with_ansi": is_result("1"),
    "session_id_live_other_client": live_owner_stays,
    "authorize_params_bad_types": closes(),
    "authorize_unknown_account": is_error(24),
    "authorize_sql_drop": is_error(24),
    "authorize_like_wildcards": is_error(24),
    "authorize_newline_log_forge": is_error(24),
    "authorize_label_injection": is_error(24),
    "authorize_homoglyph": is_error(24),
    "authorize_rtl_override": is_error(24),
    "authorize_xss_name": is_error(24),
    "authorize_long_name": is_error(24),
    "authorize_empty_worker": answered,
    "authorize_case_variant": known_by_its_own_name,
    "authorize_flood_wrong_1000ps": closes(),
    "submit_before_subscribe": is_error(25),
    "submit_other_account": forwards(0, [24]),
    "submit_two_params": forwards(0, [20]),
    "submit_number_params": forwards(0, [20]),
    "submit_30_params": forwards(0, [20]),
    "submit_job_4KiB": forwards(0, [21]),
    "submit_job_of_other_upstream": forwards(0, [21]),
    "en2_too_short": forwards(0, [20]),
    "en2_too_long": forwards(0, [20]),
    "en2_non_hex_tail": forwards(0, [20]),
    "share_replay_case_change": forwards(1, [22, 22]),
    "nonce_7_chars": padded,
    "nonce_signed": forwards(0, [20]),
    "nonce_space": forwards(0, [20]),
    "ntime_before_job": forwards(0, [20]),
    "ntime_far_future": forwards(0, [20]),
    "version_bits_outside_mask": forwards(0, [20]),
    "low_difficulty_share": forwards(1),
    "configure_bad_mask": version_rolling_false,
    "configure_huge_bits": version_rolling_false,
    "suggest_difficulty_bad": difficulty_sane,
    "extranonce_subscribe_junk": answers_true,
}

ELSEWHERE = {  # entries that have a test of their own, below or in another file
    "session_id_bad_forms": "test_session_ids_of_bad_forms",
    "session_id_expired": "test_e_restore",
    "session_resume_race_two_sockets": "test_e_restore",
    "session_resume_replays_shares": "test_e_restore",
    "share_duplicate_across_resume": "test_e_restore",
    "pipelined_submits_never_reading": "test_a_miner_that_never_reads",
    "never_reads_notifies": "test_a_miner_that_never_reads",
    "per_ip_connect_flood": "test_connect_flood",
    # These need a slow look-up, which the file of this daemon's database never is.
    "authorize_second_while_first_pending": "test_j_database",
    "submit_while_authorize_pending": "test_j_database",
}


class BadMiners(BadInputsTest):
    async def _prepare(self, pre):
        """A connection in the state that an entry starts from; with the job's id."""
        raw = await Raw().connect(self.proxy.stratum)
        if pre == "tcp":
            return raw, None
        if pre == "auth_vr":
            raw.writer.write(
                b'{"id":"c","method":"mining.configure","params":[["version-rolling"],{"version-rolling.mask":"ffffffff"}]}\n'
            )
        raw.writer.write(b'{"id":"s","method":"mining.subscribe","params":["NiceHash/1.0.0"]}\n')
        await raw.until(lambda: any(r["id"] == "s" for r in raw.replies()), "the subscribe reply")
        job = None
        if pre != "sub":
            raw.writer.write(self.adapt(auth("\"a\"").encode()))
            job = await raw.until(
                lambda: next(
                    (m["params"][0] for m in raw.decoded() if m.get("method") == "mining.notify"), None
                ),
                "a job",
            )
        raw.lines = [line for line in raw.lines if json.loads(line).get("method") == "mining.notify"]
        return raw, job

    async def _drive(self, raw, entry, job):
        steps = evaluate(
            entry["input"], LIVE_SESSION=self.neighbour.session, OTHER_POOL_JOB=self.neighbour.job.id
        )
        for step in steps:
            if isinstance(step, bytes):
                try:
                    raw.writer.write(self.adapt(step, job))
                    if not raw.closed:
                        await raw.writer.drain()
                except ConnectionError:
                    break
            elif step[0] == "sleep":
                continue  # limits are short here
            else:
                raw.step(step)

    async def test_miner_entries(self):
        listed = entries("miner")
        files = None
        for entry in listed:
            name = entry["name"]
            if entry["pre"] == "tls":
                self.skipped[name] = "needs a certificate: see test_tls"
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
                memory = self.proxy.rss_kib()
        status, text = await self.proxy.call("GET", "/metrics", token=None)
        self.assertEqual(status, 200)
        names = ("DROP TABLE", "<script", "\u202e", "\u0430lice", "nobody", "no9999")
        for hostile in ("shares_total{account=", *names):
            self.assertNotIn(hostile, text)
        self.assertLess(len(text.splitlines()), 2000, "series")
        if shutil.which("promtool"):
            result = subprocess.run(
                ["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False
            )
            self.assertNotIn("error while linting", result.stderr)
        # Sessions of the attackers are kept for the grace time; then everything they cost is back.
        await until(lambda: self.proxy.open_files() <= files, f"at most {files} open files")
        grown = self.proxy.rss_kib() - memory
        self.say(f"{grown} KiB more than after the first entry")
        self.assertLess(grown, 8 * 1024 * SLOWNESS)
        await self.report(len(listed))

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
        raw.writer.write(
            b'{"id":"s","method":"mining.subscribe","params":["NiceHash/1.0.0"]}\n'
            + self.adapt(auth("\"a\"").encode())
        )
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


if __name__ == "__main__":
    main()
