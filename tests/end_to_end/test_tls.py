"""TLS on both sides: miners and pools that speak it, certificates that are wrong, and others while all of it runs. And pools behind SOCKS5."""
import asyncio
import json
import os
import pathlib
import signal
import ssl
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from canaries import POOL_PASSWORD
from certificates import Authority
from command_line import call
from daemon import Daemon
from house import HouseTest, main
from waiting import at_most, figure, until


class TlsTest(HouseTest):
    def setUp(self):
        super().setUp()
        self.authority = Authority()
        self.addCleanup(self.authority.close)
        # What the daemon takes for the system's roots.
        before = os.environ.get("SSL_CERT_FILE")
        os.environ["SSL_CERT_FILE"] = str(self.authority.root.chain)
        self.addCleanup(lambda: os.environ.pop("SSL_CERT_FILE") if before is None else os.environ.update(SSL_CERT_FILE=before))

    def files(self):
        return self.authority.directory / "proxy.pem", self.authority.directory / "proxy.key"

    async def tls_daemon(self, certificate=None, **options):
        """A daemon whose files can be replaced."""
        chain, key = self.files()
        (certificate or self.authority.issue()).copy_to(chain, key)
        config = {"tls": {"certificate": str(chain), "key": str(key)}} | options.pop("config", {})
        return await self.daemon(config=config, **options)

    async def shakes_hands(self, proxy):
        """The certificate that a newcomer gets, as DER."""
        host, _, port = proxy.stratum.rpartition(":")
        _, writer = await asyncio.open_connection(host, int(port), ssl=self.authority.client(), server_hostname="localhost")
        der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.close()
        return der


