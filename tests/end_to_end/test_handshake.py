"""The handshake in every order, from both sides; every form of its messages."""
import asyncio
import itertools
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from house import HouseTest, main
from waiting import SLOWNESS, at_most, figure
from wire import error_code

REQUESTS = {
    "configure": (
        "mining.configure",
        [
            ["version-rolling", "minimum-difficulty", "subscribe-extranonce", "info"],
            {
                "version-rolling.mask": "ffffffff",
                "version-rolling.min-bit-count": 2,
                "minimum-difficulty.value": 2048,
                "info.hw-version": "x",
            },
        ],
    ),
    "subscribe": ("mining.subscribe", ["order/1.0"]),
    "authorize": ("mining.authorize", None),
    "suggest": ("mining.suggest_difficulty", [512]),
    "extranonce": ("mining.extranonce.subscribe", []),
}
SUBSCRIBES = (  # every form of the parameters that has been seen
    [],
    ["ua/1"],
    ["ua/1", None],
    ["ua/1", "ae6812eb4cd7735a302a8a9dd95cf71f"],
    ["ua/1", None, "pool.example", 3333],
    ["ua/1", None, "pool.example", "3333"],
    ["ua/1", None, "pool.example:3333", None],
    ["pool.example", "3333", "ua/1", "NULL"],
    ["NiceHash/1.0.0", "1662637786319", "3e747837e632920e8cd11453c2558233e3822489a20d828fdf205a149b064afc"],
    None,
)


