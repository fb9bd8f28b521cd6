"""Accounts with several pools over the API: registered, shown, changed, removed; and what the proxy serves of them."""
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from canaries import POOL_PASSWORD
from house import HouseTest, main
from waiting import until

NOBODY = "0000000000000000"


def way(pool, user="wallet", password=POOL_PASSWORD, **more):
    """One member of `pools`; without a password where it is None."""
    return {"pool": pool, "user": user} | ({} if password is None else {"password": password}) | more


class AccountsApi(HouseTest):
    async def asyncSetUp(self):
        self.proxy = await self.daemon()
        for pool in "a.example:1", "b.example:1", "c.example:1":
            await self.proxy.add_pool(pool)
        await self.proxy.add_pool("s.example:1", "scrypt")

    async def ask(self, method, path, body=None, status=200, **headers):
        """The decoded answer; the status must be this one, and every answer tells whether it is an error."""
        names = {key.replace("_", "-"): value for key, value in headers.items()}
        got, text = await self.proxy.call(method, path, body, headers=names)
        self.assertEqual(got, status, text)
        answer = json.loads(text)
        self.assertEqual(bool(answer["error"]), status >= 400, text)
        return answer

    async def register(self, *ways, status=201, **more):
        return (await self.ask("POST", "/api/v1/users", {"pools": list(ways)} | more, status))["name"]

    async def user(self, name, method="GET", body=None, status=200, **headers):
        return await self.ask(method, f"/api/v1/users/{name}", body, status, **headers)

    async def change(self, name, status=200, if_match=None, **body):
        return await self.user(name, "PATCH", body, status, **({"If_Match": if_match} if if_match else {}))

    @staticmethod
    def ways(account):
        return [(row["pool"], row["user"], row["weight"]) for row in account["pools"]]

    async def test_registered_with_fall_backs_and_found_again(self):
        ways = way("A.example:1"), way("b.example:1", "other", ""), way("c.example:1", weight=1000)
        name = await self.register(*ways)
        self.assertEqual(await self.register(*ways), name)
        self.assertEqual(await self.proxy.register("a.example:1"), name)
        self.assertNotEqual(await self.proxy.register("a.example:1", "wallet2"), name)
        await self.register(*ways[:2], status=409)
        await self.register(ways[0] | {"weight": 1}, *ways[1:], status=409)
        account = await self.user(name)
        self.assertEqual(account["name"], name)
        self.assertRegex(account["created_at"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        self.assertIsNone(account["mode"])
        self.assertEqual(
            self.ways(account), [("a.example:1", "wallet", 0), ("b.example:1", "other", 0), ("c.example:1", "wallet", 1000)]
        )
        idle = {"share": 0, "work": 0, "usable": True, "cause": "", "workers": 0}
        for row in account["pools"]:
            self.assertEqual({key: row[key] for key in idle}, idle)
        self.assertEqual((account["workers"], account["hashrate"]), (0, 0))

        await self.register(way("a.example:1"), way("nowhere.example:1"), status=404)
        await self.register(way("a.example:1"), way("s.example:1"), status=422)
        await self.register(way("c.example:1"), mode="shared", status=422)
        await self.register(way("a.example:1"), way("a.example:1", password="y"), status=400)
        await self.register(status=400)
        await self.register(*(way("a.example:1", f"u{i}") for i in range(9)), status=400)

        self.assertEqual(await self.proxy.stop(), 0)
        await self.proxy.restart()
        self.assertEqual(await self.user(name), account)

    async def test_changed_by_whoever_knows_the_revision(self):
        name = await self.register(way("a.example:1"), way("b.example:1", "other"))
        before = await self.user(name)
        # The passwords of the two are known; the third's is not.
        await self.change(name, 409, pools=[way("c.example:1", password=None)])
        await self.change(name, 404, pools=[way("nowhere.example:1")])
        await self.change(name, 422, pools=[way("a.example:1"), way("s.example:1")])
        await self.change(name, 422, mode="shared")
        await self.change(name, 400, pools=[])
        await self.change(name, 400, pool="a.example:1")
        await self.change(name, 400, if_match="1", mode=None)
        await self.change(name, 412, if_match=f'"{before["revision"] + 1}"', mode="dedicated")
        await self.change(NOBODY, 404, mode="dedicated")
        taken = await self.register(way("c.example:1"))
        await self.change(name, 409, pools=[way("c.example:1")])
        self.assertEqual(await self.user(name), before)

        tag = f'"{before["revision"]}"'
        wanted = [
            way("b.example:1", "other", None, weight=30),
            way("c.example:1", "new", weight=70),
            way("a.example:1", password=None),
        ]
        after = await self.change(name, if_match=tag, pools=wanted, mode="dedicated")
        self.assertGreater(after["revision"], before["revision"])
        self.assertEqual(
            self.ways(after), [("b.example:1", "other", 30), ("c.example:1", "new", 70), ("a.example:1", "wallet", 0)]
        )
        self.assertEqual(after["mode"], "dedicated")
        self.assertEqual(after["created_at"], before["created_at"])
        self.assertEqual(await self.user(name), after)
        await self.change(name, 412, if_match=tag, mode=None)
        self.assertEqual(await self.change(name, pools=wanted), after)
        self.assertIsNone((await self.change(name, mode=None))["mode"])
        self.assertEqual(self.ways(await self.user(taken)), [("c.example:1", "wallet", 0)])
        # Its first pool of before is free again, and its first pool of now leads to it.
        self.assertNotEqual(await self.proxy.register("a.example:1"), name)
        self.assertEqual(await self.proxy.register("b.example:1", "other"), name)

    async def test_only_administrators_see_change_and_remove(self):
        name = await self.register(way("a.example:1"))
        for method, path, body in (
            ("GET", f"/api/v1/users/{name}", None),
            ("PATCH", f"/api/v1/users/{name}", {"mode": "dedicated"}),
            ("DELETE", f"/api/v1/users/{name}", None),
            ("GET", "/api/v1/workers", None),
            ("GET", "/api/v1/links", None),
        ):
            self.assertEqual((await self.proxy.call(method, path, body, token=None))[0], 401)
        self.assertIsNone((await self.user(name))["mode"])

    async def test_removed_accounts_let_their_workers_go_and_keep_their_totals(self):
        pool = await self.pool()
        name = await self.account(self.proxy, pool)
        miner = await self.miner(self.proxy, name)
        await miner.mine(3)
        await self.proxy.metrics_until(lambda m: m.get("proxy_shares_accepted_total", user=name) == 3, "the totals")
        self.assertEqual(await self.user(name, "DELETE"), {"name": name, "error": ""})
        await miner.closed()
        await self.user(name, "DELETE", status=404)
        await self.user(name, status=404)
        await self.change(name, 404, mode=None)
        again = self.new_miner(self.proxy, name)
        await again.connect()
        self.assertFalse(await again.log_in())
        self.assertEqual((await self.proxy.metrics()).get("proxy_shares_accepted_total", user=name), 3)
        self.assertNotEqual(await self.proxy.register(pool.address), name)

    async def test_workers_and_links_of_the_moment(self):
        pool, shared = await self.pool(), await self.pool()
        await self.proxy.add_pool(shared.address, mode="shared", fixed_difficulty=True)
        name = await self.account(self.proxy, pool)
        other = await self.proxy.register(shared.address)
        miner = await self.miner(self.proxy, name, "left", mask="1fffe000")
        others = [await self.miner(self.proxy, other, f"rig{i}") for i in range(3)]
        await miner.mine(2)
        await others[0].mine()

        rows = (await self.ask("GET", f"/api/v1/workers?user={name}"))["workers"]
        self.assertEqual(len(rows), 1)
        expected = {"worker": miner.source, "user": name, "rig": "left", "agent": miner.agent, "hash": "sha256d"}
        expected |= {"pool": pool.address, "up": True, "current": True, "difficulty": miner.difficulty}
        expected |= {"sent": 2, "accepted": 2, "rejected": 0, "unknown": 0}
        self.assertEqual({key: rows[0][key] for key in expected}, expected)
        self.assertEqual(rows[0]["version_mask"], miner.mask)
        self.assertEqual(len(rows[0]["session"]), 8)

        seen, after = [], ""
        while True:
            page = await self.ask("GET", "/api/v1/workers?limit=2" + (f"&after={after}" if after else ""))
            seen += [row["worker"] for row in page["workers"]]
            if not (after := page["next"]):
                break
        self.assertEqual(sorted(seen), sorted(each.source for each in [miner, *others]))
        await self.ask("GET", "/api/v1/workers?pool=nowhere", status=400)
        await self.ask("GET", "/api/v1/workers?page=2", status=400)

        links = (await self.ask("GET", "/api/v1/links"))["links"]
        kinds = {(row["user"], row["pool"], row["mode"], row["state"], row["route"], row["workers"]) for row in links}
        first, second = (name, pool.address, "dedicated"), (other, shared.address, "shared")
        self.assertEqual(kinds, {(*first, "live", 0, 1), (*second, "live", 0, 3)})
        chosen = (await self.ask("GET", f"/api/v1/links?pool={pool.address}"))["links"]
        self.assertEqual([row["user"] for row in chosen], [name])

        account = await self.user(other)
        self.assertEqual((account["workers"], account["pools"][0]["workers"], account["pools"][0]["share"]), (3, 3, 1))
        self.assertGreater(account["pools"][0]["work"], 0)
        others[1].close()

        async def gone():
            return (await self.user(other))["workers"] == 2

        await until(gone, "one worker less")

    async def test_pools_of_one_account_are_shown_with_what_they_got(self):
        first, second = await self.pool(), await self.pool()
        for each in first, second:
            await self.proxy.add_pool(each.address)
        name = await self.register(way(first.address), way(second.address))
        miner = await self.miner(self.proxy, name)
        await miner.mine(2)
        account = await self.user(name)
        rows = [(row["workers"], row["share"], row["usable"]) for row in account["pools"]]
        self.assertEqual(rows, [(1, 1, True), (0, 0, True)])
        moved = await self.change(name, pools=[way(second.address, password=None), way(first.address, password=None)])
        self.assertEqual([row["pool"] for row in moved["pools"]], [second.address, first.address])

        async def there():
            rows = (await self.user(name))["pools"]
            return [row["workers"] for row in rows] == [1, 0]

        await until(there, "the worker is at the new first pool")
        metrics = await self.proxy.metrics()
        self.assertEqual(metrics.get("proxy_route_workers", user=name, route="0", pool=second.address), 1)
        self.assertEqual(metrics.get("proxy_route_usable", user=name, route="1"), 1)
        self.assertEqual(metrics.sum("proxy_pool_switches_total", pool=first.address), 1)
        self.assertEqual(metrics.get("proxy_pool_state", pool=second.address, state="up"), 1)


if __name__ == "__main__":
    main()