class Miners(TlsTest):
    async def test_one_port_is_for_both(self):
        proxy = await self.tls_daemon()
        pool = await self.pool()
        name = await self.account(proxy, pool)
        for rig, options in (("plain", {}), ("secret", {"tls": self.authority.client()}),
                             ("slow", {"tls": self.authority.client(), "framing": "bytes"})):
            miner = await self.miner(proxy, name, rig, **options)
            await self.shares_agree(pool, await miner.mine(3))

    async def test_a_worker_comes_back_through_tls(self):
        proxy = await self.tls_daemon(threads=2)
        pool = await self.pool()
        name = await self.account(proxy, pool)
        miner = await self.miner(proxy, name, tls=self.authority.client(), reconnect=True)
        for _ in range(8):  # some of them to the other shard
            mark, connects = miner.extranonce1, miner.connects
            miner.drop()
            await miner.changes.until(lambda: miner.connects > connects and miner.ready, "the miner is back")
            self.assertEqual(miner.extranonce1, mark)
            await self.shares_agree(pool, await miner.mine(1))
        self.assertEqual(len(pool.connections), 1)

    async def test_s_client_logs_in_and_mines(self):
        proxy = await self.tls_daemon()
        pool = await self.pool()
        name = await self.account(proxy, pool)
        client = await asyncio.create_subprocess_exec(
            "openssl", "s_client", "-quiet", "-connect", proxy.stratum, "-CAfile", str(self.authority.root.chain),
            "-verify_return_error", "-verify_hostname", "localhost",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL)

        def say(number, method, *params):
            client.stdin.write(json.dumps({"id": number, "method": method, "params": params}).encode() + b"\n")

        async def hear(wanted):
            while line := await at_most(client.stdout.readline(), "a line through s_client"):
                message = json.loads(line)
                if wanted in (message.get("id"), message.get("method")):
                    return message
            self.fail("s_client has ended")

        try:
            say(1, "mining.subscribe", "s_client")
            say(2, "mining.authorize", f"{name}.rig", "x")
            size = (await hear(1))["result"][2]
            self.assertIs((await hear(2))["result"], True)
            job = await hear("mining.notify")
            say(3, "mining.submit", f"{name}.rig", job["params"][0], "00" * size, job["params"][7], "00000001")
            self.assertIs((await hear(3))["result"], True)
        finally:
            client.kill()
            await client.wait()
        self.assertEqual(len(pool.submits), 1)

    async def test_certificates_change_under_load_and_nobody_is_dropped(self):
        proxy = await self.tls_daemon(log_level=None, config={"log": {"level": "error"}})
        pool = await self.pool()
        name = await self.account(proxy, pool)
        count, reloads = figure(10, 200), figure(10, 100)
        context = self.authority.client()
        miners = [await self.miner(proxy, name, f"rig{i}", tls=context) for i in range(count)]
        shares, over = [], False

        async def mine(miner):
            while not over:
                shares.extend(await miner.mine(1))

        load = [asyncio.create_task(mine(miner)) for miner in miners]
        chain, key = self.files()
        spare = [self.authority.issue() for _ in range(2)]
        for number in range(reloads):
            if number % 3 == 2:  # a pair that does not fit
                key.write_bytes(self.authority.root.key.read_bytes())
                proxy.signal(signal.SIGHUP)
                await proxy.metrics_until(lambda m: m.get("proxy_config_last_reload_successful") == 0, "the refusal")
            else:
                spare[number % 2].copy_to(chain, key)
                proxy.signal(signal.SIGHUP)

                async def is_new(wanted=spare[number % 2].der):
                    return await self.shakes_hands(proxy) == wanted

                await until(is_new, "newcomers get the new certificate")
                await proxy.metrics_until(lambda m: m.get("proxy_config_last_reload_successful") == 1, "the reload")
        over = True
        await asyncio.gather(*load)
        self.assertEqual([miner.connects for miner in miners], [1] * count)
        await self.shares_agree(pool, shares)
        self.assertIn("the key does not belong to the certificate", proxy.log_text())
        self.say(f"{count} workers, {reloads} reloads, {len(shares)} shares, 0 disconnects")

    async def test_who_stops_within_the_handshake_is_let_go(self):
        proxy = await self.tls_daemon(config={"limits": {"first_message_seconds": 1}})
        host, _, port = proxy.stratum.rpartition(":")
        for hello in (b"\x16", b"\x16\x03\x01\x02\x00\x01\x00", b"\x16" + bytes(range(256)) * 20):
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(hello)
            began = time.monotonic()
            try:
                while await at_most(reader.read(1000), "the end"):
                    pass
            except ConnectionError:
                pass
            self.assertLess(time.monotonic() - began, 8)
            writer.close()

    # Catalogue: handshake_flood_2000. Its figure, the verdicts' p99, is one for a quiet machine.
    async def test_a_flood_of_broken_handshakes_costs_no_share(self):
        proxy = await self.tls_daemon(config={"limits": {"first_message_seconds": 1}})
        pool = await self.pool()
        name = await self.account(proxy, pool)
        miner = await self.miner(proxy, name, tls=self.authority.client())
        host, _, port = proxy.stratum.rpartition(":")
        flood = figure(200, 2_000)
        strangers = [await asyncio.open_connection(host, int(port)) for _ in range(flood)]
        for _, writer in strangers:
            writer.write(bytes.fromhex("16030100050100000100"))
        await self.shares_agree(pool, await miner.mine(20))
        for reader, writer in strangers:
            try:
                self.assertIn((await at_most(reader.read(), "the end"))[:1], (b"", b"\x15"))  # an alert, or nothing
            except ConnectionError:
                pass
            writer.close()
        await self.shares_agree(pool, await miner.mine(1))
        self.assertEqual(miner.connects, 1)

    # Catalogue: plain_prefix_before_client_hello, and the class of CVE-2021-3935.
    async def test_what_was_said_before_a_handshake_is_none_of_it(self):
        proxy = await self.tls_daemon(config={"limits": {"authorize_seconds": 1}})
        host, _, port = proxy.stratum.rpartition(":")
        line = b'{"id":1,"method":"mining.subscribe","params":[]}\n'
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(line + bytes.fromhex("16030100050100000100"))
        answers = [json.loads(answer) for answer in (await at_most(reader.read(), "the end")).splitlines()]
        self.assertEqual([answer["id"] for answer in answers if answer.get("id") is not None], [1])
        writer.close()
        # A whole handshake behind plain bytes is none either.
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(line)
        await at_most(reader.readline(), "the answer")
        with self.assertRaises(OSError):
            await at_most(writer.start_tls(self.authority.client(), server_hostname="localhost"), "the refusal")
        writer.close()

    async def test_a_port_for_tls_only(self):
        proxy = await self.tls_daemon(config={"stratum": {"tls": "only"}})
        pool = await self.pool()
        name = await self.account(proxy, pool)
        miner = await self.miner(proxy, name, tls=self.authority.client())
        await self.shares_agree(pool, await miner.mine(1))
        plain = self.new_miner(proxy, name)
        await plain.connect()
        plain.subscribe()
        await plain.closed()
        await proxy.metrics_until(lambda m: m.get("proxy_connections_closed_total", reason="tls_failed") == 1, "the reason")
        self.assertEqual([message for message in plain.messages if message.get("result")], [])

    async def test_a_port_for_tls_only_keeps_its_certificate_until_a_restart(self):
        proxy = await self.tls_daemon(config={"stratum": {"tls": "only"}})
        proxy.config = {section: keys for section, keys in proxy.config.items() if section not in ("tls", "stratum")}
        proxy.command()  # writes the file
        status, text = await proxy.call("POST", "/api/v1/reload", b"")
        self.assertEqual(status, 422, text)
        self.assertIn("needs a restart is not changed: stratum.tls", text)
        await self.shakes_hands(proxy)

    async def test_behind_a_balancer(self):
        proxy = await self.tls_daemon(config={"stratum": {"proxy_protocol_from": ["127.0.0.1"]}})
        host, _, port = proxy.stratum.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"PROXY TCP4 10.9.8.7 127.0.0.1 4711 3333\r\n")
        await writer.start_tls(self.authority.client(), server_hostname="localhost")
        writer.write(b'{"id":1,"method":"mining.subscribe","params":[]}\n')
        self.assertEqual(json.loads(await at_most(reader.readline(), "the answer"))["id"], 1)
        writer.close()

    async def test_files_that_cannot_be_used_are_said_in_one_line(self):
        chain, key = self.files()
        other = self.authority.issue()
        cases = (
            ({"certificate": str(chain)}, "tls.certificate and tls.key go together"),
            ({"certificate": str(chain), "key": "/nowhere"}, "cannot read the key /nowhere: No such file"),
            ({"certificate": str(chain), "key": str(other.key)}, "the key does not belong to the certificate"),
            ({"certificate": str(key), "key": str(key)}, "the certificate is not PEM"),
        )
        self.authority.issue().copy_to(chain, key)
        for tls, words in cases:
            with self.subTest(words):
                with self.assertRaisesRegex(AssertionError, f"exit code 2\n(.*\n)*stratumproxyd: .*{words}"):
                    await self.bad_daemon({"tls": tls})

    async def bad_daemon(self, config):
        daemon = Daemon(config=config, name="bad-tls")
        try:
            await daemon.start()
        finally:
            daemon.remove()

    async def test_an_expired_certificate_is_used_with_a_warning(self):
        proxy = await self.tls_daemon(self.authority.issue(days=-1))
        self.assertIn("certificate_expired", proxy.log_text())
        checked = await call("check-config", "--config", proxy.directory / "stratumproxyd.toml", cwd=proxy.directory)
        self.assertRegex(checked.err, "(?m)^warning: .*proxy.pem has expired: valid from ")


