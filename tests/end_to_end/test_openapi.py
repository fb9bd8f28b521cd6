"""Every answer that docs/openapi.yaml describes is given at least once, and is as described."""
import asyncio
import http.client
import json
import pathlib
import socket
import sys
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import contract
from bad_inputs import Raw
from canaries import POOL_PASSWORD, WEB_TOKEN
from held_thread import held
from house import HouseTest, OwnPostgresql, main
from waiting import LIMIT, until

TABLES = "tables"  # the database of the first daemon
BEARER = f"Authorization: Bearer {WEB_TOKEN}\r\n"


def way(pool, user="wallet", **more):
    return {"pool": pool, "user": user, "password": POOL_PASSWORD} | more


class OpenApi(OwnPostgresql, HouseTest):
    def setUp(self):
        super().setUp()
        self.contract = contract.Contract()  # of this test alone
        self._names = iter((TABLES, "of_who_may_ask", "without_a_token"))

    def database(self):
        return self.server.database(next(self._names))

    async def ask(self, proxy, status, method, path, body=None, token=WEB_TOKEN, **headers):
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        got, text = await proxy.call(method, path, body, token=token, headers=names)
        self.assertEqual(got, status, f"{method} {path}: {text}")
        return text

    async def ask_all(self, proxy, rows):
        """Rows of status, method, path, body, headers; the last two may be left out."""
        for status, method, path, *rest in rows:
            body, headers = (*rest, None, None)[:2]
            await self.ask(proxy, status, method, path, body, **(headers or {}))

    async def ask_every(self, proxy, status, change, only=lambda operation: True):
        """Every operation that may answer so, with the examples of the file and what `change` makes of them."""
        for operation in contract.operations():
            if str(status) in operation.description["responses"] and only(operation):
                request = {"method": operation.method, "path": contract.example_path(operation)}
                if content := contract.request_content(operation):
                    request["body"] = contract.examples(content)[0]
                await self.ask(proxy, status, **(request | change(operation)))

    async def raw(self, proxy, status, method, target, rest, body=None):
        """What http.client would not send."""

        def exchange():
            host, _, port = proxy.web.rpartition(":")
            with socket.create_connection((host, int(port)), LIMIT) as connection:
                connection.sendall(f"{method} {target} {rest}".encode())
                answer = http.client.HTTPResponse(connection, method=method)
                answer.begin()
                headers = {name.lower(): value for name, value in answer.getheaders()}
                return answer.status, headers, answer.read().decode()

        got, headers, text = await asyncio.to_thread(exchange)
        self.contract.check(method, target, body, got, headers, text)
        self.assertEqual(got, status, text)

    async def test_every_described_answer_is_given(self):
        proxy = await self.daemon()
        pool, scrypt = await self.pool(), await self.pool(seed=2)
        account = await self.account(proxy, pool)
        other = await proxy.register(pool.address, "other")
        stranger = await self.account(proxy, scrypt, algorithm="scrypt")
        miner = await self.miner(proxy, account)

        await self.other_methods(proxy)
        await self.http_itself(proxy)
        await self.pages(proxy)
        await self.bodies(proxy)
        await self.algorithms_and_pools(proxy, pool.address)
        await self.accounts(proxy, pool.address, scrypt.address, account)
        await self.workers(proxy, miner, other, stranger)
        await self.bans(proxy)
        await self.operations(proxy)
        await self.who_may_ask()
        await self.tokens(proxy)
        await self.a_shard_that_does_not_answer(proxy)
        await self.a_broken_row(proxy)
        await self.no_database(proxy)
        self.assertEqual(self.contract.unseen(), [], "described, but not seen")
        self.say(f"{len(self.contract.seen)} answers of {len(contract.operations())} operations")

    async def other_methods(self, proxy):
        """405 says which there are; the contract looks at that."""
        paths = {contract.example_path(operation): set() for operation in contract.operations()}
        for operation in contract.operations():
            paths[contract.example_path(operation)].add(operation.method)
        for path, methods in paths.items():
            for method in sorted({"GET", "POST", "PUT", "PATCH", "DELETE"} - methods):
                await self.ask(proxy, 405, method, path)

    async def http_itself(self, proxy):
        for status, method, rest in (
            (400, "GET", "HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
            (400, "GET", "HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 2\r\n\r\n{}"),
            (408, "GET", "HTTP/1.1\r\nHost: 127.0.0.1\r\n"),
            (413, "GET", "HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99999999\r\n\r\n"),
            (415, "GET", "HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Encoding: gzip\r\n\r\n"),
            (431, "GET", "HTTP/1.1\r\nHost: 127.0.0.1\r\n" + "a: b\r\n" * 64 + "\r\n"),
            (501, "GET", "HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: gzip\r\n\r\n"),
            (505, "GET", "HTTP/2.0\r\nHost: 127.0.0.1\r\n\r\n"),
            (200, "HEAD", "HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"),
        ):
            await self.raw(proxy, status, method, "/healthz", rest)
        await self.raw(proxy, 414, "GET", "/healthz?" + "a" * 2048, "HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        await self.raw(proxy, 411, "POST", "/api/v1/reload", f"HTTP/1.1\r\nHost: 127.0.0.1\r\n{BEARER}\r\n")
        await self.raw(proxy, 408, "POST", "/api/v1/bans", f"HTTP/1.1\r\nHost: 127.0.0.1\r\n{BEARER}Content-Length: 2\r\n\r\n{{")

    async def pages(self, proxy):
        for path in "/", "/dashboard.js", "/dashboard.css", "/icon.svg", "/api/v1/openapi.json":
            await self.ask(proxy, 200, "GET", path)
            await self.ask(proxy, 304, "GET", path, If_None_Match="*")
        served = json.loads(await self.ask(proxy, 200, "GET", "/api/v1/openapi.json"))
        self.assertEqual(served | {"info": None}, contract.document() | {"info": None})
        await self.ask_all(
            proxy,
            [
                (404, "GET", "/nothing.js"),
                (404, "GET", "/api/v1/nothing"),
                (200, "GET", "/dashboard.json"),
                (200, "GET", "/healthz"),
                (200, "GET", "/readyz"),
                (200, "GET", "/metrics"),
            ],
        )

    async def bodies(self, proxy):
        def has_body(operation):
            return contract.request_content(operation) is not None

        large = {"/api/v1/import": 1 << 22}
        await self.ask_every(proxy, 413, lambda operation: {"body": b"x" * (large.get(operation.path, 1 << 16) + 1)})
        await self.ask_every(proxy, 415, lambda operation: {"Content_Type": "text/plain"})
        await self.ask_every(proxy, 400, lambda operation: {"body": b"{"}, has_body)
        await self.ask_every(proxy, 403, lambda operation: {"Origin": "https://elsewhere.example"})

    async def algorithms_and_pools(self, proxy, used_pool):
        used = "/api/v1/pools/" + urllib.parse.quote(used_pool, safe="")
        algorithms, pools, outdated = "/api/v1/algorithms", "/api/v1/pools", {"If_Match": '"0000000000000000"'}
        await self.ask_all(
            proxy,
            [
                (201, "POST", algorithms, {"name": "newhash", "divider": 256}),
                (409, "POST", algorithms, {"name": "newhash", "divider": 257}),
                (200, "GET", algorithms),
                (200, "GET", algorithms + "/newhash"),
                (404, "GET", algorithms + "/none"),
                (200, "PATCH", algorithms + "/newhash", {"divider": 512, "aliases": ["nh"]}),
                (404, "PATCH", algorithms + "/none", {"divider": 512}),
                (409, "PATCH", algorithms + "/newhash", {"aliases": ["sha256d"]}),
                (412, "PATCH", algorithms + "/newhash", {"divider": 1}, outdated),
                (422, "PATCH", algorithms + "/sha256d", {"dialect": "kawpow"}),
                (400, "DELETE", algorithms + "/newhash", None, {"If_Match": "1"}),
                (404, "DELETE", algorithms + "/none"),
                (409, "DELETE", algorithms + "/sha256d"),
                (412, "DELETE", algorithms + "/newhash", None, outdated),
                (201, "POST", pools, {"pool": "spare.example:1", "algorithm": "newhash", "divider": 2}),
                (404, "POST", pools, {"pool": "none.example:1", "algorithm": "none"}),
                (409, "POST", pools, {"pool": "spare.example:1", "algorithm": "sha256d"}),
                (422, "POST", pools, {"pool": "none.example:1", "algorithm": "sha256d", "vardiff": True}),
                (200, "GET", pools),
                (200, "GET", pools + "/spare.example:1"),
                (400, "GET", pools + "/spare.example"),
                (404, "GET", pools + "/none.example:1"),
                (200, "PATCH", pools + "/spare.example:1", {"divider": None, "rig_logins": True}),
                (404, "PATCH", pools + "/none.example:1", {}),
                (412, "PATCH", pools + "/spare.example:1", {}, outdated),
                (422, "PATCH", pools + "/spare.example:1", {"vardiff": True}),
                (400, "DELETE", pools + "/spare.example"),
                (404, "DELETE", pools + "/none.example:1"),
                (409, "DELETE", used),
                (412, "DELETE", pools + "/spare.example:1", None, outdated),
                (200, "GET", "/api/v1/export"),
                (200, "POST", "/api/v1/import", {"pools": [{"pool": "spare.example:1", "algorithm": "newhash", "divider": 3}]}),
                (404, "POST", "/api/v1/import", {"pools": [{"pool": "spare.example:1", "algorithm": "none"}]}),
                (409, "POST", "/api/v1/import", {"algorithms": [{"name": "newhash", "divider": 1, "aliases": ["sha256d"]}]}),
                (422, "POST", "/api/v1/import", {"pools": [{"pool": "spare.example:1", "algorithm": "newhash", "vardiff": True}]}),
                (200, "DELETE", pools + "/spare.example:1"),
                (200, "DELETE", algorithms + "/newhash"),
            ],
        )

    async def accounts(self, proxy, pool, scrypt, account):
        gone = await proxy.register(pool, "gone")
        users, path, none = "/api/v1/users", f"/api/v1/users/{account}", "/api/v1/users/0000000000000000"
        for method in "POST", "PUT":
            await self.ask_all(
                proxy,
                [
                    (201, method, users, way(pool)),
                    (201, method, users, {"pools": [way(pool)]}),
                    (404, method, users, way("none.example:1")),
                    (409, method, users, way(pool, mode="dedicated")),
                    (422, method, users, {"pools": [way(pool, "new"), way(scrypt)]}),
                ],
            )
        await self.ask_all(
            proxy,
            [
                (200, "GET", users),
                (400, "GET", users + "?limit=0"),
                (200, "GET", path),
                (404, "GET", none),
                (200, "PATCH", path, {"mode": "dedicated"}),
                (200, "PATCH", path, {"mode": None}, {"If_Match": "*"}),
                (404, "PATCH", none, {"mode": None}),
                (409, "PATCH", path, {"pools": [{"pool": pool, "user": "new"}]}),
                (412, "PATCH", path, {"mode": None}, {"If_Match": '"0"'}),
                (422, "PATCH", path, {"mode": "shared"}),
                (400, "DELETE", f"{users}/{gone}", None, {"If_Match": "1"}),
                (412, "DELETE", f"{users}/{gone}", None, {"If_Match": '"0"'}),
                (200, "DELETE", f"{users}/{gone}"),
                (404, "DELETE", none),
            ],
        )

    async def workers(self, proxy, miner, other, stranger):
        silent = await Raw().connect(proxy.stratum)
        self.addCleanup(silent.end)
        address = "%s:%d" % silent.writer.get_extra_info("sockname")
        workers = "/api/v1/workers"

        async def is_known():
            return json.loads(await self.ask(proxy, 200, "GET", "/api/v1/status"))["connections"] == 2

        await until(is_known, "both connections are there")
        await self.ask_all(
            proxy,
            [
                (200, "GET", workers),
                (200, "GET", "/api/v1/links"),
                (200, "GET", "/api/v1/sessions"),
                *((400, "GET", f"/api/v1/{each}?limit=0") for each in ("workers", "links", "sessions")),
                (200, "GET", f"{workers}/{miner.source}"),
                (400, "GET", f"{workers}/{miner.source}?limit=0"),
                (404, "GET", f"{workers}/127.0.0.1:1"),
                (200, "POST", f"{workers}/{miner.source}/move", {"user": other}),
                (404, "POST", f"{workers}/127.0.0.1:1/move", {"user": other}),
                (409, "POST", f"{workers}/{address}/move", {"user": other}),
                (422, "POST", f"{workers}/{miner.source}/move", {"user": stranger}),
                (200, "DELETE", f"{workers}/{address}"),
                (404, "DELETE", f"{workers}/127.0.0.1:1"),
            ],
        )

    async def bans(self, proxy):
        bans, ban = "/api/v1/bans", {"subject": "10.9.0.0/16", "reason": "floods"}
        await self.ask_all(
            proxy,
            [
                (201, "POST", bans, ban | {"seconds": 86400}),
                (200, "POST", bans, ban),
                (422, "POST", bans, ban | {"subject": "127.0.0.1"}),
                (200, "GET", bans),
                (200, "DELETE", bans + "/10.9.0.0%2F16"),
                (404, "DELETE", bans + "/10.9.0.0%2F16"),
            ],
        )
        fill = "INSERT INTO bans (subject, reason) SELECT 'nobody' || n, 'full' FROM generate_series(1, 10000) n"
        self.server.sql(fill, TABLES)
        await self.ask(proxy, 409, "POST", bans, ban)
        self.server.sql("DELETE FROM bans", TABLES)

    async def operations(self, proxy):
        file = proxy.directory / "stratumproxyd.toml"
        good = file.read_text(encoding="utf-8")
        file.write_text("[nonsense\n", encoding="utf-8")
        await self.ask(proxy, 422, "POST", "/api/v1/reload", b"")
        file.write_text(good, encoding="utf-8")
        await self.ask_all(
            proxy,
            [
                (200, "POST", "/api/v1/reload", b""),
                (200, "GET", "/api/v1/status"),
                (200, "GET", "/api/v1/history"),
                (200, "GET", "/api/v1/history?user=nobody&worker=rig1"),
                (400, "GET", "/api/v1/history?step=300&from=0"),
                (200, "GET", "/api/v1/events"),
                (400, "GET", "/api/v1/events?after=x"),
                (200, "GET", "/api/v1/audit?limit=5"),
                (400, "GET", "/api/v1/audit?limit=0"),
            ],
        )

    async def who_may_ask(self):
        proxy = await self.daemon(
            config={"web": {"registration": "token", "failed_logins_burst": 1, "failed_logins_per_minute": 1}}
        )
        for role in "read-only", "register-only":
            text = await self.ask(proxy, 201, "POST", "/api/v1/tokens", {"name": role, "role": role})
            token = json.loads(text)["token"]
            for operation in contract.operations():
                content = contract.request_content(operation)
                path, body = contract.example_path(operation), contract.examples(content)[0] if content else None
                status, text = await proxy.call(operation.method, path, body, token=token)
                allowed = role in operation.description.get("x-roles", [role])
                self.assertEqual(status != 403, allowed, f"{role}: {operation.method} {path}: {text}")
        await self.ask_every(proxy, 401, lambda operation: {"token": None})
        await self.ask(proxy, 401, "GET", "/api/v1/pools", token="one-that-is-not-known")
        await self.ask_every(proxy, 429, lambda operation: {"token": "one-that-is-not-known"})

    async def tokens(self, proxy):
        tokens = "/api/v1/tokens"
        await self.ask_all(
            proxy,
            [
                (201, "POST", tokens, {"name": "boss", "role": "admin"}),
                (409, "POST", tokens, {"name": "boss", "role": "admin"}),
                (200, "GET", tokens),
                (200, "DELETE", tokens + "/boss"),
                (404, "DELETE", tokens + "/boss"),
            ],
        )
        bare = await self.daemon(has_token=False)
        await self.ask(bare, 409, "POST", tokens, {"name": "eyes", "role": "read-only"})
        only = json.loads(await self.ask(bare, 201, "POST", tokens, {"name": "boss", "role": "admin"}))["token"]
        await self.ask(bare, 409, "DELETE", tokens + "/boss", token=only)

    async def try_every(self, proxy):
        """Whatever comes; the contract looks at it."""

        async def one(operation):
            content = contract.request_content(operation)
            body = contract.examples(content)[0] if content else None
            return await proxy.call(operation.method, contract.example_path(operation), body)

        await asyncio.gather(*map(one, contract.operations()))

    async def a_shard_that_does_not_answer(self, proxy):
        with held(proxy.process.pid, "spx-shard-0"):
            await self.try_every(proxy)
        await proxy.metrics()

    async def a_broken_row(self, proxy):
        """As somebody may have left it who changed the tables by hand."""
        await self.ask(proxy, 201, "POST", "/api/v1/pools", {"pool": "spare.example:1", "algorithm": "sha256d"})
        self.server.sql("UPDATE pools SET source = repeat('x', 3000) WHERE host = 'spare.example'", TABLES)
        await self.ask(proxy, 500, "PATCH", "/api/v1/pools/spare.example:1", {"verify": "off"})

    async def no_database(self, proxy):
        await asyncio.to_thread(self.server.stop)

        async def is_noticed():
            return (await proxy.call("GET", "/readyz"))[0] == 503

        await until(is_noticed, "the database is away")
        await self.try_every(proxy)
        await asyncio.to_thread(self.server.start)


if __name__ == "__main__":
    main()
