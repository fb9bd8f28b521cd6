"""Hostile pools."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import asyncio
import json
import socket

from bad_inputs import BadInputsTest, entries, evaluate
from fake_pool import IGNORE
from house import main
from waiting import at_most


class BadPools(BadInputsTest):
    async def test_pool_entries(self):
        listed = entries("pool")
        skip = {
            "tls": "has a test of its own: test_tls",
            "dns": "needs a name server of its own; nxdomain and the own address are tested below",
        }
        for entry in listed:
            name, pre = entry["name"], entry["pre"]
            if pre in skip:
                self.skipped[name] = skip[pre]
            elif name == "blackhole_established":
                self.skipped[name] = "needs a packet filter; a silent pool is tested in test_c_thirty_bugs (8)"
            elif name in ("blackhole_syn", "close_within_10ms_repeated"):
                self.skipped[name] = "has a test of its own below"
            else:
                with self.subTest(entry=name):
                    await self._pool_entry(entry)
                    self.done.append(name)
        await self.report(len(listed))

    async def _pool_entry(self, entry):
        name, pre = entry["name"], entry["pre"]
        parts = [s for s in evaluate(entry["input"])]
        # Alternatives of one reply are sent to one share each.
        alternatives = (
            [[p] for p in parts]
            if pre == "share_in_flight"
            and len(parts) > 1
            and all(isinstance(p, bytes) and p.endswith(b"\n") for p in parts)
            else [parts]
        )
        for steps in alternatives:
            pool = await self.pool(x1=4, n2=8)
            account = await self.account(self.proxy, pool, user="victim")
            miner = self.new_miner(self.proxy, account, rig="w1", agent="NiceHash/1.0.0", reconnect=True)
            try:
                await {
                    "connected": self._hostile_reply,
                    "authorized": self._hostile_push,
                    "share_in_flight": self._hostile_verdict,
                }[pre](name, steps, pool, miner)
                await self.neighbour_mines()
            finally:
                miner.close()
                await pool.close()

    @staticmethod
    def _say(connection, steps, request_id=None):
        for step in steps:
            if isinstance(step, bytes):
                data = step
                if request_id is not None:
                    data = data.replace(b'"id":5,', b'"id":%d,' % request_id).replace(
                        b'"id":"5"', b'"id":"%d"' % request_id
                    )
                    data = data.replace(b'"id":1,', b'"id":%d,' % request_id)
                connection.send_bytes(data)
            elif step[0] in ("rst", "close"):
                connection.drop(reset=step[0] == "rst")

    async def _hostile_reply(self, name, steps, pool, miner):
        """The pool's answer to the proxy's subscribe, the first time; later it behaves."""
        working = ("extranonce1_empty", "extranonce_space_too_small")  # odd, but one miner can mine with it

        def handler(connection, message):
            if connection.index:
                return False
            if name in working:
                connection.extranonce1, connection.extranonce2_size = json.loads(steps[0])["result"][1:]
            self._say(connection, steps, message["id"])
            return name not in ("notify_before_subscribe_result",)

        pool.on["mining.subscribe"] = handler
        await miner.connect()
        await miner.log_in()
        if name in working or name == "notify_before_subscribe_result":
            link = await pool.link()
        else:
            await pool.until(
                lambda: pool.connections and pool.connections[0].closed, "the proxy closes the hostile link"
            )
            link = await pool.until(
                lambda: next((c for c in pool.connections[1:] if c.ready), None), "another attempt"
            )
            for message in miner.messages:
                self.assertNotIn("f000000f", json.dumps(message))
        # A job of the hostile reply may have reached the miner first: the pool knows nothing of that one.
        coinb2 = link.notify().coinb2
        await miner.changes.until(lambda: miner.job and miner.job.job.coinb2 == coinb2, "a job")
        (share,) = await miner.mine()
        await self.shares_agree(pool, [share])

    async def _hostile_push(self, name, steps, pool, miner):
        await miner.start()
        link = await pool.link()
        (share,) = await miner.mine()
        self.assertEqual(share.verdict, "accepted")
        jobs, difficulty, shown = len(miner.job_log), miner.difficulty, len(miner.shown)
        first = miner.job
        if name == "notify_duplicate_job_id":
            await self._duplicate_job_id(link, steps, pool, miner)
            return
        self._say(link, steps)
        closing = name in ("notify_branch_10000", "line_300KiB_no_newline", "reconnect_empty_params")
        if closing:
            await pool.until(lambda: link.closed, "the proxy closes the link")
            link = await pool.until(
                lambda: next((c for c in pool.ready if c is not link), None), "another link"
            )
            await miner.changes.until(lambda: len(miner.job_log) > jobs, "the new link's job")
            (share,) = await miner.mine()
            self.assertEqual(share.verdict, "accepted")
            return
        if name == "set_extranonce_mid_job":
            link.extranonce1, link.extranonce2_size = "aabb", 2
            job = link.notify()
            await miner.changes.until(
                lambda: miner.connected
                and miner.job.job.coinb2 == job.coinb2
                and miner.job.extranonce1 == miner.extranonce1,
                "the job of the new extranonce",
            )
            (share,) = await miner.mine()
            self.assertEqual(share.verdict, "accepted")
            self.assertEqual(pool.submits[-1].coinbase, share.coinbase)
            return
        # A question whose answer comes after everything above has been dealt with.
        link.send({"id": 4711, "method": "mining.ping", "params": []})
        await pool.until(
            lambda: link.closed or any(r.get("id") == 4711 for r in link.responses), "the answer to a ping"
        )
        self.assertFalse(link.closed, "the link is closed")
        self.assertEqual((len(miner.job_log), miner.difficulty), (jobs, difficulty))
        self.assertFalse(
            [
                m
                for m in miner.messages
                if m.get("method") in ("client.reconnect", "mining.ping", "mining.submit")
            ]
        )
        if name == "show_message_ansi":
            for text in miner.shown[shown:]:
                self.assertTrue(len(text) <= 256 and text.isprintable(), repr(text))
        if name == "unknown_method":
            self.assertTrue(any(r.get("id") == 77 for r in link.responses))
        share = miner.submit(first)
        await at_most(share.reply, "a verdict")
        self.assertEqual(share.verdict, "accepted")
        self.assertEqual(pool.submits[-1].coinbase, share.coinbase)

    async def _duplicate_job_id(self, link, steps, pool, miner):
        before = len(miner.job_log)
        self._say(link, steps)
        await miner.changes.until(lambda: len(miner.job_log) >= before + 2, "both jobs")
        first, second = miner.job_log[before : before + 2]
        self.assertNotEqual(first.id, second.id)
        self.assertTrue(first.job.coinb1.startswith("01") and second.job.coinb1.startswith("03"))

    async def _hostile_verdict(self, name, steps, pool, miner):
        await miner.start()
        pool.verdict = lambda submit: IGNORE
        share = miner.submit()
        submit = await pool.until(lambda: pool.submits and pool.submits[-1], "the share at the pool")
        self._say(submit.connection, [s for s in steps if s != ("sleep", 65)], submit.id)
        reply = await at_most(share.reply, "a verdict")
        self.assertIsNotNone(reply)
        if name == "reply_twice":
            self.assertEqual(share.verdict, "accepted")
            metrics = await self.proxy.metrics_until(
                lambda m: m.sum("proxy_worker_accepted", user=miner.login.split(".")[0]) == 1,
                "one accepted share",
            )
            self.assertEqual(metrics.sum("proxy_worker_sended", user=miner.login.split(".")[0]), 1)
        elif name in ("reply_id_as_string", "reply_never", "rst_mid_reply"):
            self.assertEqual(share.verdict, "unknown", reply)
        else:
            self.assertEqual(share.verdict, "rejected", reply)
            code, text, trace = reply["error"]
            self.assertTrue(
                isinstance(code, int) and isinstance(text, str) and len(text) <= 256, reply["error"][:2]
            )

    async def test_blackhole_syn(self):
        """A pool whose machine swallows the SYN: others never notice."""
        trap = socket.socket()
        self.addCleanup(trap.close)
        trap.bind(("127.0.0.1", 0))
        trap.listen(0)
        fillers = []
        for _ in range(3):  # the queue of the listener is full; further SYNs are dropped
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(trap.getsockname())
            fillers.append(filler)
            self.addCleanup(filler.close)
        address = "127.0.0.1:%d" % trap.getsockname()[1]
        await self.proxy.add_pool(address)
        account = await self.proxy.register(address, "swallowed")
        miner = self.new_miner(self.proxy, account)
        await miner.connect()
        self.assertTrue(await miner.log_in())
        for _ in range(20):
            await self.neighbour_mines()
        metrics = await self.proxy.metrics()
        self.assertEqual(metrics.get("proxy_pool_up", pool=address), 0)

    async def test_a_pool_that_closes_at_once(self):
        pool = await self.pool()
        loop = asyncio.get_running_loop()
        moments = []

        def hang_up(connection):
            moments.append(loop.time())
            connection.drop()

        pool.on_connect = hang_up
        account = await self.account(self.proxy, pool, user="closed")
        miner = self.new_miner(self.proxy, account)
        await miner.connect()
        self.assertTrue(await miner.log_in())
        files = self.proxy.open_files()
        await pool.until(lambda: len(moments) >= 8, "eight attempts")
        self.assertGreater(moments[7] - moments[0], 0.4, "the back-off does not grow")
        self.assertLessEqual(self.proxy.open_files(), files + 2)
        await self.neighbour_mines()

    async def test_names_that_do_not_resolve_and_the_proxy_itself(self):
        for address in ("no-such-pool.invalid:3333", self.proxy.stratum):
            with self.subTest(pool=address):
                status, _ = await self.proxy.call(
                    "POST", "/api/v1/pools", {"pool": address, "algorithm": "sha256d"}
                )
                if status not in (200, 201):
                    continue  # refused right away: as good
                account = await self.proxy.register(address, "loop")
                if address == self.proxy.stratum:
                    account = await self.proxy.register(address, account)  # its own login at its own door
                miner = self.new_miner(self.proxy, account)
                await miner.connect()
                await miner.log_in()
                for _ in range(10):
                    await self.neighbour_mines()
                metrics = await self.proxy.metrics()
                self.assertLess(metrics.sum("proxy_connections"), 50)
                self.assertEqual(metrics.get("proxy_pool_up", pool=address), 0)


if __name__ == "__main__":
    main()
