"""Hostile HTTP."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import asyncio
import contextlib
import json
import re
import sqlite3

from bad_inputs import BadInputsTest, entries, evaluate
from canaries import REFUSED_PASSWORD, WEB_TOKEN
from house import HouseTest, main
from waiting import SLOWNESS


class BadHttp(BadInputsTest):
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
        "no_auth": {401},
        "token_in_query": {401},
        "token_100KB": {400, 401, 431},
        "csrf_text_plain": {401, 403, 415},
        "csrf_origin": {403},
        "body_1MiB_content_length": {413},
        "body_chunked_256MiB_unterminated": {413, 400, None},
        "body_chunk_overflow": {400, 413, None},
        "body_gzip_bomb": {400, 413, 415},
        "two_content_lengths": {400},
        "content_length_forms": {400, 411, 413, 422, None},
        "headers_100k": {431, None},
        "nul_in_header": {400},
        "obs_fold_header": {400},
        "crlf_in_path": {400, 404},
        "path_traversal": {400, 404},
        "bad_percent": {400, 404},
        "sqli_path": {404},
        "sqli_sort": {400},
        "paging_bad": {400},
        "client_ip_spoof": {401},
        "ranges_10000": {200, 416},
        "pipelined_1000": {200},
        "config_dump_secrets": {404},
    }
    API_SKIPPED = {
        "delete_while_mining": "test_an_account_is_removed_while_it_mines",
        "disable_enable_toggle_1000": "test_an_account_is_banned_and_let_in_again_and_again",
        "db_down_read_write": "test_openapi, and under load test_j_database",
        "slow_headers_40_connections": "test_forty_slow_clients_keep_nobody_waiting",
        "name_rules": "test_registration_takes_what_it_knows_and_nothing_else",
        "mass_assignment": "test_registration_takes_what_it_knows_and_nothing_else",
        "metrics_after_hostile_names": "the end of test_c_bad_miners test_miner_entries",
    }

    def _adapt_http(self, data):
        data = data.replace(b"/api/v1/accounts", b"/api/v1/users").replace(b"GET /health ", b"GET /healthz ")
        return data.replace(b"Bearer T\r", b"Bearer " + WEB_TOKEN.encode() + b"\r")

    async def test_api_entries(self):
        listed = entries("api")
        for entry in listed:
            name = entry["name"]
            if name in self.API_SKIPPED:
                self.skipped[name] = self.API_SKIPPED[name]
                continue
            steps = evaluate(entry["input"])
            requests = [steps] if name.startswith("body_chunk") else steps
            with self.subTest(entry=name):
                self.proxy.forget_peak()
                memory = self.proxy.peak_kib()
                for request in requests:
                    data = (
                        [self._adapt_http(p) for p in request]
                        if isinstance(request, list)
                        else self._adapt_http(request)
                    )
                    status, answer = await self._exchange(data)
                    self.assertIn(
                        status, self.API[name], (data[:300] if isinstance(data, bytes) else name, answer[:300])
                    )
                    self.assertNotIn(b"Set-Cookie", answer)
                    self.assertNotIn(b"Access-Control-Allow-Origin", answer)
                most = 1024 if name == "body_1MiB_content_length" else 8 * 1024
                self.assertLess(self.proxy.peak_kib() - memory, most * SLOWNESS, "KiB more, at the most")
                await self.neighbour_mines()
                self.done.append(name)
        await self.report(len(listed))

    def _entry(self, name):
        (entry,) = (each for each in entries("api") if each["name"] == name)
        return evaluate(entry["input"])

    async def test_an_account_is_removed_while_it_mines(self):
        rig = await self.miner(self.proxy, self.alice)
        await rig.mine(2)
        self.pool_a.verdict = lambda submit: verdict
        verdict = asyncio.get_running_loop().create_future()
        rig.submit()
        await self.pool_a.until(lambda: len(self.pool_a.submits) == 3, "the pool has the share that is under way")
        (request,) = self._entry("delete_while_mining")
        request = self._adapt_http(request).replace(b"/alice ", b"/" + self.alice.encode() + b" ")
        status, _ = await self._exchange(request)
        self.assertEqual(status, 200)
        await rig.closed()
        verdict.set_result(True)

        def all_ended(metrics):
            accepted, unknown = (metrics.sum(f"proxy_shares_{end}_total", user=self.alice) for end in ("accepted", "unknown"))
            return accepted >= 2 and accepted + unknown == 3

        await self.proxy.metrics_until(all_ended, "the share under way has ended, one way or the other")
        for session in rig.session, None:
            again = self.new_miner(self.proxy, self.alice, session=session)
            await again.connect()
            self.assertFalse(await again.log_in())
        await self.neighbour_mines()

    async def test_an_account_is_banned_and_let_in_again_and_again(self):
        ((_, times, _),) = self._entry("disable_enable_toggle_1000")

        async def toggle(number):
            if number % 2 == 0:
                return await self.proxy.call("POST", "/api/v1/bans", {"subject": self.alice, "reason": "a test"})
            return await self.proxy.call("DELETE", f"/api/v1/bans/{self.alice}")

        async def may_log_in():
            miner = self.new_miner(self.proxy, self.alice)
            await miner.connect()
            return await miner.log_in()

        async def listed():
            status, text = await self.proxy.call("GET", "/api/v1/bans")
            return [ban["subject"] for ban in json.loads(text)["bans"]]

        for number in range(times):
            self.assertEqual((await toggle(number))[0], 200 if number % 2 else 201)
        self.assertEqual(await listed(), [])
        rig = await self.miner(self.proxy, self.alice)
        await rig.mine()
        await toggle(0)
        await rig.closed()
        self.assertEqual((await listed(), await may_log_in()), ([self.alice], False))
        await toggle(1)
        self.assertEqual((await listed(), await may_log_in()), ([], True))
        await self.neighbour_mines()


class Http(HouseTest):
    async def asyncSetUp(self):
        self.proxy, self.pool_a = await self.daemon(), await self.pool()
        await self.proxy.add_pool(self.pool_a.address)

    async def test_forty_slow_clients_keep_nobody_waiting(self):
        """The limit is far from the figures, which are said: a loaded machine must not fail it."""
        host, _, port = self.proxy.web.rpartition(":")
        loop = asyncio.get_running_loop()
        for kind, dawdles in (
            ("their heads", b"GET /metrics HTTP/1.1\r\nHost: "),
            ("their bodies", b"POST /api/v1/users HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\n{"),
        ):
            slow = [await asyncio.open_connection(host, int(port)) for _ in range(40)]
            for _, writer in slow:
                writer.write(dawdles)
            for path in "/healthz", "/metrics":
                waits = []
                for _ in range(9):
                    start = loop.time()
                    self.assertEqual((await self.proxy.call("GET", path, token=None))[0], 200)
                    waits.append(loop.time() - start)
                self.assertLess(max(waits), 5 * SLOWNESS)
                waits.sort()
                self.say(f"40 clients are slow with {kind}: {path} in {waits[4] * 1e3:.1f} ms, at most {waits[-1] * 1e3:.1f} ms")
            for _, writer in slow:
                writer.transport.abort()

    async def test_registration_takes_what_it_knows_and_nothing_else(self):
        """The name is the server's to give; a request that is refused leaves no account behind."""
        known = {"pool": self.pool_a.address, "user": "m1", "password": REFUSED_PASSWORD}
        refused = [{"name": name} for name in ("m1", "", "a/b", "a\n", "\u202e", "%41")]
        refused += [{"id": 1, "is_admin": True, "created_at": 0}, {"is_admin": True}]
        refused += [{"user": "a\n"}, {"user": "a" * 10000}]
        with contextlib.closing(sqlite3.connect(self.proxy.db.removeprefix("sqlite:"))) as database:

            def accounts():
                return database.execute("SELECT count(*) FROM users").fetchone()[0]

            before = accounts()
            for more in refused:
                with self.subTest(more=str(more)[:60]):
                    status, text = await self.proxy.call("POST", "/api/v1/users", known | more, token=None)
                    self.assertEqual((status, json.loads(text)["name"]), (400, ""), text)
                    self.assertEqual(accounts(), before)
            status, text = await self.proxy.call("POST", "/api/v1/users", known, token=None)
            self.assertIn(status, (200, 201), text)
            self.assertEqual(accounts(), before + 1)

    async def test_registration_refuses_and_repeats_nothing(self):
        pool = self.pool_a.address
        bad = [
            {"pool": pool, "user": "", "password": REFUSED_PASSWORD},
            {"pool": pool, "password": REFUSED_PASSWORD},
            {"pool": 5, "user": "u", "password": REFUSED_PASSWORD},
            {"pool": "nowhere", "user": "u", "password": REFUSED_PASSWORD},
            [REFUSED_PASSWORD],
            REFUSED_PASSWORD,
            b'{"password":"' + REFUSED_PASSWORD.encode(),
        ]
        for body in bad:
            with self.subTest(body=str(body)[:60]):
                status, text = await self.proxy.call("POST", "/api/v1/users", body, token=None)
                self.assertIn(status, (400, 404, 422), text)
                answer = json.loads(text)
                self.assertEqual(answer["name"], "")
                self.assertTrue(answer["error"])
        status, text = await self.proxy.call(
            "POST", "/api/v1/users", {"pool": "unknown.example:1", "user": "u", "password": ""}, token=None
        )
        self.assertEqual((status, json.loads(text)["name"]), (404, ""))


if __name__ == "__main__":
    main()