class Handshake(HouseTest):
    async def asyncSetUp(self):
        self.proxy = await self.daemon(threads=2, config={"upstream": {"configure_timeout_seconds": 2 * SLOWNESS}})
        self.farm = await self.pool()
        self.name = await self.account(self.proxy, self.farm)

    async def _all_in_one_write(self, order, number):
        miner = self.new_miner(self.proxy, self.name, f"o{number}")
        await miner.connect()
        replies = []
        for name in order:
            method, params = REQUESTS[name]
            replies.append(
                (
                    name,
                    miner.request(
                        method, params if params is not None else [miner.login, "x"], f"{name}-{number}"
                    ),
                )
            )
        for name, reply in replies:
            answer = await at_most(reply, f"a reply to {name}")
            self.assertIsNotNone(answer, name)
            self.assertIsNone(answer["error"], (name, answer))
            if name == "configure":
                self.assertEqual(
                    answer["result"],
                    {
                        "version-rolling": True,
                        "version-rolling.mask": "1fffe000",
                        "minimum-difficulty": False,
                        "subscribe-extranonce": True,
                        "info": True,
                    },
                )
            elif name != "subscribe":
                self.assertIs(answer["result"], True)
        ids = [message["id"] for message in miner.messages if "method" not in message]
        self.assertEqual(
            ids, [f"{name}-{number}" for name in order], "the replies keep the order of the requests"
        )
        await miner.next_job(0)
        kinds = [message.get("method") for message in miner.messages]
        self.assertLess(kinds.index("mining.set_difficulty"), kinds.index("mining.notify"))
        share = miner.submit(version="00002000")
        await self.shares_agree(self.farm, [share])
        miner.close()

    async def test_every_order_in_one_write(self):
        orders = list(itertools.permutations(REQUESTS))
        for number, order in enumerate(orders[:: figure(4, 1)]):
            with self.subTest(order=order):
                await self._all_in_one_write(order, number)

    async def test_every_form_of_subscribe(self):
        for number, params in enumerate(SUBSCRIBES):
            with self.subTest(params=params):
                miner = self.new_miner(self.proxy, self.name, f"s{number}")
                await miner.connect()
                reply = await miner.ask("mining.subscribe", params)
                self.assertIsNone(reply["error"])
                subscriptions, extranonce1, size = reply["result"]
                self.assertEqual(
                    [name for name, _ in subscriptions], ["mining.set_difficulty", "mining.notify"]
                )
                self.assertTrue(extranonce1 and size >= 2)
                self.assertIs((await at_most(miner.authorize(), "a reply"))["result"], True)
                await miner.next_job(0)
                await self.shares_agree(self.farm, [miner.submit()])
                miner.close()

    async def test_the_other_methods_are_answered(self):
        miner = await self.miner(self.proxy, self.name)
        self.assertEqual((await miner.ask("mining.ping", []))["result"], "pong")
        for method, params in (
            ("mining.multi_version", [4]),
            ("mining.capabilities", [{"notify": []}]),
            ("mining.suggest_target", ["00000000ffff" + "0" * 52]),
            ("mining.get_transactions", ["1"]),
            ("mining.term", []),
            ("mining.authorize_admin", ["x"]),
            ("made.up", {"a": 1}),
        ):
            with self.subTest(method=method):
                reply = await miner.ask(method, params)
                self.assertLessEqual({"id", "result", "error"}, set(reply))
        link = await self.farm.link()
        self.assertFalse(
            [
                m
                for m in link.requests
                if m["method"]
                not in (
                    "mining.configure",
                    "mining.subscribe",
                    "mining.authorize",
                    "mining.extranonce.subscribe",
                    "mining.suggest_difficulty",
                )
            ]
        )
        await self.shares_agree(self.farm, [miner.submit()])

    async def test_logins_of_every_form(self):
        for rig, seen in (
            ("", "wallet"),
            (".a", "wallet.a"),
            ("_b", "wallet.b"),
            ("/c", "wallet.c"),
            ("+d", "wallet.d"),
            (".we!rd rig", None),
            ("." + "x" * 60, "wallet." + "x" * 32),
        ):
            with self.subTest(rig=rig):
                miner = self.new_miner(self.proxy, self.name + rig, "")
                await miner.start()
                user = self.farm.connections[-1].users[0]
                if seen:
                    self.assertEqual(user, seen)
                self.assertRegex(user, r"^wallet(\.[A-Za-z0-9_-]{1,32})?$")
                await self.shares_agree(self.farm, [miner.submit()])
                miner.close()
        whole = await self.account(self.proxy, self.farm, user="bc1qabc.worker7")
        miner = await self.miner(self.proxy, whole, "other")
        self.assertEqual(self.farm.connections[-1].users, ["bc1qabc.worker7"])
        await self.shares_agree(self.farm, [miner.submit()])

    async def test_several_rigs_on_one_connection(self):
        miner = await self.miner(self.proxy, self.name, "one")
        for rig in ("two", "three"):
            self.assertIs((await at_most(miner.authorize(f"{self.name}.{rig}"), "a reply"))["result"], True)
        for rig in ("one", "two", "three"):
            await self.shares_agree(self.farm, [miner.submit(worker=f"{self.name}.{rig}")])
        for worker in ("", "one", self.name):
            await self.shares_agree(self.farm, [miner.submit(worker=worker)])
        self.assertEqual(len(self.farm.connections), 1)
        self.assertEqual(
            len(set(s.user for s in self.farm.submits) - set(self.farm.connections[0].users)),
            0,
            "the pool only knows the names that were authorized",
        )

    async def test_ids_come_back_with_value_and_type(self):
        miner = await self.miner(self.proxy, self.name)
        for request_id in (0, -7, 32249, "auth", "txlist211130548596", 1.5, 18446744073709551615, ""):
            share = miner.submit(request_id=request_id)
            reply = await at_most(share.reply, f"a reply with the id {request_id!r}")
            self.assertEqual((reply["id"], type(reply["id"])), (request_id, type(request_id)))
        first, second = miner.submit(request_id=4), miner.submit(request_id=4)
        await self.shares_agree(self.farm, [first, second])

    # The pool's side

    async def _works_at(self, pool, **options):
        name = await self.account(self.proxy, pool, user="side")
        miner = self.new_miner(self.proxy, name, mask="ffffffff", **options)
        await miner.start()
        await self.shares_agree(pool, [miner.submit()])
        miner.close()
        return miner

    async def test_a_pool_that_never_answers_configure(self):
        pool = await self.pool()
        pool.on["mining.configure"] = lambda c, m: True
        await self._works_at(pool)

    async def test_a_pool_that_answers_configure_last(self):
        pool = await self.pool()
        held = []
        pool.on["mining.configure"] = lambda c, m: held.append((c, m)) or True

        def authorize(c, m):
            c._authorize(m)
            for connection, message in held:
                connection._configure(message)
            return True

        pool.on["mining.authorize"] = authorize
        await self._works_at(pool)

    async def test_a_pool_that_speaks_before_it_is_asked(self):
        pool = await self.pool()

        def subscribe(c, m):
            c.set_difficulty(2048)
            c.notify()
            c._subscribe(m)
            return True

        pool.on["mining.subscribe"] = subscribe
        pool.difficulty, pool.send_jobs = None, False
        miner = await self._works_at(pool)
        self.assertEqual(miner.difficulty, 2048)

    async def test_a_pool_that_knows_no_session_and_no_agent(self):
        pool = await self.pool()

        def subscribe(c, m):
            if m["params"]:
                c.reply(m["id"], None, [20, "Other/Unknown", None])
                return True
            return False

        pool.on["mining.subscribe"] = subscribe
        await self._works_at(pool)

    async def test_pools_that_answer_subscribe_in_odd_shapes(self):
        shapes = {
            "one pair": [["mining.notify", "s"]],
            "flat": ["mining.notify", "s"],
            "empty": [],
            "null": None,
            "other order": [["mining.notify", "s"], ["mining.set_difficulty", "t"]],
        }
        for name, subscriptions in shapes.items():
            with self.subTest(shape=name):
                pool = await self.pool()
                pool.on["mining.subscribe"] = (
                    lambda c, m, s=subscriptions: c.reply(m["id"], [s, c.extranonce1, 8]) or True
                )
                await self._works_at(pool)

    async def test_a_pool_that_answers_authorize_with_null_or_without_an_error(self):
        for reply in ({"result": None, "error": None}, {"result": [], "error": None}, {"result": True}):
            pool = await self.pool()

            def authorize(c, m, reply=reply):
                c.users.append(m["params"][0])
                c.ready = True
                c.send({"id": m["id"]} | reply)
                c.set_difficulty(1024)
                c.notify()
                return True

            pool.on["mining.authorize"] = authorize
            with self.subTest(reply=reply):
                await self._works_at(pool)


