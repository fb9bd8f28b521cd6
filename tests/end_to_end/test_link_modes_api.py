"""What the API takes and refuses of link modes, checks and difficulties, and that it is kept."""
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from canaries import POOL_PASSWORD
from house import HouseTest, main

DEFAULTS = {"mode": "dedicated", "verify": "basic", "vardiff": False, "fixed_difficulty": False, "rig_logins": False}
# sha256d and scrypt have a hash function, x11 has none.
GOOD = [
    ("sha256d", {}),
    ("sha256", {"verify": "off", "rig_logins": True}),
    ("sha256d", {"verify": "full", "vardiff": True}),
    ("scrypt", {"mode": "shared", "verify": "full"}),
    ("sha256d", {"mode": "shared", "verify": "full", "vardiff": True, "rig_logins": True}),
    ("sha256d", {"mode": "shared", "fixed_difficulty": True}),
    ("x11", {"mode": "shared", "verify": "off", "fixed_difficulty": True}),
]
BAD = [
    (422, "sha256d", {"mode": "shared"}, "verify = full"),
    (422, "sha256d", {"mode": "shared", "verify": "off"}, "verify = full"),
    (422, "x11", {"mode": "shared"}, "no hash function is known for x11"),
    (422, "x11", {"verify": "full"}, "no hash function is known for x11"),
    (422, "x11", {"mode": "shared", "verify": "full", "fixed_difficulty": True}, "no hash function is known for x11"),
    (422, "x11", {"vardiff": True}, "no hash function is known for x11"),
    (422, "sha256d", {"vardiff": True}, "verify = full"),
    (422, "sha256d", {"verify": "full", "vardiff": True, "fixed_difficulty": True}, "exclude"),
    (404, "no-such-algorithm", {"mode": "shared"}, "unknown algorithm"),
    (400, "sha256d", {"mode": "both"}, "mode"),
    (400, "sha256d", {"verify": True}, "verify"),
    (400, "sha256d", {"vardiff": "true"}, "vardiff"),
    (400, "sha256d", {"fixed_difficulty": 1}, "fixed_difficulty"),
    (400, "sha256d", {"rig_logins": None}, "rig_logins"),
]


class LinkModesApi(HouseTest):
    async def post(self, daemon, path, **body):
        status, text = await daemon.call("POST", path, body)
        answer = json.loads(text)
        self.assertEqual(bool(answer["name"]), status == 201, text)
        self.assertEqual(bool(answer["error"]), status != 201, text)
        return status, answer

    async def add_pool(self, daemon, pool, algorithm, **more):
        return await self.post(daemon, "/api/v1/pools", pool=pool, algorithm=algorithm, **more)

    async def register(self, daemon, pool, user, **more):
        return await self.post(daemon, "/api/v1/users", pool=pool, user=user, password=POOL_PASSWORD, **more)

    async def pools(self, daemon):
        status, text = await daemon.call("GET", "/api/v1/pools")
        self.assertEqual(status, 200, text)
        return {row["pool"]: {key: row[key] for key in DEFAULTS} for row in json.loads(text)["pools"]}

    async def test_good_values_are_kept_and_bad_ones_are_refused_with_the_reason(self):
        daemon = await self.daemon()
        seeded = await self.pools(daemon)
        self.assertGreaterEqual(len(seeded), 30)
        self.assertTrue(all(values == DEFAULTS for values in seeded.values()))
        for number, (status, algorithm, values, reason) in enumerate(BAD):
            with self.subTest(algorithm=algorithm, values=values):
                got, answer = await self.add_pool(daemon, f"bad{number}.example:1", algorithm, **values)
                self.assertEqual(got, status, answer)
                self.assertIn(reason, answer["error"])
        self.assertEqual(await self.pools(daemon), seeded)

        expected = dict(seeded)
        for number, (algorithm, values) in enumerate(GOOD):
            with self.subTest(algorithm=algorithm, values=values):
                pool = f"good{number}.example:1"
                self.assertEqual((await self.add_pool(daemon, pool, algorithm, **values))[0], 201)
                expected[pool] = DEFAULTS | values
                # Again, with nothing said and with all of it: the same row. With another value: a conflict.
                self.assertEqual((await self.add_pool(daemon, pool, algorithm))[0], 201)
                self.assertEqual((await self.add_pool(daemon, pool, algorithm, **expected[pool]))[0], 201)
                other = not expected[pool]["rig_logins"]
                self.assertEqual((await self.add_pool(daemon, pool, algorithm, rig_logins=other))[0], 409)
        self.assertEqual(await self.pools(daemon), expected)
        self.assertEqual(await daemon.stop(), 0)
        await daemon.restart()
        self.assertEqual(await self.pools(daemon), expected)

    async def test_an_account_has_its_own_mode_or_its_pools(self):
        daemon = await self.daemon()
        for pool, values in (("plain.example:1", {}), ("full.example:1", {"verify": "full"})):
            self.assertEqual((await self.add_pool(daemon, pool, "sha256d", **values))[0], 201)
        status, answer = await self.register(daemon, "plain.example:1", "u", mode="shared")
        self.assertEqual(status, 422)
        self.assertIn("plain.example:1", answer["error"])
        self.assertIn("verify = full", answer["error"])
        self.assertEqual((await self.register(daemon, "plain.example:1", "u", mode="dedicated"))[0], 201)
        self.assertEqual((await self.register(daemon, "plain.example:1", "u", mode="both"))[0], 400)

        made = await self.register(daemon, "full.example:1", "u", mode="shared")
        self.assertEqual(made[0], 201)
        self.assertEqual(await self.register(daemon, "full.example:1", "u", mode="shared"), made)
        self.assertEqual(await self.register(daemon, "full.example:1", "u"), made)
        self.assertEqual((await self.register(daemon, "full.example:1", "u", mode="dedicated"))[0], 409)
        plain = await self.register(daemon, "full.example:1", "v")
        self.assertEqual((await self.register(daemon, "full.example:1", "v", mode="shared"))[0], 409)
        self.assertEqual(await self.register(daemon, "full.example:1", "v"), plain)

    async def test_links_are_counted_by_their_mode(self):
        daemon = await self.daemon()
        pool = await self.pool()
        await self.miner(daemon, await self.account(daemon, pool))
        metrics = await daemon.metrics_until(
            lambda m: m.get("proxy_links", pool=pool.address, mode="dedicated", state="live") == 1, "the link"
        )
        self.assertEqual(metrics.sum("proxy_links", pool=pool.address, mode="shared"), 0)
        self.assertEqual(metrics.sum("proxy_links", pool=pool.address), 1)
        self.assertEqual(metrics.get("proxy_shares_held_back_total", pool=pool.address), 0)
        self.assertEqual(metrics.get("proxy_shares_unchecked_total", pool=pool.address), 0)


if __name__ == "__main__":
    main()
