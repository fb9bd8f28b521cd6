"""Where miners connect: several addresses, IPv6, and behind a HAProxy that says who they are."""
import asyncio
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from house import HouseTest, main
from waiting import LIMIT, at_most


class Listeners(HouseTest):
    async def workers(self, daemon, count, label="worker"):
        """The addresses of the workers that mine, or another label of theirs."""
        metrics = await daemon.metrics_until(
            lambda m: len(m.all("proxy_worker_up")) == count, f"{count} workers in the metrics"
        )
        return {labels[label] for labels, _ in metrics.all("proxy_worker_up")}

    async def mine(self, pool, miners):
        shares = [share for miner in miners for share in await miner.mine()]
        await self.shares_agree(pool, shares)

    async def test_miners_on_all_addresses_of_both_families(self):
        daemon = await self.daemon(
            stratum="127.0.0.1:0", threads=2, config={"stratum": {"listen": [{"addr": "[::1]:0"}, {"addr": "[::]:0"}]}}
        )
        pool = await self.pool()
        account = await self.account(daemon, pool)
        self.assertEqual(len(daemon.listeners), 2)
        v6, both = daemon.listeners
        port = both.rpartition(":")[2]
        miners = [
            await self.miner(daemon, account, f"rig{number}", at=address)
            for number, address in enumerate((daemon.stratum, v6, f"127.0.0.1:{port}", f"[::1]:{port}"))
        ]
        await self.mine(pool, miners)
        self.assertEqual(await self.workers(daemon, 4), {miner.source for miner in miners})
        self.assertEqual(await self.workers(daemon, 4, "proxy"), {daemon.stratum})

    async def test_a_first_address_of_ipv6(self):
        daemon = await self.daemon(stratum="[::1]:0")
        self.assertRegex(daemon.stratum, r"^\[::1\]:\d+$")
        pool = await self.pool()
        miner = await self.miner(daemon, await self.account(daemon, pool))
        await self.mine(pool, [miner])
        self.assertEqual(await self.workers(daemon, 1, "proxy"), {daemon.stratum})

    async def test_behind_haproxy_the_worker_is_the_miner(self):
        daemon = await self.daemon(
            threads=2,
            config={
                "stratum": {
                    "proxy_protocol_from": ["127.0.0.1"],
                    "listen": [{"addr": "127.0.0.1:0"}, {"addr": "[::1]:0", "proxy_protocol_from": ["::1"]}],
                }
            },
        )
        pool = await self.pool()
        account = await self.account(daemon, pool)
        plain, v6 = daemon.listeners
        ways = [
            await self.haproxy(daemon.stratum, header="send-proxy"),
            await self.haproxy(daemon.stratum, header="send-proxy-v2 proxy-v2-options crc32c"),
            await self.haproxy(daemon.stratum, header="send-proxy-v2", host="::1"),
            await self.haproxy(v6, header="send-proxy"),
            await self.haproxy(v6, header="send-proxy-v2", host="::1"),
        ]
        miners = [
            await self.miner(daemon, account, f"rig{number}", at=address)
            for number, address in enumerate([way.address for way in ways] + [plain])
        ]
        await self.mine(pool, miners)
        self.assertEqual(await self.workers(daemon, 6), {miner.source for miner in miners})

    async def test_health_checks_of_haproxy_are_no_refusals(self):
        daemon = await self.daemon(config={"stratum": {"proxy_protocol_from": ["127.0.0.1"]}})
        pool = await self.pool()
        account = await self.account(daemon, pool)
        way = await self.haproxy(daemon.stratum, options="check inter 50ms")
        miner = await self.miner(daemon, account, at=way.address)
        await daemon.metrics_until(lambda m: m.sum("proxy_connections_accepted_total") > 5, "health checks")
        await self.mine(pool, [miner])
        metrics = await daemon.metrics()
        self.assertEqual(metrics.get("proxy_connections_refused_total", reason="proxy_header"), 0)

    async def test_a_ban_is_for_the_miner_behind_haproxy(self):
        daemon = await self.daemon(config={"stratum": {"proxy_protocol_from": ["127.0.0.1"]}})
        pool = await self.pool()
        account = await self.account(daemon, pool)
        v4 = await self.haproxy(daemon.stratum)
        v6 = await self.haproxy(daemon.stratum, host="::1")
        miner = await self.miner(daemon, account, "rig1", at=v6.address)
        status, text = await daemon.call("POST", "/api/v1/bans", {"subject": "::1", "reason": "test", "force": True})
        self.assertEqual(status, 201, text)
        await miner.closed()
        other = await self.miner(daemon, account, "rig2", at=v4.address)
        await self.mine(pool, [other])

    async def test_who_has_to_say_who_he_is_and_does_not(self):
        daemon = await self.daemon(config={"stratum": {"proxy_protocol_from": ["127.0.0.1"], "listen": [{"addr": "127.0.0.1:0"}]}})
        pool = await self.pool()
        account = await self.account(daemon, pool)
        for address, words in (
            (daemon.stratum, b'{"id":1,"method":"mining.subscribe","params":[]}\n'),
            (daemon.listeners[0], b"PROXY TCP4 192.0.2.7 192.0.2.1 1 2\r\n" + b'{"id":1,"method":"mining.subscribe","params":[]}\n'),
        ):
            host, _, port = address.rpartition(":")
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(words)
            try:
                answer = await at_most(reader.read(), f"the end of a connection to {address}", LIMIT)
            except ConnectionError:
                answer = b""
            self.assertNotIn(b"mining.notify", answer)
            writer.close()
        await daemon.metrics_until(lambda m: m.get("proxy_connections_refused_total", reason="proxy_header") == 1, "the refusal")
        self.assertIn("proxy_header_missing", daemon.log_text())
        await self.mine(pool, [await self.miner(daemon, account, at=daemon.listeners[0])])


if __name__ == "__main__":
    main()