class Refusals(HouseTest):
    async def test_a_refused_login_is_told_and_remembered(self):
        daemon = await self.daemon(
            config={
                "session": {"hold_seconds": 4 * SLOWNESS},
                "upstream": {"refusal_min_seconds": 30, "refusal_max_seconds": 60},
            }
        )
        pool = await self.pool(authorize=lambda user: [24, "no such wallet", None])
        account = await self.account(daemon, pool)
        first = self.new_miner(daemon, account)
        await first.connect()
        await first.log_in()
        await first.changes.until(
            lambda: any("no such wallet" in text for text in first.shown) or not first.connected,
            "the pool's refusal",
        )
        self.assertTrue(any("no such wallet" in text for text in first.shown), first.messages)
        await first.closed()
        tries = len(pool.connections)
        for _ in range(3):
            second = self.new_miner(daemon, account)
            await second.connect()
            self.assertFalse(await second.log_in())
            self.assertEqual(error_code(second.last_authorize), 24)
            self.assertIs(second.last_authorize["result"], False)
            self.assertIn("no such wallet", second.last_authorize["error"][1])
        self.assertLessEqual(len(pool.connections), tries + 1)
        metrics = await daemon.metrics()
        self.assertGreaterEqual(metrics.sum("proxy_link_refused_logins_total", pool=pool.address), 1)

    async def test_without_any_pool_a_worker_is_held_told_and_closed(self):
        daemon = await self.daemon(config={"session": {"hold_seconds": 1}})
        pool = await self.pool()
        account = await self.account(daemon, pool)
        await pool.stop_listening()
        miner = self.new_miner(daemon, account)
        await miner.connect()
        self.assertTrue(await miner.log_in())
        await miner.closed()
        self.assertTrue(miner.shown, "the worker is told why")
        self.assertFalse(miner.job_log, "no fake work")

    async def test_a_crowd_with_one_refused_login_probes_with_one_link(self):
        daemon = await self.daemon(
            config={
                "session": {"hold_seconds": 4 * SLOWNESS},
                "upstream": {"refusal_min_seconds": 30, "refusal_max_seconds": 60},
            }
        )
        pool = await self.pool(authorize=lambda user: [24, "refused", None])
        account = await self.account(daemon, pool)
        probe = self.new_miner(daemon, account)
        await probe.connect()
        await probe.log_in()
        await probe.changes.until(lambda: probe.shown or not probe.connected, "the refusal")
        before = len(pool.connections)
        farm = [self.new_miner(daemon, account) for _ in range(20)]
        await asyncio.gather(*(miner.connect() for miner in farm))
        logins = await asyncio.gather(*(miner.log_in() for miner in farm))
        self.assertFalse(any(logins))
        self.assertLessEqual(len(pool.connections) - before, 1)


if __name__ == "__main__":
    main()