class Pools(TlsTest):
    async def row(self, proxy, pool, **tls):
        await proxy.add_pool(pool.address, **tls)
        return await proxy.register(pool.address, "wallet", POOL_PASSWORD)

    async def fault(self, proxy, address):
        async def told():
            _, text = await proxy.call("GET", "/api/v1/links")
            rows = [row for row in json.loads(text)["links"] if row["pool"] == address and row["fault"]]
            return rows[0]["fault"] if rows else None

        return await until(told, "the link says what is wrong")

    async def test_certificates_are_checked(self):
        proxy = await self.daemon()
        good, alone = self.authority.issue(), self.authority.self_signed()
        expired, elsewhere = self.authority.issue(days=-1), self.authority.issue("DNS:elsewhere.example")
        for certificate, tls in ((good, {"tls": "verify"}), (alone, {"tls": "pin", "tls_fingerprint": alone.fingerprint.upper()}),
                                 (expired, {"tls": "pin", "tls_fingerprint": expired.fingerprint}), (elsewhere, {"tls": "insecure"})):
            with self.subTest(tls=tls):
                pool = await self.pool(tls=certificate.server())
                miner = await self.miner(proxy, await self.row(proxy, pool, **tls))
                await self.shares_agree(pool, await miner.mine(2))
                for _ in range(40):  # together more than one record holds
                    last = pool.broadcast(branches=20)
                await miner.changes.until(lambda m=miner, job=last: m.job.job.params[1] == job.params[1], "the last job")
                await self.shares_agree(pool, await miner.mine(2))
        for certificate, tls, words in (
            (expired, {"tls": "verify"}, "the certificate is not trusted: certificate has expired"),
            (elsewhere, {"tls": "verify"}, "the certificate is not for the address 127.0.0.1"),
            (alone, {"tls": "verify"}, "the certificate is not trusted: self-signed certificate"),
            (good, {"tls": "pin", "tls_fingerprint": alone.fingerprint}, f"has the fingerprint {good.fingerprint}, which is not"),
        ):
            with self.subTest(words):
                pool = await self.pool(tls=certificate.server())
                miner = self.new_miner(proxy, await self.row(proxy, pool, **tls))
                await miner.connect()
                await miner.log_in()
                fault = await self.fault(proxy, pool.address)
                self.assertTrue(fault.startswith("tls_failed: "), fault)
                self.assertIn(words, fault)
                await miner.changes.until(lambda m=miner: m.shown, "the miner is told")
                self.assertIn("tls_failed", miner.shown[0])
                await until(lambda w=words: w in proxy.log_text(), "the log says why")
                self.assertEqual([c.passwords for c in pool.connections if c.passwords], [])
                miner.close()

    async def test_a_pool_without_tls_is_told_by_what_it_is(self):
        async def serve(_reader, writer):
            writer.write(b'{"id":null,"method":"mining.set_difficulty","params":[1]}\n')

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        address = "127.0.0.1:%d" % server.sockets[0].getsockname()[1]
        proxy = await self.daemon()
        await proxy.add_pool(address, tls="insecure")
        miner = self.new_miner(proxy, await proxy.register(address, "wallet", POOL_PASSWORD))
        await miner.connect()
        await miner.log_in()
        self.assertEqual(await self.fault(proxy, address), "tls_failed: the peer does not speak TLS")
        server.close()

    async def test_a_pool_that_is_not_to_be_trusted_is_passed_over(self):
        proxy = await self.daemon(config={"failover": {"stable_seconds": 0.5}})
        bad = await self.pool(tls=self.authority.self_signed().server())
        good = await self.pool(tls=self.authority.issue().server())
        await proxy.add_pool(bad.address, tls="verify")
        await proxy.add_pool(good.address, tls="verify")
        routes = [{"pool": pool.address, "user": "wallet", "password": POOL_PASSWORD} for pool in (bad, good)]
        _, text = await proxy.call("POST", "/api/v1/users", {"pools": routes})
        miner = await self.miner(proxy, json.loads(text)["name"])
        await self.shares_agree(good, await miner.mine(2))

    async def test_the_rows_of_the_table(self):
        proxy = await self.daemon()
        pool = await self.pool()
        digits = "ab" * 32

        async def ask(method, path, body, status):
            got, text = await proxy.call(method, path, body)
            self.assertEqual(got, status, text)
            return json.loads(text)

        row = {"pool": pool.address, "algorithm": "sha256d"}
        for bad, status in (({"tls": "maybe"}, 400), ({"tls": True}, 400), ({"tls_fingerprint": "ab"}, 400),
                            ({"tls": "pin"}, 422), ({"tls": "verify", "tls_fingerprint": digits}, 422), ({"tls_fingerprint": digits}, 422)):
            await ask("POST", "/api/v1/pools", row | bad, status)
        await ask("POST", "/api/v1/pools", row | {"tls": "pin", "tls_fingerprint": ":".join(["AB"] * 32)}, 201)
        await ask("POST", "/api/v1/pools", row, 201)  # as it is
        path = f"/api/v1/pools/{pool.address}"
        shown = await ask("GET", path, None, 200)
        self.assertEqual((shown["tls"], shown["tls_fingerprint"]), ("pin", digits))
        changed = await ask("PATCH", path, {"tls": "verify"}, 200)
        self.assertEqual((changed["tls"], changed["tls_fingerprint"]), ("verify", ""))
        await ask("PATCH", path, {"tls": "pin"}, 422)
        exported = await ask("GET", "/api/v1/export", None, 200)
        await ask("PATCH", path, {"tls": "off"}, 200)
        await ask("POST", "/api/v1/import", exported, 200)
        self.assertEqual((await ask("GET", path, None, 200))["tls"], "verify")

    async def test_a_change_of_the_row_moves_workers_without_a_disconnect(self):
        proxy = await self.daemon()
        certificate = self.authority.self_signed()
        pool = await self.pool(tls=certificate.server())
        name = await self.row(proxy, pool, tls="insecure")
        miner = await self.miner(proxy, name)
        await self.shares_agree(pool, await miner.mine(1))
        status, text = await proxy.call("PATCH", f"/api/v1/pools/{pool.address}", {"tls": "pin", "tls_fingerprint": certificate.fingerprint})
        self.assertEqual(status, 200, text)
        await pool.until(lambda: len(pool.connections) == 2 and pool.connections[1].ready, "a link of the new row")
        await self.shares_agree(pool, await miner.mine(2))
        self.assertEqual(miner.connects, 1)


