"""A farm of the Go program moves in: the same names log in, and mine at the same pools."""
import asyncio
import contextlib
import json
import pathlib
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import seed_database
from canaries import OTHER_POOL_PASSWORD, POOL_PASSWORD
from command_line import call
from house import HouseTest, main
from waiting import until

DONE, REFUSED, UNUSABLE = 0, 1, 2
USERS = 1000
AT_ONCE = 50


class ImportSeed(HouseTest):
    def setUp(self):
        super().setUp()
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="spx-seed-"))
        self.addCleanup(shutil.rmtree, self.directory, True)
        self.file = self.directory / "proxy.db"

    async def run_import(self, db, *arguments, code=DONE):
        ended = await call("import-seed", self.file, "--db", db, *arguments)
        self.assertEqual(ended.code, code, ended)
        for secret in (POOL_PASSWORD, OTHER_POOL_PASSWORD):
            self.assertNotIn(secret, ended.out + ended.err)
        return ended

    async def rows(self, db, *what):
        ended = await call(*what, "--db", db, "--json")
        self.assertEqual(ended.code, DONE, ended)
        return json.loads(ended.out)

    def fresh_database(self):
        return self.database() or f"sqlite:{self.directory}/accounts.db"

    def everything(self, db):
        """All that an import could change, as text."""
        tables = ("algorithms", "algorithm_aliases", "pools", "users", "user_routes", "audit")
        if db.startswith("sqlite:"):
            with contextlib.closing(sqlite3.connect(db.removeprefix("sqlite:"))) as database:
                return [database.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall() for table in tables]
        script = "; ".join(f"SELECT * FROM {table} ORDER BY 1, 2" for table in tables)
        return subprocess.run(["psql", db, "-X", "-A", "-c", script], check=True, capture_output=True, text=True).stdout

    async def test_a_farm_moves_in_with_its_names(self):
        pools = [await self.pool() for _ in range(4)]
        names = seed_database.names(USERS)
        names[1] = "ABCDEF"  # the Go program takes hex digits of any number and case
        names[2] = "7"
        seed_database.make(
            self.file,
            hashes=[("SHA256", 1.0), ("sha256", 4.0), ("Home-Made", 256.0)],
            pools=[("127.0.0.1", pools[0].port, 1), ("127.0.0.1", pools[1].port, 2), ("127.0.0.1", pools[2].port, 3),
                   ("LocalHost", pools[3].port, 1)],
            users=[(name, i % 4 + 1, f"wallet.{i}", POOL_PASSWORD if i % 2 else "x") for i, name in enumerate(names)],
        )
        db = self.fresh_database()
        began = time.monotonic()
        report = json.loads((await self.run_import(db, "--json")).out)
        self.say(f"{USERS} accounts imported into {self.store} in {time.monotonic() - began:.2f} s, with the start of the command")
        self.assertEqual({row["table"]: row["created"] for row in report["tables"]}, {"algorithms": 1, "pools": 4, "accounts": USERS})
        self.assertEqual((report["written"], report["conflicts"]), (True, []))

        dividers = {row["pool"]: (row["algorithm"], row["divider"]) for row in (await self.rows(db, "pool", "list"))["pools"]}
        self.assertEqual(dividers[pools[0].address], ("sha256", None))
        self.assertEqual(dividers[pools[1].address], ("sha256", 4))
        self.assertEqual(dividers[pools[2].address], ("home-made", None))
        self.assertEqual(dividers[f"localhost:{pools[3].port}"], ("sha256", None))

        before = self.everything(db)
        again = json.loads((await self.run_import(db, "--json")).out)
        self.assertEqual([row["created"] + row["changed"] for row in again["tables"]], [0, 0, 0])
        self.assertEqual(self.everything(db), before, "a second import changes nothing")

        daemon = await self.daemon(db=db)
        began = time.monotonic()
        for first in range(0, USERS, AT_ONCE):
            batch = [self.new_miner(daemon, name) for name in names[first : first + AT_ONCE]]
            await asyncio.gather(*(miner.start() for miner in batch))
            shares = [share for some in await asyncio.gather(*(miner.mine(1) for miner in batch)) for share in some]
            self.assertEqual({share.verdict for share in shares}, {"accepted"})
            for miner in batch:
                miner.close()
        self.say(f"all {USERS} names logged in and mined a share in {time.monotonic() - began:.1f} s")
        for number, pool in enumerate(pools):
            came = {(connection.users[0], connection.passwords[0]) for connection in pool.connections if connection.users}
            mine = {(f"wallet.{i}", POOL_PASSWORD if i % 2 else "x") for i in range(number, USERS, 4)}
            self.assertEqual(came, mine, "each account with its user and password, and at its pool only")
            self.assertEqual(len(pool.submits), USERS // 4)

        for spelled in ("abcdef", "AbCdEf", names[0].upper()):
            miner = await self.miner(daemon, spelled)
            await self.shares_agree(pools[1 if spelled.lower() == "abcdef" else 0], await miner.mine(2))
        status, text = await daemon.call("GET", "/api/v1/audit")
        self.assertEqual([row["action"] for row in json.loads(text)["audit"]], ["seed.import"])

    async def test_a_running_daemon_hears_of_it(self):
        pool = await self.pool()
        seed_database.make(self.file, hashes=[("sha256", 1.0)], pools=[("127.0.0.1", pool.port, 1)],
                           users=[("00000000000000aa", 1, "wallet", "x")])
        daemon = await self.daemon()
        early = self.new_miner(daemon, "00000000000000aa")
        await early.connect()
        self.assertFalse(await early.log_in())
        await self.run_import(daemon.db)

        async def logs_in():
            miner = await self.new_miner(daemon, "00000000000000aa").connect()
            return miner if await miner.log_in() else None

        miner = await until(logs_in, "the name is known")
        await miner.next_job(0)
        await self.shares_agree(pool, await miner.mine(1))

    async def test_all_or_nothing_and_conflicts_are_listed(self):
        db = self.fresh_database()
        self.assertEqual((await call("migrate", "--db", db)).code, DONE)
        for command in (("pool", "add", "mine.example:1", "--algorithm", "scrypt"), ("pool", "add", "both.example:1", "--algorithm", "sha256d")):
            self.assertEqual((await call(*command, "--db", db)).code, DONE)
        ended = await call("user", "add", "--pool", "both.example:1", "--user", "taken", "--password", "x", "--db", db)
        there = ended.out.strip()
        seed_database.make(
            self.file,
            hashes=[("sha256", 1.0), ("none", 0.0)],
            pools=[("mine.example", 1, 1), ("both.example", 1, 1), ("bad host", 1, 1), ("zero.example", 1, 2), ("good.example", 1, 1)],
            users=[("farm.one", 2, "a", "x"), ("aa", 2, "taken", "x"), ("bb", 1, "a", "x"), ("cc", 9, "a", "x"), (there.upper(), 2, "b", "x"),
                   ("dd", 2, "u" * 300, "x"), ("ee", 5, "good", OTHER_POOL_PASSWORD)],
        )
        before = self.everything(db)
        for arguments in ((), ("--dry-run",)):
            ended = await self.run_import(db, *arguments, code=REFUSED)
            self.assertEqual(ended.err, "stratumproxyd: 10 conflicts, nothing was changed; --skip-conflicts takes the other rows\n")
            for text in (
                "hash none: its divider is not above 0",
                "pool mine.example:1 is here with algorithm scrypt and divider 65536, and in the file with sha256d and 1",
                "pool bad host:1: that is no HOST:PORT",
                "pool zero.example:1: its hash is not in the file, or not taken",
                "account farm.one: no miner can log in with that name",
                f"account aa: account {there} has its pool, user and password here",
                "account bb: its pool is not in the file, or not taken",
                "account cc: its pool is not in the file, or not taken",
                f"account {there.upper()}: it is here as {there}",
                "account dd: its user or password is longer than 256 bytes",
            ):
                self.assertIn(f"conflict: {text}", ended.out)
            self.assertIn("note: hash sha256 is called sha256d here", ended.out)
            self.assertEqual(self.everything(db), before)
        await self.run_import(db, "--skip-conflicts")
        names = {row["name"] for row in (await self.rows(db, "user", "list"))["users"]}
        self.assertEqual(names, {there, "ee"})

    async def test_other_files_are_one_line_and_change_nothing(self):
        db = self.fresh_database()
        self.assertEqual((await call("migrate", "--db", db)).code, DONE)
        before = self.everything(db)
        good = seed_database.make(self.directory / "good.db", hashes=[("sha256", 1.0)], pools=[("p.example", 1, 1)],
                                  users=[(name, 1, name, "x") for name in seed_database.names(2000)])
        data = bytearray(good.read_bytes())
        with contextlib.closing(sqlite3.connect(self.directory / "foreign.db")) as foreign, foreign:
            foreign.execute("CREATE TABLE hashes (id INTEGER)")
        for offset in range(20_000, 40_000):
            data[offset] = 0xa5
        for name, content, why in (
            ("noise", b"\x00\xff" * 5000, "is not an SQLite database"),
            ("damaged", bytes(data), "is damaged"),
            ("short", good.read_bytes()[:9000], "is damaged"),
            ("empty", b"", "is not the database of the Go program"),
            ("foreign", (self.directory / "foreign.db").read_bytes(), "is not the database of the Go program"),
        ):
            with self.subTest(file=name):
                self.file.write_bytes(content)
                ended = await self.run_import(db, code=UNUSABLE)
                self.assertRegex(ended.err, r"\Astratumproxyd: [^\n]+\n\Z")
                self.assertIn(why, ended.err)
                self.assertEqual(self.everything(db), before)
        self.file.unlink()
        self.assertIn("No such file", (await self.run_import(db, code=UNUSABLE)).err)
        self.file.mkdir()
        self.assertIn("not a regular file", (await self.run_import(db, code=UNUSABLE)).err)


if __name__ == "__main__":
    main()
