"""What operators do with what runs, over the API: look, disconnect, move, ban, reload; on one proxy, and on two with one database."""
import json
import pathlib
import signal
import sys
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from canaries import WEB_TOKEN
from house import HouseTest, main
from waiting import at_most, until


class OperationsApi(HouseTest):
    async def asyncSetUp(self):
        self.proxy = await self.daemon()
        self.farm, self.other = await self.pool(), await self.pool()
        self.name = await self.account(self.proxy, self.farm)
        self.second = await self.account(self.proxy, self.other)

    async def ask(self, method, path, body=None, status=200, proxy=None):
        got, text = await (proxy or self.proxy).call(method, path, body)
        self.assertEqual(got, status, text)
        answer = json.loads(text)
        self.assertEqual(bool(answer["error"]), status >= 400, text)
        return answer

    @staticmethod
    def path(kind, key, more=""):
        return f"/api/v1/{kind}/{urllib.parse.quote(key, safe='')}{more}"

    async def worker(self, miner):
        (row,) = (await self.ask("GET", self.path("workers", miner.source)))["workers"]
        return row

    async def test_a_worker_is_shown_disconnected_and_gone(self):
        rig = await self.miner(self.proxy, self.name)
        row = await self.worker(rig)
        self.assertEqual((row["worker"], row["user"], row["mark"]), (rig.source, self.name, rig.extranonce1))
        self.assertEqual((row["miner_bytes"], row["last_share_seconds"]), (rig.extranonce2_size, None))
        (share,) = await rig.mine()
        await self.shares_agree(self.farm, [share])
        self.assertGreaterEqual((await self.worker(rig))["last_share_seconds"], 0)
        await self.ask("DELETE", f"/api/v1/workers/{rig.source}")
        await rig.closed()
        self.assertIn("closing: an operator disconnected this worker", rig.shown)
        await self.ask("DELETE", self.path("workers", rig.source), status=404)
        await self.ask("GET", self.path("workers", rig.source), status=404)
        self.assertEqual((await self.ask("GET", "/api/v1/sessions"))["sessions"], [])
        metrics = await self.proxy.metrics()
        self.assertEqual(metrics.get("proxy_connections_closed_total", reason="operator"), 1)

    async def test_a_worker_is_moved_and_mines_on_without_noticing_more_than_a_job(self):
        rig = await self.miner(self.proxy, self.name)
        move = self.path("workers", rig.source, "/move")
        seen = len(rig.job_log)
        await self.ask("POST", move, {"user": self.second})
        await rig.next_job(seen)
        (share,) = await rig.mine()
        await self.shares_agree(self.other, [share])
        self.assertEqual((await self.worker(rig))["user"], self.second)
        self.assertEqual(rig.connects, 1)
        await self.proxy.add_pool("s.example:1", "scrypt")
        scrypt = await self.proxy.register("s.example:1")
        await self.ask("POST", move, {"user": scrypt}, 422)
        await self.ask("POST", move, {"user": "0" * 16}, 404)
        await self.ask("POST", self.path("workers", "10.0.0.1:1", "/move"), {"user": self.name}, 404)
        # Its own next login wins.
        seen = len(rig.job_log)
        self.assertIs((await at_most(rig.authorize(), "the login"))["result"], True)
        await rig.next_job(seen)
        (share,) = await rig.mine()
        await self.shares_agree(self.farm, [share])

    async def test_a_kept_session_is_listed_until_it_comes_back(self):
        rig = await self.miner(self.proxy, self.name)
        rig.reset()

        async def kept():
            return (await self.ask("GET", f"/api/v1/sessions?user={self.name}"))["sessions"]

        (row,) = await until(kept, "the kept session")
        self.assertEqual((row["worker"], row["user"], row["rig"], row["pool"]), (rig.source, self.name, "rig1", self.farm.address))
        self.assertLessEqual(row["kept_seconds"] + row["expires_seconds"], 60.1)
        again = await self.miner(self.proxy, self.name, session=rig.session)
        self.assertEqual(await kept(), [])
        self.assertTrue(again.ready)

    async def test_a_banned_account_is_let_go_and_refused_until_the_ban_is_lifted(self):
        rig, other = await self.miner(self.proxy, self.name), await self.miner(self.proxy, self.second)
        await self.ask("POST", "/api/v1/bans", {"subject": self.name, "reason": "did not pay"}, 201)
        await rig.closed()
        self.assertIn("closing: banned: did not pay", rig.shown)
        refused = self.new_miner(self.proxy, self.name)
        await refused.connect()
        self.assertFalse(await refused.log_in())
        self.assertEqual(refused.last_authorize["error"][:2], [24, "banned: did not pay"])
        self.assertEqual((await self.ask("GET", "/api/v1/status"))["bans"], 1)
        self.assertTrue(other.connected)

        self.assertEqual(await self.proxy.stop(), 0)
        await self.proxy.restart()
        again = self.new_miner(self.proxy, self.name)
        await again.connect()
        self.assertFalse(await again.log_in(), "after a restart")
        (row,) = (await self.ask("GET", "/api/v1/bans"))["bans"]
        self.assertEqual((row["subject"], row["reason"], row["seconds"]), (self.name, "did not pay", None))
        await self.ask("DELETE", self.path("bans", self.name))
        await self.miner(self.proxy, self.name, "rig2")

    async def test_a_banned_network_is_not_even_read(self):
        ban = {"subject": "127.0.0.0/8", "reason": "a test"}
        await self.ask("POST", "/api/v1/bans", ban, 422)
        await self.ask("POST", "/api/v1/bans", {"subject": "10.1.2.3/8", "reason": "x"}, 400)
        rig = await self.miner(self.proxy, self.name)
        await self.ask("POST", "/api/v1/bans", ban | {"force": True}, 201)
        await rig.closed()
        late = self.new_miner(self.proxy, self.name)
        await late.connect()
        await late.closed()
        self.assertEqual(late.raw, [])
        metrics = await self.proxy.metrics()
        self.assertEqual(metrics.get("proxy_connections_refused_total", reason="banned"), 1)
        self.assertEqual(metrics.get("proxy_connections_closed_total", reason="banned"), 1)
        await self.ask("DELETE", "/api/v1/bans/127.0.0.0%2F8")
        await self.miner(self.proxy, self.name)

    async def test_two_proxies_of_one_database_have_the_same_bans(self):
        twin = await self.daemon(db=self.proxy.db)
        rig = await self.miner(twin, self.name)
        await self.ask("POST", "/api/v1/bans", {"subject": self.name, "reason": "everywhere"}, 201)
        await rig.closed()
        await self.ask("DELETE", self.path("bans", self.name), proxy=twin)

        async def is_served():
            here = self.new_miner(self.proxy, self.name)
            await here.connect()
            return await here.log_in()

        await until(is_served, "the lifted ban at the first proxy")
        # A ban that ends by itself.
        await self.ask("POST", "/api/v1/bans", {"subject": self.name, "reason": "for a second", "seconds": 1}, 201)
        await until(is_served, "the end of the ban")

    async def test_the_status_and_a_reload(self):
        await self.miner(self.proxy, self.name)
        status = await self.ask("GET", "/api/v1/status")
        self.assertEqual((status["workers"], status["connections"], status["database"], status["ready"]), (1, 1, "up", True))
        self.assertEqual((status["stratum"], status["web"]), (self.proxy.stratum, self.proxy.web))
        self.assertGreater(status["descriptor_limit"], status["open_descriptors"])
        self.assertIsNone(status["reloaded_at"])
        self.assertEqual(status["needs_restart"], [])

        file = self.proxy.directory / "stratumproxyd.toml"
        good = file.read_text(encoding="utf-8")
        file.write_text("[nonsense\n", encoding="utf-8")
        refused = await self.ask("POST", "/api/v1/reload", b"", 422)
        self.assertIn("stratumproxyd.toml", refused["error"])
        status = await self.ask("GET", "/api/v1/status")
        self.assertEqual(status["reload_error"], refused["error"])
        self.assertEqual((await self.proxy.metrics()).get("proxy_config_last_reload_successful"), 0)

        file.write_text(good, encoding="utf-8")
        outcome = await self.ask("POST", "/api/v1/reload", b"")
        self.assertEqual((outcome["taken"], outcome["needs_restart"]), ([], []))
        file.write_text("[web]\naudit_days = 7\n[checks]\nthreads = 1\n" + good.replace("[session]", "[session]\nrefresh_seconds = 40"), encoding="utf-8")
        (self.proxy.directory / "token").write_text(WEB_TOKEN + "-new\n", encoding="ascii")
        outcome = await self.ask("POST", "/api/v1/reload", b"")
        self.assertEqual(outcome["taken"], ["web.audit_days", "session.refresh_seconds", "web.token_file"])
        self.assertEqual(outcome["needs_restart"], ["checks.threads"])
        got, text = await self.proxy.call("GET", "/api/v1/status", token=WEB_TOKEN + "-new")
        self.assertEqual(got, 200)
        self.assertEqual(json.loads(text)["reload_error"], "")
        self.assertEqual(json.loads(text)["needs_restart"], ["checks.threads"])
        self.assertRegex(json.loads(text)["reloaded_at"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        self.proxy.signal(signal.SIGHUP)
        await self.proxy.metrics_until(lambda m: m.get("proxy_config_last_reload_successful") == 1, "the signal still works")


if __name__ == "__main__":
    main()
