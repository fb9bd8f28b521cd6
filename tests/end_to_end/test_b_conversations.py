"""Conversations of real pools and miners pass through the daemon, however their bytes are cut."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from conversation import Play, load
from fake_miner import FakeMiner
from house import SHARED, SOURCE, HouseTest, main

ALGORITHMS = {"scrypt-": "scrypt", "skein-": "skein", "lbry-": "lbry"}
BITCOIN = ("bch-", "btc-", "doc-bip310", "scrypt-", "skein-", "nicehash-hmac-subscribe")
OTHERS = {  # why a recording is not of the Bitcoin dialect, and whether its first line shows it
    "alephium-": "Alephium",
    "ckb-": "CKB",
    "decred-": "Decred",
    "doc-aeternity": "Aeternity",
    "doc-beam-": "Beam",
    "doc-eth-": "eth-proxy",
    "doc-ethereumstratum-1": "EthereumStratum/1",
    "doc-ethereumstratum-2": "EthereumStratum/2",
    "doc-grin-": "Grin",
    "doc-ironfish-": "IronFish",
    "doc-kadena-": "Kadena",
    "doc-kawpow-": "KawPow",
    "doc-kheavyhash-": "Kaspa",
    "doc-monero-": "CryptoNote",
    "doc-octopus-": "Octopus",
    "doc-xelis-": "Xelis",
    "etc-": "EthereumStratum/1",
    "eth-": "Ethereum",
    "ethashb3-": "EthereumStratum/1",
    "ethproxy-": "eth-proxy",
    "hns-": "Handshake",
    "hush-": "Equihash",
    "kadena-": "Kadena",
    "kaspa-": "Kaspa",
    "kawpow-": "KawPow",
    "nicehash-xmr-": "CryptoNote",
    "pcap-ndpi-mining-1": "eth-proxy",
    "pcap-ndpi-mining-2": "CryptoNote",
    "pcap-ndpi-mining-3": "Zcash",
    "vds-": "Equihash",
    "xmr-": "CryptoNote",
    "zec-": "Zcash",
}


def recorded():
    folder = SHARED / "recorded"
    return (
        sorted(path for path in folder.glob("*.jsonl") if not path.name.startswith("verifiable_"))
        if folder.is_dir()
        else []
    )


def own():
    return sorted((SOURCE / "tests" / "conversation").glob("*.jsonl"))


class Conversations(HouseTest):
    async def _play_all(self, paths, framing, seed=1):
        daemon = await self.daemon()
        submits = local = 0
        for path in paths:
            with self.subTest(conversation=path.stem, framing=framing):
                algorithm = next(
                    (a for prefix, a in ALGORITHMS.items() if path.name.startswith(prefix)), "sha256d"
                )
                index = 3 if algorithm == "lbry" else 2
                pool = await self.pool(framing=framing, seed=seed)
                account = await self.account(daemon, pool, algorithm=algorithm)
                miner = FakeMiner(
                    daemon.stratum, f"{account}.rig", framing=framing, seed=seed, coinb1_index=index
                )
                try:
                    play = Play(load(path), self, pool, miner, index)
                    await play.play()
                    submits += play.submits
                    local += play.local
                finally:
                    miner.close()
                    await pool.close()
        self.say(
            f"{len(paths)} conversations, {framing}: {submits} shares, {local} of them refused by the proxy as by the pool"
        )

    def _recorded(self):
        paths = [path for path in recorded() if path.name.startswith(BITCOIN)]
        if not paths:
            self.skipTest(f"no recordings at {SHARED}")
        return paths

    async def test_recorded_whole(self):
        await self._play_all(self._recorded(), "whole")

    async def test_recorded_byte_by_byte(self):
        await self._play_all(self._recorded(), "bytes")

    async def test_recorded_randomly_split(self):
        for seed in (1, 2, 3):
            await self._play_all(self._recorded(), "random", seed)

    async def test_own_whole(self):
        await self._play_all(own(), "whole")

    async def test_own_byte_by_byte(self):
        await self._play_all(own(), "bytes")

    async def test_own_randomly_split(self):
        for seed in (4, 5, 6):
            await self._play_all(own(), "random", seed)

    def test_every_recording_has_a_place(self):
        for path in recorded():
            if not path.name.startswith(BITCOIN):
                reason = next((name for prefix, name in OTHERS.items() if path.name.startswith(prefix)), None)
                self.assertIsNotNone(reason, path.name)
                self.say(f"skipped {path.name}: the dialect {reason} is not built")

    async def test_another_dialect_gets_one_readable_error_and_a_close(self):
        daemon = await self.daemon()
        first_lines = {
            "eth-proxy": {
                "id": 1,
                "jsonrpc": "2.0",
                "method": "eth_submitLogin",
                "params": ["0x00"],
                "worker": "rig",
            },
            "eth-proxy work": {"id": 2, "method": "eth_getWork", "params": []},
            "CryptoNote": {
                "id": 3,
                "jsonrpc": "2.0",
                "method": "login",
                "params": {"login": "x", "pass": "y", "agent": "z"},
            },
            "EthereumStratum/1": {
                "id": 4,
                "method": "mining.subscribe",
                "params": ["kit/1.0", "EthereumStratum/1.0.0"],
            },
            "EthereumStratum/2": {
                "id": 5,
                "method": "mining.hello",
                "params": {"agent": "kit/1.0", "proto": "EthereumStratum/2.0.0"},
            },
        }
        for name, line in first_lines.items():
            with self.subTest(dialect=name):
                miner = FakeMiner(daemon.stratum, "nobody")
                await miner.connect()
                miner.send(line)
                await miner.closed()
                self.assertEqual(len(miner.messages), 1)
                (reply,) = miner.messages
                self.assertEqual(reply["id"], line["id"])
                self.assertTrue(reply["error"])
                if "jsonrpc" in line or name == "EthereumStratum/2":
                    self.assertTrue(
                        isinstance(reply["error"], dict)
                        and reply["error"]["message"]
                        or isinstance(reply["error"], list)
                    )
        recordings = [p for p in recorded() if not p.name.startswith(BITCOIN)]
        for path in recordings:
            first = next((m for m in load(path).miner() if isinstance(m, dict)), None)
            recognisable = first and (
                str(first.get("method", "")).startswith(("eth_", "login", "mining.hello"))
                or "EthereumStratum/1" in str(first.get("params"))
            )
            if not recognisable:
                continue
            with self.subTest(recording=path.stem):
                miner = FakeMiner(daemon.stratum, "nobody")
                await miner.connect()
                miner.send(first)
                await miner.closed()
                self.assertEqual(len([m for m in miner.messages if m.get("error")]), 1, miner.messages)


if __name__ == "__main__":
    main()
