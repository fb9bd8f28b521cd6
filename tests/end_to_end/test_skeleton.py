"""One share through the whole house."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from canaries import POOL_PASSWORD
from house import HouseTest, main


class Skeleton(HouseTest):
    async def test_one_share_through_the_whole_house(self):
        daemon = await self.daemon(tag="skeleton")
        pool = await self.pool()
        account = await self.account(daemon, pool)
        self.assertRegex(account, r"^[0-9a-f]{16}$")
        miner = await self.miner(daemon, account)
        link = await pool.link()
        self.assertEqual(link.users, ["wallet.rig1"])
        self.assertEqual(link.passwords, [POOL_PASSWORD])
        self.assertTrue(link.agent.startswith("stratumproxy/"), link.agent)
        (share,) = await miner.mine()
        await self.shares_agree(pool, [share])
        (submit,) = pool.submits
        self.assertEqual(submit.user, "wallet.rig1")
        self.assertEqual(len(submit.extranonce2), 2 * pool.extranonce2_size)
        labels = {
            "proxy": "skeleton",
            "worker": miner.source,
            "user": account,
            "hash": "sha256d",
            "pool": pool.address,
        }
        metrics = await daemon.metrics_until(
            lambda m: m.get("proxy_worker_accepted", **labels) == 1, "the accepted share"
        )
        self.assertEqual(metrics.get("proxy_worker_sended", **labels), 1)
        self.assertEqual(metrics.get("proxy_worker_one_accepted", **labels), 1024)
        self.assertEqual(metrics.get("proxy_worker_up", proxy="skeleton", worker=miner.source, user=account), 1)
        self.assertEqual(metrics.get("proxy_pool_up", proxy="skeleton", hash="sha256d", pool=pool.address), 1)
        self.assertEqual(
            metrics.get("proxy_pool_divider", proxy="skeleton", hash="sha256d", pool=pool.address), 1
        )

    async def test_health_and_readiness(self):
        daemon = await self.daemon()
        for path in ("/healthz", "/readyz"):
            status, _ = await daemon.call("GET", path, token=None)
            self.assertEqual(status, 200, path)


if __name__ == "__main__":
    main()
