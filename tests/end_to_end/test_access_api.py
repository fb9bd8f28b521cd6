"""Who may ask: tokens and their roles, also those of another daemon on one database; registration; limits; the audit log."""
import asyncio
import http.client
import json
import pathlib
import signal
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from canaries import OTHER_POOL_PASSWORD, POOL_PASSWORD, WEB_TOKEN
from daemon import Daemon
from house import HouseTest, main
from waiting import until

FAILED = "proxy_http_authentications_failed_total"
POOL = "stratum.example:3333"


class AccessApi(HouseTest):
    async def asyncSetUp(self):
        self.tokens = []

    async def ask(self, proxy, method, path, body=None, status=200, token=WEB_TOKEN, headers=None):
        """The decoded answer; the status must be this one."""
        got, text = await proxy.call(method, path, body, token=token, headers=headers)
        self.assertEqual(got, status, text)
        return json.loads(text)

    async def make(self, proxy, name, role, token=WEB_TOKEN):
        """A new token. What shows it is taken out of the texts that may hold no secret."""
        answer = await self.ask(proxy, "POST", "/api/v1/tokens", {"name": name, "role": role}, 201, token)
        self.assertEqual((answer["name"], answer["role"], answer["error"]), (name, role, ""))
        self.assertRegex(answer["token"], "^spx_[0-9a-f]{64}$")
        proxy.texts.pop()
        self.tokens.append(answer["token"])
        return answer["token"]

    async def status(self, proxy, token, method="GET", path="/api/v1/pools", body=None):
        return (await proxy.call(method, path, body, token=token))[0]

    async def audit(self, proxy, query="", token=WEB_TOKEN):
        rows = (await self.ask(proxy, "GET", f"/api/v1/audit{query}", token=token))["audit"]
        return [(row["actor"], row["action"], row["subject"]) for row in rows]

    async def tell_nothing(self, *proxies):
        """No token that was made is in a log, a metric or an answer but its own; nor is a part of one."""
        for proxy in proxies:
            await proxy.metrics()
            texts = proxy.log_text() + "\n".join(proxy.texts)
            for token in self.tokens:
                self.assertNotIn(token[:20], texts)

    async def test_roles_and_their_tokens_survive_a_restart(self):
        proxy = await self.daemon()
        admin = await self.make(proxy, "boss", "admin")
        reader = await self.make(proxy, "eyes", "read-only", admin)
        clerk = await self.make(proxy, "desk", "register-only", admin)
        await proxy.add_pool(POOL)
        user = {"pool": POOL, "user": "wallet", "password": POOL_PASSWORD}
        row = {"pool": POOL, "algorithm": "sha256d"}
        for _ in range(2):
            for token, get, post in (admin, 200, 201), (reader, 200, 403), (clerk, 403, 403), ("x", 401, 401):
                self.assertEqual(await self.status(proxy, token), get)
                self.assertEqual(await self.status(proxy, token, "POST", "/api/v1/pools", row), post)
                self.assertEqual(await self.status(proxy, token, "POST", "/api/v1/users", user), 201)
            for open_path in "/healthz", "/readyz", "/metrics":
                self.assertEqual(await self.status(proxy, None, "GET", open_path), 200)
            self.assertEqual(await proxy.stop(), 0)
            await proxy.restart()
        rows = (await self.ask(proxy, "GET", "/api/v1/tokens", token=reader))["tokens"]
        roles = [("boss", "admin"), ("desk", "register-only"), ("eyes", "read-only")]
        self.assertEqual([(row["name"], row["role"]) for row in rows], roles)
        self.assertTrue(all(row["created_at"] and row["last_used_at"] for row in rows), rows)
        for token, who in (WEB_TOKEN, ("token-file", "admin")), (reader, ("eyes", "read-only")):
            status = await self.ask(proxy, "GET", "/api/v1/status", token=token)
            self.assertEqual((status["actor"], status["role"]), who)
        await self.ask(proxy, "POST", "/api/v1/tokens", {"name": "boss", "role": "admin"}, 409)
        await self.ask(proxy, "DELETE", "/api/v1/tokens/eyes", token=clerk, status=403)
        await self.ask(proxy, "DELETE", "/api/v1/tokens/eyes")
        self.assertEqual(await self.status(proxy, reader), 401)
        await self.ask(proxy, "DELETE", "/api/v1/tokens/eyes", status=404)
        await self.tell_nothing(proxy)

    async def test_two_daemons_of_one_database_share_their_tokens(self):
        url = self.database()
        first = await self.daemon(db=url, tag="one")
        second = await self.daemon(db=url or first.db, tag="two")
        token = await self.make(first, "eyes", "read-only")
        self.assertEqual(await self.status(first, token), 200)

        async def works_on_second(wanted):
            return (await self.status(second, token) == 200) is wanted

        await until(lambda: works_on_second(True), "the token made on one works on the other", pause=0.2)
        rows = (await self.ask(second, "GET", "/api/v1/tokens"))["tokens"]
        self.assertEqual([row["name"] for row in rows], ["eyes"])
        await self.ask(second, "DELETE", "/api/v1/tokens/eyes")
        self.assertEqual(await self.status(second, token), 401)

        async def ended_on_first():
            return await self.status(first, token) == 401

        await until(ended_on_first, "the token revoked on one stops working on the other", pause=0.2)
        self.assertEqual(await self.audit(first), [("token-file", "token.remove", "eyes"), ("token-file", "token.add", "eyes")])
        await self.tell_nothing(first, second)

    async def test_the_audit_log_says_who_changed_what(self):
        proxy = await self.daemon(config={"web": {"audit_days": 1}})
        admin = await self.make(proxy, "boss", "admin")
        await self.ask(proxy, "POST", "/api/v1/algorithms", {"name": "new-algo", "divider": 2}, 201, admin)
        await self.ask(proxy, "POST", "/api/v1/pools", {"pool": POOL, "algorithm": "new-algo"}, 201, admin)
        name = await proxy.register(POOL)
        path = f"/api/v1/users/{name}"
        way = {"pool": POOL, "user": "thief", "password": OTHER_POOL_PASSWORD}
        await self.ask(proxy, "PATCH", path, {"pools": [way]}, token=admin)
        await self.ask(proxy, "PATCH", path, {"pools": [way]}, token=admin)  # changes nothing
        await self.ask(proxy, "DELETE", path, token=admin)
        expected = [
            ("boss", "user.remove", name),
            ("boss", "user.change", name),
            ("open", "user.register", name),
            ("boss", "pool.add", POOL),
            ("boss", "algorithm.add", "new-algo"),
            ("token-file", "token.add", "boss"),
        ]
        self.assertEqual(await self.audit(proxy), expected)
        self.assertEqual(await self.audit(proxy, f"?user={name}"), expected[:3])
        page = await self.ask(proxy, "GET", "/api/v1/audit?limit=4")
        self.assertEqual(page["audit"][1]["detail"], f"{POOL} thief password given")
        self.assertEqual(page["audit"][1]["address"], "127.0.0.1")
        self.assertRegex(page["audit"][1]["at"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        rest = await self.ask(proxy, "GET", f"/api/v1/audit?limit=4&after={page['next']}")
        self.assertEqual(([row["subject"] for row in rest["audit"]], rest["next"]), (["new-algo", "boss"], ""))
        await self.ask(proxy, "GET", "/api/v1/audit?limit=0", status=400)
        await self.tell_nothing(proxy)

    async def test_a_kill_leaves_no_change_without_its_entry_and_no_entry_without_its_change(self):
        proxy = await self.daemon()
        await proxy.add_pool(POOL)
        asked = 0
        for round_ in range(6):
            at_least = asked + 20 + 7 * round_

            async def register(lane):
                nonlocal asked
                while True:
                    asked += 1
                    try:
                        await proxy.register(POOL, f"{round_}-{lane}-{asked}")
                    except (OSError, http.client.HTTPException):  # it was killed
                        return

            lanes = [asyncio.create_task(register(lane)) for lane in range(4)]

            async def are_under_way():
                return asked > at_least

            await until(are_under_way, "registrations under way", pause=0.01)
            await proxy.kill()
            await asyncio.gather(*lanes)
            await proxy.restart()

            async def agree():  # a server may yet commit what it was told before
                accounts = (await self.ask(proxy, "GET", "/api/v1/users?limit=1000"))["users"]
                entries = await self.audit(proxy, "?limit=10000")
                registered = {subject for _, action, subject in entries if action == "user.register"}
                return registered if registered == {each["name"] for each in accounts} else None

            registered = await until(agree, "each account has its entry, and each entry its account", pause=0.1)
            self.assertGreaterEqual(len(registered), asked - len(lanes) * (round_ + 1))
        self.say(f"{len(registered)} of {asked} registrations have account and entry after {round_ + 1} kills")

    async def test_registration_and_its_limit_follow_the_configuration(self):
        limits = {"registrations_per_minute": 1, "registrations_burst": 2, "failed_logins_burst": 1}
        proxy = await self.daemon(config={"web": limits | {"failed_logins_per_minute": 1}})
        clerk = await self.make(proxy, "desk", "register-only")
        await proxy.add_pool(POOL)
        user = {"pool": POOL, "user": "wallet", "password": POOL_PASSWORD}

        async def register(token=None):
            return await self.status(proxy, token, "POST", "/api/v1/users", user)

        self.assertEqual([await register() for _ in range(4)], [201, 201, 429, 429])
        self.assertEqual([await register(clerk) for _ in range(3)], [201, 201, 201])
        # The file's token is short, so it waits like a wrong one; a random one does not.
        seen = [await self.status(proxy, token) for token in (WEB_TOKEN, "wrong", "wrong", WEB_TOKEN, None)]
        self.assertEqual(seen, [200, 401, 429, 429, 401])
        self.assertEqual(await register(clerk), 201)
        metrics = await proxy.metrics()
        self.assertEqual(metrics.get(FAILED), 3)
        await proxy.metrics_until(lambda m: m.get("proxy_http_requests_total", code="429") == 4, "the refused are counted")

        for policy, nobody, known in ("token", 401, 201), ("off", 403, 403):
            (proxy.directory / "stratumproxyd.toml").write_text(f'[web]\nregistration = "{policy}"\n', encoding="utf-8")
            proxy.signal(signal.SIGHUP)

            async def refused():
                return await register() == nobody

            await until(refused, f"registration is {policy}")
            self.assertEqual(await register(clerk), known)
        await self.tell_nothing(proxy)

    async def test_an_open_server_is_closed_by_its_first_token(self):
        bare = Daemon(db=self.database(), name="bare", has_token=False)
        self.addAsyncCleanup(self._end, bare)
        command = bare.command()
        bare.command = lambda: command
        reachable = command.index("--web.addr") + 1
        command[reachable] = "0.0.0.0:0"
        await bare.launch()
        self.assertEqual(await bare.exited(), 2)
        self.assertIn("there is no token", bare.log_text())
        command[reachable] = "127.0.0.1:0"
        await bare.start()
        self.assertEqual(await self.status(bare, None), 200)
        await self.ask(bare, "POST", "/api/v1/tokens", {"name": "eyes", "role": "read-only"}, 409, None)
        admin = await self.make(bare, "boss", "admin", None)
        self.assertEqual(await self.status(bare, None), 401)
        self.assertEqual(await self.status(bare, WEB_TOKEN), 401)
        self.assertEqual(await self.status(bare, admin), 200)
        await self.ask(bare, "DELETE", "/api/v1/tokens/boss", status=409, token=admin)
        self.assertEqual(await bare.stop(), 0)
        command[reachable] = "0.0.0.0:0"
        await bare.start()
        bare.web = bare.web.replace("0.0.0.0", "127.0.0.1")
        self.assertEqual(await self.status(bare, None), 401)
        self.assertEqual(await self.status(bare, admin), 200)
        await self.tell_nothing(bare)


if __name__ == "__main__":
    main()
