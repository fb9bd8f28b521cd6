"""Sockets that a service manager made: the daemon serves on them, leaves them open for its successor, and says how it is."""
import asyncio
import pathlib
import signal
import socket
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from daemon import Daemon
from house import HouseTest, main
from waiting import until


class SocketActivation(HouseTest):
    def listening(self, host="127.0.0.1"):
        made = socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=64)
        self.addCleanup(made.close)
        return made

    @staticmethod
    def address(listening):
        host, port = listening.getsockname()[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    async def test_it_serves_on_sockets_that_it_was_given(self):
        first, second, web = self.listening(), self.listening("::1"), self.listening()
        daemon = await self.daemon(
            threads=3,
            sockets=[("stratum", first), ("web", web), ("stratum", second)],
            config={"stratum": {"listen": [{"addr": "127.0.0.1:1"}, {"addr": "127.0.0.1:0"}]}},
        )
        self.assertEqual((daemon.stratum, daemon.web), (self.address(first), self.address(web)))
        self.assertEqual(daemon.listeners[0], self.address(second))
        pool = await self.pool()
        account = await self.account(daemon, pool)
        addresses = [daemon.stratum] * 6 + daemon.listeners
        miners = [await self.miner(daemon, account, f"rig{number}", at=address) for number, address in enumerate(addresses)]
        await self.shares_agree(pool, [share for miner in miners for share in await miner.mine()])
        self.assertEqual((await daemon.metrics()).all("proxy_worker_up")[0][0]["proxy"], daemon.stratum)

    async def test_who_connects_during_a_restart_is_served_after_it(self):
        stratum, web = self.listening(), self.listening()
        daemon = await self.daemon(threads=2, tag="restarted", sockets=[("stratum", stratum), ("web", web)])
        pool = await self.pool()
        account = await self.account(daemon, pool)
        await self.miner(daemon, account)
        self.assertEqual(await daemon.stop(), 0)
        waiting = [self.new_miner(daemon, account, f"early{number}") for number in range(20)]
        for miner in waiting:
            await miner.connect()
        health = asyncio.create_task(daemon.call("GET", "/healthz", token=None))
        await daemon.start()
        for miner in waiting:
            self.assertTrue(await miner.log_in())
            await miner.next_job(0)
        self.assertEqual((await health)[0], 200)

    async def test_a_socket_that_it_cannot_use_is_one_line(self):
        listening, plain = self.listening(), socket.socket()
        self.addCleanup(plain.close)
        for sockets, words in (
            ([("stratumproxyd.socket", listening)], "FileDescriptorName="),
            ([("stratum", listening), ("stratum", listening)], "[[stratum.listen]]"),
            ([("stratum", plain)], "must listen on TCP"),
            ([("web", plain)], "web"),
        ):
            daemon = Daemon(name="refused-sockets", sockets=sockets)
            self.addCleanup(daemon.remove)
            await daemon.launch()
            self.assertEqual(await daemon.exited(), 2, words)
            (line,) = [line for line in daemon.log_text().splitlines() if line.startswith("stratumproxyd: ")]
            self.assertIn(words, line)

    def service_manager(self):
        """The path of its socket, and whether it has heard these words, all of them and no others."""
        directory = tempfile.mkdtemp(prefix="spx-notify-")
        self.addCleanup(pathlib.Path(directory).rmdir)
        path = pathlib.Path(directory) / "notify"
        told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(told.close)
        told.bind(str(path))
        self.addCleanup(path.unlink)
        told.setblocking(False)
        heard = []

        def hears(*words):
            try:
                while True:
                    heard.append(told.recv(4096).decode().partition(";")[0])
            except BlockingIOError:
                return heard == list(words)

        return str(path), hears

    async def test_the_service_manager_is_told(self):
        path, hears = self.service_manager()
        daemon = await self.daemon(environment={"NOTIFY_SOCKET": path})
        await until(lambda: hears("READY=1"), "READY=1")
        daemon.signal(signal.SIGHUP)
        await until(lambda: hears("READY=1", "RELOADING=1", "READY=1"), "RELOADING=1, READY=1")
        daemon.expected_gone = True
        await daemon.stop()
        self.assertTrue(hears("READY=1", "RELOADING=1", "READY=1", "STOPPING=1"))

    async def test_the_service_manager_is_told_of_the_end_when_the_workers_have_had_their_time(self):
        place = Daemon(name="place")
        self.addCleanup(place.remove)
        options = {"db": self.database() or place.db, "tag": "farm", "config": {"handover": {"socket": str(place.directory / "handover")}}}
        for hurried in (False, True):
            path, hears = self.service_manager()
            old = await self.daemon(environment={"NOTIFY_SOCKET": path}, **options)
            pool = await self.pool()
            miner = await self.miner(old, await self.account(old, pool))
            new = await self.daemon(arguments=["--takeover"], **options)
            old.expected_gone = True
            await until(lambda: hears("READY=1", "STATUS=another one serves"), "STATUS")
            await miner.mine(2)  # in the time that the workers have
            self.assertTrue(hears("READY=1", "STATUS=another one serves"))
            if hurried:
                old.signal(signal.SIGTERM)
            miner.close()
            self.assertEqual(await old.exited(), 0)
            self.assertTrue(hears("READY=1", "STATUS=another one serves", "STOPPING=1"))
            new.expected_gone = True
            await new.stop()


if __name__ == "__main__":
    main()
