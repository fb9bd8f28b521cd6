"""Rows of the database over the API: accounts listed and removed, history, algorithms and pools changed, exported, imported."""
import contextlib
import json
import pathlib
import re
import sqlite3
import subprocess
import sys
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from house import HouseTest, main
from waiting import until

QUICK = {"metrics": {"flush_seconds": 0.1}}


class TablesApi(HouseTest):
    async def ask(self, proxy, method, path, body=None, status=200, **headers):
        """The decoded answer; the status must be this one, and every answer tells whether it is an error."""
        names = {key.replace("_", "-"): value for key, value in headers.items()}
        got, text = await proxy.call(method, path, body, headers=names)
        self.assertEqual(got, status, text)
        answer = json.loads(text)
        self.assertEqual(bool(answer["error"]), status >= 400, text)
        return answer

    def sql(self, proxy, statement):
        """As an operator would, beside the daemon."""
        if proxy.db.startswith("sqlite:"):
            with contextlib.closing(sqlite3.connect(proxy.db.removeprefix("sqlite:"), timeout=10)) as database, database:
                database.execute(statement)
        else:
            subprocess.run(["psql", proxy.db, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", statement], check=True, capture_output=True)

    async def test_accounts_are_listed_with_their_totals_and_what_runs(self):
        proxy = await self.daemon(config=QUICK)
        pool = await self.pool()
        name = await self.account(proxy, pool)
        idle = await proxy.register(pool.address, "idle")
        miner = await self.miner(proxy, name)
        await miner.mine(3)
        pool.verdict = lambda submit: (23, "low difficulty", None)
        await miner.mine(1)

        async def counted():
            rows = (await self.ask(proxy, "GET", "/api/v1/users"))["users"]
            return rows if sum(row["sent"] for row in rows) == 4 else None

        rows = {row["name"]: row for row in await until(counted, "the totals are in the database")}
        self.assertEqual(set(rows), {name, idle})
        row = rows[name]
        self.assertEqual((row["workers"], row["accepted"], row["rejected"], row["unknown"]), (1, 3, 1, 0))
        self.assertEqual(row["difficulty_one_accepted"], 3 * miner.difficulty)
        self.assertEqual(row["pools"], [{"pool": pool.address, "user": "wallet", "weight": 0}])
        self.assertRegex(row["last_seen"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        self.assertEqual((rows[idle]["workers"], rows[idle]["last_seen"]), (0, None))
        shown = await self.ask(proxy, "GET", f"/api/v1/users/{name}")
        self.assertEqual((shown["sent"], shown["accepted"]), (4, 3))

        first = await self.ask(proxy, "GET", "/api/v1/users?limit=1")
        second = await self.ask(proxy, "GET", f"/api/v1/users?limit=1&after={first['next']}")
        self.assertEqual([each["users"][0]["name"] for each in (first, second)], sorted([name, idle]))
        self.assertEqual(second["next"], "")
        found = await self.ask(proxy, "GET", f"/api/v1/users?search=idl&pool={pool.address}&algorithm=sha256")
        self.assertEqual([each["name"] for each in found["users"]], [idle])
        await self.ask(proxy, "GET", "/api/v1/users?limit=0", status=400)

        revision = shown["revision"]
        await proxy.stop()
        await proxy.restart()
        again = await self.ask(proxy, "GET", f"/api/v1/users/{name}")
        self.assertEqual((again["accepted"], again["workers"], again["revision"]), (3, 0, revision))
        self.assertIsNotNone(again["last_seen"])

    async def test_the_history_is_what_the_totals_grew_by(self):
        proxy = await self.daemon(config=QUICK)
        first, second = await self.pool(), await self.pool()
        one = await self.account(proxy, first)
        two = await self.account(proxy, second, algorithm="scrypt")
        await (await self.miner(proxy, one)).mine(5)
        miner = await self.miner(proxy, two, "two")
        await miner.mine(2)

        async def history(query, count):
            answer = await self.ask(proxy, "GET", f"/api/v1/history?{query}")
            self.assertEqual({b["start"] - a["start"] for a, b in zip(answer["series"], answer["series"][1:])}, {300})
            if sum(point["accepted"] for point in answer["series"]) != count:
                return None
            return [point for point in answer["series"] if point["accepted"]]

        for query, count in (
            ("", 7),
            (f"user={one}", 5),
            (f"pool={second.address}", 2),
            ("algorithm=scrypt", 2),
            (f"user={one}&algorithm=scrypt", 0),
        ):
            points = await until(lambda query=query, count=count: history(query, count), f"history of {query}") if count else []
            self.assertEqual(sum(point["sent"] for point in points), count)
            self.assertTrue(all(point["hashrate"] > 0 for point in points))
        work = sum(point["difficulty_one_accepted"] for point in await history("algorithm=scrypt", 2))
        self.assertAlmostEqual(work, 2 * miner.difficulty / 65536, places=12)
        self.assertEqual(await history(f"user={one}&algorithm=scrypt", 0), [])
        rates = await self.ask(proxy, "GET", f"/api/v1/history?user={two}&worker=two")
        self.assertEqual(len(rates["series"]), 180)
        await self.ask(proxy, "GET", "/api/v1/history?step=300&from=0", status=400)

    async def test_pools_and_algorithms_are_changed_under_their_workers_and_removed_when_unused(self):
        proxy = await self.daemon(config=QUICK)
        pool = await self.pool()
        name = await self.account(proxy, pool)
        miner = await self.miner(proxy, name)
        await miner.mine(1)
        path = "/api/v1/pools/" + urllib.parse.quote(pool.address, safe="")
        await self.ask(proxy, "DELETE", path, status=409)
        changed = await self.ask(proxy, "PATCH", path, {"divider": 4})
        self.assertEqual((changed["divider"], changed["algorithm"]), (4, "sha256d"))
        await proxy.metrics_until(lambda m: m.get("proxy_pool_divider", pool=pool.address) == 4, "the new divider")
        await miner.mine(1)
        await self.ask(proxy, "PATCH", path, {"mode": "shared"}, status=422)
        await self.ask(proxy, "PATCH", path, {"divider": 5}, status=412, If_Match='"0000000000000000"')
        await self.ask(proxy, "PATCH", "/api/v1/algorithms/sha256d", {"dialect": "kawpow"}, status=422)
        await self.ask(proxy, "DELETE", "/api/v1/algorithms/sha256d", status=409)

        for extreme in (0, -1, 1e-300, 1e300):
            await self.ask(proxy, "POST", "/api/v1/algorithms", {"name": "mine/1", "divider": extreme}, status=400)
        await self.ask(proxy, "POST", "/api/v1/algorithms", {"name": "mine/1", "divider": 2}, status=201)
        await proxy.add_pool("[2001:db8::1]:443", "mine/1")
        await self.ask(proxy, "DELETE", "/api/v1/algorithms/mine%2F1", status=409)
        await self.ask(proxy, "DELETE", "/api/v1/pools/%5B2001:db8::1%5D:443")
        await self.ask(proxy, "DELETE", "/api/v1/algorithms/mine%2F1")
        await self.ask(proxy, "GET", "/api/v1/algorithms/mine%2F1", status=404)

        await self.ask(proxy, "DELETE", f"/api/v1/users/{name}")
        await self.ask(proxy, "DELETE", path)
        await self.ask(proxy, "GET", path, status=404)

    async def test_what_one_proxy_exports_another_one_imports(self):
        source, target = await self.daemon(), await self.daemon()
        await self.ask(source, "POST", "/api/v1/algorithms", {"name": "mine", "divider": 2.5, "aliases": ["m"]}, status=201)
        await source.add_pool("mine.example:1", "m", fixed_difficulty=True, mode="shared")
        document = await self.ask(source, "GET", "/api/v1/export")
        answer = await self.ask(target, "POST", "/api/v1/import", document)
        self.assertEqual((answer["created"], answer["changed"]), (2, 0))
        answer = await self.ask(target, "POST", "/api/v1/import", document)
        self.assertEqual((answer["created"], answer["changed"]), (0, 0))
        self.assertEqual(await self.ask(target, "GET", "/api/v1/export"), document)
        document["pools"][0]["algorithm"] = "none"
        document["algorithms"][0]["divider"] = 12345
        refused = await self.ask(target, "POST", "/api/v1/import", document, status=404)
        self.assertIn(document["pools"][0]["pool"], refused["error"])
        self.assertNotIn(12345, [row["divider"] for row in (await self.ask(target, "GET", "/api/v1/export"))["algorithms"]])
        await target.register("mine.example:1")

    async def test_accounts_that_nobody_has_seen_for_long_are_removed(self):
        config = {"accounts": {"delete_after_days": 1, "delete_check_seconds": 1}}
        proxy = await self.daemon(config=config)
        pool = await self.pool()
        busy = await self.account(proxy, pool)
        young, unseen = await proxy.register(pool.address, "young"), await proxy.register(pool.address, "unseen")
        await self.miner(proxy, busy)
        old = "created_at = '2020-01-02 03:04:05', last_seen = 1577934245"
        self.sql(proxy, f"UPDATE users SET {old} WHERE name IN ('{busy}', '{unseen}')")

        async def gone():
            return unseen not in [row["name"] for row in (await self.ask(proxy, "GET", "/api/v1/users"))["users"]]

        await until(gone, "the unseen account is removed")
        for name in busy, young:
            await self.ask(proxy, "GET", f"/api/v1/users/{name}")
        await until(lambda: re.search(f"account_removed.*{unseen}", proxy.log_text()), "the log says so")  # after the row is gone


if __name__ == "__main__":
    main()