class Web(TlsTest):
    async def test_https_and_another_certificate_for_it(self):
        chain, key = self.files()
        self.authority.issue().copy_to(chain, key)
        proxy = await self.daemon(config={"web": {"certificate": str(chain), "key": str(key)}})
        with self.assertRaises(OSError):
            await proxy.call("GET", "/healthz")
        proxy.https = self.authority.client()
        for path in ("/healthz", "/metrics", "/api/v1/pools", "/"):
            self.assertEqual((await proxy.call("GET", path))[0], 200, path)
        pool = await self.pool()
        miner = await self.miner(proxy, await self.account(proxy, pool))
        await self.shares_agree(pool, await miner.mine(1))

        async def served():
            host, _, port = proxy.web.rpartition(":")
            _, writer = await asyncio.open_connection(host, int(port), ssl=proxy.https, server_hostname="localhost")
            der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
            writer.close()
            return der

        other = self.authority.issue()
        other.copy_to(chain, key)
        status, text = await proxy.call("POST", "/api/v1/reload", b"")
        self.assertEqual((status, json.loads(text)["taken"]), (200, ["web.certificate"]), text)
        self.assertEqual(await served(), other.der)
        key.write_bytes(self.authority.root.key.read_bytes())
        status, text = await proxy.call("POST", "/api/v1/reload", b"")
        self.assertEqual(status, 422, text)
        self.assertIn("the key does not belong to the certificate", text)
        self.assertEqual(await served(), other.der)


    async def test_status_says_whose_certificate_it_does_not_trust(self):
        chain, key = self.files()
        self.authority.issue(names="DNS:proxy.example").copy_to(chain, key)
        proxy = await self.daemon(config={"web": {"certificate": str(chain), "key": str(key)}})
        asked = await call("status", "--url", f"https://{proxy.web}", cwd=proxy.directory)
        self.assertEqual(asked.code, 2)
        self.assertRegex(asked.err, r"\Astratumproxyd: what answers at https://\S+ is not trusted: --url https://NAME:PORT .*\n\Z")

    async def test_requests_that_tls_has_read_ahead_are_answered(self):
        chain, key = self.files()
        self.authority.issue().copy_to(chain, key)
        proxy = await self.daemon(config={"web": {"certificate": str(chain), "key": str(key)}})
        host, _, port = proxy.web.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        arrived, leaving = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = self.authority.client().wrap_bio(arrived, leaving, server_hostname="localhost")
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                writer.write(leaving.read())
                arrived.write(await at_most(reader.read(65536), "the handshake"))
        count = 40
        for _ in range(count):
            tls.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")  # a record each
        writer.write(leaving.read())
        answers = b""
        while answers.count(b"HTTP/1.1 200") < count:
            more = await at_most(reader.read(65536), f"answer {answers.count(b'HTTP/1.1 200') + 1}")
            self.assertTrue(more, "the connection has ended")
            arrived.write(more)
            try:
                while True:
                    answers += tls.read(65536)
            except ssl.SSLWantReadError:
                pass
        writer.close()


class SocksServer:
    """Relays to wherever it is asked, by name, once the password is right."""

    def __init__(self, reply=0):
        self.reply, self.asked, self._tasks = reply, [], set()

    async def start(self):
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def _serve(self, reader, writer):
        try:
            self.assertions = await reader.readexactly(4)
            writer.write(b"\x05\x02")
            version, size = await reader.readexactly(2)
            user = await reader.readexactly(size)
            (size,) = await reader.readexactly(1)
            password = await reader.readexactly(size)
            writer.write(b"\x01" + bytes([0 if (version, user, password) == (1, b"me", b"so:cks") else 1]))
            _, _, _, kind, size = await reader.readexactly(5)
            host = (await reader.readexactly(size)).decode() if kind == 3 else None
            port = int.from_bytes(await reader.readexactly(2), "big")
            self.asked.append((kind, host, port))
            writer.write(b"\x05" + bytes([self.reply]) + b"\x00\x03\x00\x00\x00")
            if self.reply:
                return
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
            await asyncio.gather(self._carry(reader, far_writer), self._carry(far_reader, writer))
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _carry(self, reader, writer):
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()


class Socks(TlsTest):
    async def test_pools_are_reached_through_it_by_their_names(self):
        socks = await SocksServer().start()
        proxy = await self.daemon(config={"upstream": {"socks5": f"me:so:cks@127.0.0.1:{socks.port}"}})
        for tls in (None, self.authority.issue("DNS:pool.invalid")):
            pool = await self.pool(tls=tls.server() if tls else None)
            pool.host = "pool.invalid"  # nobody but the SOCKS server could resolve it
            await proxy.add_pool(pool.address, tls="verify" if tls else "off")
            name = await proxy.register(pool.address, "wallet", POOL_PASSWORD)
            miner = await self.miner(proxy, name)
            await self.shares_agree(pool, await miner.mine(2))
            self.assertEqual(socks.asked[-1], (3, "pool.invalid", pool.port))

    async def test_what_it_refuses_is_said(self):
        socks = await SocksServer(reply=4).start()
        proxy = await self.daemon(config={"upstream": {"socks5": f"me:so:cks@127.0.0.1:{socks.port}"}})
        pool = await self.pool()
        miner = self.new_miner(proxy, await self.account(proxy, pool))
        await miner.connect()
        await miner.log_in()
        self.assertEqual(await Pools.fault(self, proxy, pool.address), "connect_failed: the SOCKS server: host unreachable")


if __name__ == "__main__":
    main()
