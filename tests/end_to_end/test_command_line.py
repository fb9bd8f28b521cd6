"""The commands of stratumproxyd beside the daemon: on the database itself, with a daemon at work on it or not."""
import asyncio
import json
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from canaries import OTHER_POOL_PASSWORD, POOL_PASSWORD, WEB_TOKEN
from command_line import Terminal, call
from daemon import PROGRAM
from house import HouseTest, main
from waiting import LIMIT, at_most, until

DONE, REFUSED, UNUSABLE = 0, 1, 2


class CommandLine(HouseTest):
    def setUp(self):
        super().setUp()
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="spx-cli-"))
        self.addCleanup(shutil.rmtree, self.directory, True)

    async def run_command(self, *arguments, code=DONE, db=None, **options):
        """Ends with this code; an error is one line."""
        flags = ["--db", db] if db else []
        ended = await call(*arguments, *flags, cwd=self.directory, **options)
        self.assertEqual(ended.code, code, ended)
        if code != DONE:
            self.assertRegex(ended.err, r"\Astratumproxyd: [^\n]+\n\Z")
        for text in (ended.out, ended.err):
            self.assertNotIn(POOL_PASSWORD, text)
        return ended

    async def json_of(self, *arguments, **options):
        answer = json.loads((await self.run_command(*arguments, "--json", **options)).out)
        self.assertEqual(answer.pop("error"), "")
        return answer

    async def fresh_database(self):
        db = self.database() or f"sqlite:{self.directory}/accounts.db"
        await self.run_command("migrate", db=db)
        return db

    async def account(self, db, pool, user="wallet", password=POOL_PASSWORD):
        await self.run_command("pool", "add", pool, "--algorithm", "sha256d", db=db)
        given = ("user", "add", "--pool", pool, "--user", user, "--password-stdin")
        return (await self.run_command(*given, stdin=password.encode() + b"\n", db=db)).out.strip()

    # ---- without a database

    async def test_help_is_there_for_every_command_and_mistakes_are_one_line(self):
        top = (await self.run_command("--help")).out
        for group in ("General:", "Where it listens:", "Commands:", "Examples:", "Exit codes:"):
            self.assertIn(group, top)
        for path in ("run", "check-config", "user add", "pool import", "token create", "import-seed", "status", "completion"):
            text = (await self.run_command(*path.split(), "--help")).out
            self.assertIn(f"Usage: stratumproxyd {path}", text)
        for wrong, means in (
            (["usr"], "did you mean user?"),
            (["user", "ad"], "did you mean add?"),
            (["user"], "user needs one of add, list, show, remove"),
            (["user", "show"], "NAME is required"),
            (["run", "surplus"], "unknown argument"),
            (["status", "--json", "--watch"], " excludes "),
            (["completion", "tcsh"], "tcsh"),
        ):
            ended = await self.run_command(*wrong, code=UNUSABLE)
            self.assertIn(means, ended.err)

    async def test_check_config_says_good_or_why_not_and_warns(self):
        good = await self.run_command("check-config", db=f"sqlite:{self.directory}/none.db")
        self.assertEqual((good.out, good.err), ("the configuration is good\n", ""))
        self.assertFalse((self.directory / "none.db").exists())
        file = self.directory / "x.toml"
        file.write_text("[session]\ngrace_seconds = 0\nhold_second = 1\n")
        ended = await self.run_command("check-config", "--config", file, code=UNUSABLE)
        self.assertIn("x.toml:3: unknown key session.hold_second; did you mean hold_seconds?", ended.err)
        file.write_text("[session]\ngrace_seconds = 0\n[web]\naddr = \"0.0.0.0:8080\"\nallow_open = true\n")
        ended = await self.run_command("check-config", "--config", file, db=f"sqlite:{self.directory}/none.db")
        self.assertEqual(ended.out, "the configuration is good, with 3 warnings\n")
        for key in ("web.addr", "web.registration", "session.grace_seconds"):
            self.assertIn(f"warning: {key}", ended.err)
        listed = await self.json_of("check-config", "--config", file, db=f"sqlite:{self.directory}/none.db")
        self.assertEqual(len(listed["warnings"]), 3)
        await self.run_command("check-config", "--web.token-file", self.directory / "none", code=UNUSABLE)
        file.write_text(f'[handover]\nsocket = "{self.directory}/none/handover"\n')
        ended = await self.run_command("check-config", "--config", file, db=f"sqlite:{self.directory}/none.db")
        self.assertIn(f"warning: handover.socket: there is no directory {self.directory}/none\n", ended.err)
        file.write_text(f'[handover]\nsocket = "{file}"\n')
        ended = await self.run_command("check-config", "--config", file, code=UNUSABLE)
        self.assertIn(f"{file} is there and is no socket", ended.err)

    async def test_bash_completes_and_zsh_and_fish_read_their_scripts(self):
        script = (await self.run_command("completion", "bash")).out
        bash = shutil.which("bash")

        def completed(*words):
            harness = (
                script
                + "compopt() { :; }\n"
                + "COMP_WORDS=(stratumproxyd "
                + " ".join(f"'{word}'" for word in words)
                + f"); COMP_CWORD={len(words)}; _stratumproxyd; printf '%s\\n' \"${{COMPREPLY[@]}}\""
            )
            ended = subprocess.run([bash, "--norc", "-c", harness], capture_output=True, text=True, cwd=self.directory, check=True)
            self.assertEqual(ended.stderr, "")
            return ended.stdout.split()

        (self.directory / "farm.toml").touch()
        self.assertEqual(completed("us"), ["user"])
        self.assertEqual(completed("user", ""), completed("--db", "user", "user", ""))
        self.assertEqual([word for word in completed("user", "") if not word.startswith("-")], ["add", "list", "show", "remove"])
        self.assertEqual(completed("user", "add", "--pass"), ["--password", "--password-stdin"])
        self.assertEqual(completed("--log.format", ""), ["text", "json"])
        self.assertEqual(completed("--log.format", "="), ["text", "json"])
        self.assertEqual(completed("--log.format", "=", "te"), ["text"])
        self.assertEqual(completed("--db", "=", "user", "user", ""), completed("user", ""))
        self.assertEqual(completed("token", "create", "x", "--role", "re"), ["read-only", "register-only"])
        self.assertEqual(completed("--config", "fa"), ["farm.toml"])
        self.assertIn("farm.toml", completed("import-seed", "fa"))
        self.assertEqual(completed("completion", "z"), ["zsh"])
        self.assertEqual(completed("--db", ""), [])
        self.assertIn("--web.addr", completed("status", "--web"))
        for shell, check in (("zsh", ["-n"]), ("fish", ["--no-execute"])):
            file = self.directory / f"completion.{shell}"
            file.write_text((await self.run_command("completion", shell)).out)
            if shutil.which(shell):
                ended = subprocess.run([shell, *check, str(file)], capture_output=True, text=True, check=False)
                self.assertEqual((ended.returncode, ended.stderr), (0, ""))

    # ---- on a database

    async def test_migrate_says_from_which_version_to_which(self):
        db = self.database() or f"sqlite:{self.directory}/accounts.db"
        first = await self.json_of("migrate", db=db)
        self.assertEqual(first["from"], 0)
        self.assertGreaterEqual(first["to"], 8)
        again = await self.run_command("migrate", db=db)
        self.assertRegex(again.out, rf"is at version {first['to']}: nothing to do\n\Z")
        if db.startswith("sqlite:"):
            missing = await self.run_command("user", "list", db=f"sqlite:{self.directory}/other.db", code=UNUSABLE)
            self.assertIn("stratumproxyd migrate", missing.err)
            self.assertFalse((self.directory / "other.db").exists())
            (self.directory / "noise").write_bytes(b"noise" * 1000)
            await self.run_command("migrate", db=f"sqlite:{self.directory}/noise", code=UNUSABLE)

    async def test_algorithms_and_pools_are_added_listed_and_imported(self):
        db = await self.fresh_database()
        await self.run_command("algorithm", "add", "X99", "--divider", "256", "--alias", "x-99", db=db)
        await self.run_command("algorithm", "add", "x99", "--divider", "256", db=db)
        taken = await self.run_command("algorithm", "add", "x99", "--divider", "2", code=REFUSED, db=db)
        self.assertIn("with other values", taken.err)
        row = [each for each in (await self.json_of("algorithm", "list", db=db))["algorithms"] if each["name"] == "x99"][0]
        self.assertEqual((row["divider"], row["aliases"]), (256, ["x-99"]))
        self.assertRegex((await self.run_command("algorithm", "list", db=db)).out, r"(?m)^NAME +DIVIDER +DIALECT +ALIASES$")

        await self.run_command("pool", "add", "One.Example:1", "--algorithm", "X-99", "--divider", "0.5", "--mode", "shared",
                               "--fixed-difficulty", "--reconnect-host", "a.example", "--reconnect-host", "b.example", db=db)
        unknown = await self.run_command("pool", "add", "two.example:1", "--algorithm", "none", code=REFUSED, db=db)
        self.assertIn("unknown algorithm", unknown.err)
        pools = await self.json_of("pool", "list", db=db)
        row = [each for each in pools["pools"] if each["pool"] == "one.example:1"][0]
        self.assertEqual((row["algorithm"], row["divider"], row["mode"], row["reconnect_hosts"]),
                         ("x99", 0.5, "shared", ["a.example", "b.example"]))
        self.assertRegex((await self.run_command("pool", "list", db=db)).out, r"(?m)^one\.example:1 +x99 +0\.5 +shared")

        row["divider"] = 2
        (self.directory / "pools.json").write_text(json.dumps(pools))
        ended = await self.run_command("pool", "import", "pools.json", db=db)
        self.assertEqual(ended.out, f"0 created, 1 changed, {len(pools['pools']) - 1} unchanged\n")
        body = json.dumps({"pools": [{"pool": "three.example:1", "algorithm": "none"}]}).encode()
        await self.run_command("pool", "import", "-", stdin=body, code=REFUSED, db=db)

    async def test_accounts_are_added_listed_shown_and_removed(self):
        db = await self.fresh_database()
        pool = "pool.example:3333"
        name = await self.account(db, pool)
        self.assertRegex(name, r"\A[0-9a-f]{16}\Z")
        add = ("user", "add", "--pool", pool, "--user", "wallet")
        again = await self.run_command(*add, env={"STRATUMPROXY_POOL_PASSWORD": POOL_PASSWORD}, db=db)
        self.assertEqual(again.out.strip(), name)
        other = await self.json_of(*add, "--password", OTHER_POOL_PASSWORD, "--mode", "dedicated", db=db)
        self.assertNotEqual(other["name"], name)
        for wrong, text in (
            (("user", "add", "--pool", "none.example:1", "--user", "u", "--password", "x"), "pool none.example:1 is not known"),
            (("user", "show", "none"), "unknown user"),
            (("user", "remove", "none"), "unknown user"),
        ):
            self.assertIn(text, (await self.run_command(*wrong, code=REFUSED, db=db)).err)
        nothing = await self.run_command(*add, code=UNUSABLE, db=db)
        self.assertIn("--password-stdin", nothing.err)

        several = {"pools": [{"pool": pool, "user": f"u{i}", "password": "x", "weight": i} for i in (2, 1)]}
        split = (await self.run_command("user", "add", "--from", "-", stdin=json.dumps(several).encode(), db=db)).out.strip()
        listed = {row["name"]: row for row in (await self.json_of("user", "list", db=db))["users"]}
        self.assertEqual(set(listed), {name, other["name"], split})
        self.assertEqual([row["weight"] for row in listed[split]["pools"]], [2, 1])
        self.assertEqual((listed[name]["accepted"], listed[name]["last_seen"]), (0, None))
        table = (await self.run_command("user", "list", "--search", "wal", db=db)).out.splitlines()
        self.assertEqual(len(table), 3)
        self.assertRegex(table[0], r"^NAME +POOL +USER")
        shown = (await self.run_command("user", "show", name, db=db)).out
        self.assertRegex(shown, rf"(?m)^name +{name}$")
        self.assertRegex(shown, r"(?m)^pool\.example:3333 +wallet +-$")
        self.assertEqual((await self.run_command("user", "remove", split, db=db)).out, f"removed {split}\n")
        self.assertEqual(len((await self.json_of("user", "list", db=db))["users"]), 2)

    async def test_a_password_is_asked_for_without_an_echo(self):
        db = await self.fresh_database()
        name = await self.account(db, "pool.example:3333")
        add = ("user", "add", "--pool", "pool.example:3333", "--user", "wallet", "--db", db)
        terminal = await Terminal(*add, cwd=self.directory).start()
        self.addCleanup(terminal.close)
        await terminal.shows("the pool's password")
        await until(lambda: not terminal.echoes, "the echo is off")
        terminal.type("mistaken\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f" + POOL_PASSWORD + "\r")
        self.assertEqual(await terminal.exited(), DONE)
        self.assertIn(name, terminal.output)
        self.assertNotIn(POOL_PASSWORD, terminal.output)
        self.assertTrue(terminal.is_restored)
        terminal = await Terminal(*add, cwd=self.directory).start()
        self.addCleanup(terminal.close)
        await terminal.shows("the pool's password")
        await until(lambda: not terminal.echoes, "the echo is off")
        terminal.type("half\x03")
        self.assertEqual(await terminal.exited(), UNUSABLE)
        self.assertTrue(terminal.is_restored)

    async def test_tokens_are_shown_once(self):
        db = await self.fresh_database()
        first = await self.run_command("token", "create", "grafana", "--role", "read-only", code=REFUSED, db=db)
        self.assertIn("first token must be an admin's", first.err)
        made = await self.run_command("token", "create", "boss", "--role", "admin", db=db)
        self.assertRegex(made.out, r"\Aspx_[0-9a-f]{64}\n\Z")
        await self.run_command("token", "create", "grafana", "--role", "read-only", db=db)
        self.assertIn("remove it first", (await self.run_command("token", "create", "boss", "--role", "admin", code=REFUSED, db=db)).err)
        listed = await self.json_of("token", "list", db=db)
        self.assertEqual([(row["name"], row["role"]) for row in listed["tokens"]], [("boss", "admin"), ("grafana", "read-only")])
        self.assertNotIn(made.out.strip(), (await self.run_command("token", "list", db=db)).out)
        self.assertIn("last admin", (await self.run_command("token", "revoke", "boss", code=REFUSED, db=db)).err)
        await self.run_command("token", "revoke", "grafana", db=db)
        await self.run_command("token", "revoke", "grafana", code=REFUSED, db=db)

    # ---- beside a daemon

    async def test_a_running_daemon_hears_of_changes_and_its_audit_log_says_who_made_them(self):
        daemon, pool = await self.daemon(), await self.pool()
        name = await self.account(daemon.db, pool.address)
        miner = await self.miner(daemon, name)
        await self.shares_agree(pool, await miner.mine(2))
        self.assertEqual(pool.connections[-1].passwords, [POOL_PASSWORD])

        token = (await self.run_command("token", "create", "script", "--role", "read-only", "--web.token-file",
                                        daemon.directory / "token", db=daemon.db)).out.strip()

        async def is_known():
            return (await daemon.call("GET", "/api/v1/pools", token=token))[0] == 200

        await until(is_known, "the daemon knows the token")
        await self.run_command("user", "remove", name, db=daemon.db)
        await miner.closed()
        status, text = await daemon.call("GET", "/api/v1/audit")
        entries = [row for row in json.loads(text)["audit"] if row["actor"] == f"command line, user {pwd.getpwuid(os.getuid()).pw_name}"]
        self.assertEqual([(row["action"], row["subject"]) for row in reversed(entries)],
                         [("pool.add", pool.address), ("user.register", name), ("token.add", "script"), ("user.remove", name)])

    async def test_status_is_a_table_or_json_and_its_exit_code_tells(self):
        daemon, pool = await self.daemon(tag="farm-1"), await self.pool()
        name = await self.account(daemon.db, pool.address)
        await (await self.miner(daemon, name)).mine(3)
        where = ("--web.addr", daemon.web, "--web.token-file", daemon.directory / "token")
        text = (await self.run_command("status", *where)).out
        self.assertRegex(text, r"(?m)^stratumproxyd \S+ at http://127\.0\.0\.1:\d+: ready, up ")
        self.assertRegex(text, rf"(?m)^{pool.address} +1 +1 +1 +live$")
        self.assertRegex(text, rf"(?m)^{name}\.rig1 +127\.0\.0\.1:\d+ +{pool.address} .* 3 +0 +0 ")
        answer = await self.json_of("status", "--url", f"http://{daemon.web}", env={"STRATUMPROXY_TOKEN": WEB_TOKEN})
        self.assertEqual((answer["tag"], answer["workers"]), ("farm-1", 1))
        self.assertIn("wants a token", (await self.run_command("status", "--web.addr", daemon.web, code=REFUSED)).err)
        await daemon.stop()
        daemon.expected_gone = True
        self.assertIn("no daemon answers", (await self.run_command("status", *where, code=UNUSABLE)).err)

    async def test_output_that_nobody_takes_is_an_error(self):
        db = await self.fresh_database()
        with open("/dev/full", "wb") as full:
            process = await asyncio.create_subprocess_exec(
                PROGRAM, "token", "create", "boss", "--role", "admin", "--db", db,
                stdin=asyncio.subprocess.DEVNULL, stdout=full, stderr=asyncio.subprocess.PIPE)
            _, err = await at_most(process.communicate(), "the end")
        self.assertEqual(process.returncode, UNUSABLE)
        self.assertEqual(err.decode().splitlines()[-1],
                         "stratumproxyd: standard output does not take what the command says; what it did stays done")

    async def test_what_others_say_does_not_reach_the_terminal_as_it_is(self):
        ended = await self.run_command("import-seed", "/nowhere/\x1b[31m\x07", "--db", await self.fresh_database(), code=UNUSABLE)
        self.assertIn("/nowhere/?[31m?", ended.err)

    async def test_a_daemon_ends_though_nobody_reads_its_log(self):
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        try:
            while os.write(writing, b"x" * 4096):
                pass
        except BlockingIOError:
            pass
        os.set_blocking(writing, True)
        process = await asyncio.create_subprocess_exec(
            PROGRAM, "--stratum.addr", "127.0.0.1:0", "--web.addr", "127.0.0.1:0", "--db", f"sqlite:{self.directory}/unread.db",
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=writing)
        os.close(writing)
        self.assertIn(b"ready", await at_most(process.stdout.readline(), "the ready line"))
        process.send_signal(signal.SIGHUP)
        process.terminate()
        try:
            self.assertEqual(await at_most(process.wait(), "the end", 3 * LIMIT), 0)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
            os.close(reading)

    async def test_status_is_watched_on_a_terminal_until_q(self):
        daemon, pool = await self.daemon(), await self.pool()
        name = await self.account(daemon.db, pool.address)
        await (await self.miner(daemon, name)).mine(1)
        watch = ("status", "--watch", "--web.addr", daemon.web, "--web.token-file", daemon.directory / "token")
        for end in ("q", "\x03", signal.SIGTERM):
            with self.subTest(end=end):
                terminal = await Terminal(*watch, rows=12, columns=60).start()
                self.addCleanup(terminal.close)
                await terminal.shows("q quits", times=2)
                if isinstance(end, str):
                    terminal.type(end)
                else:
                    terminal.signal(end)
                self.assertEqual(await terminal.exited(), DONE)
                self.assertTrue(terminal.is_restored)
                frames = terminal.output.split("\x1b[?2026h")
                self.assertTrue(frames[0].startswith("\x1b[?1049h"), "another buffer, before anything is drawn")
                self.assertTrue(terminal.output.endswith("\x1b[?1049l"))
                self.assertNotIn("\x1b[2J", terminal.output, "nothing is erased to be drawn again")
                lines = frames[1].split("\x1b[?2026l")[0].removeprefix("\x1b[H").replace("\r", "").split("\n")
                self.assertEqual(len(lines), 12)
                self.assertTrue(all(len(line.replace("\x1b[K", "").replace("\x1b[J", "")) <= 60 for line in lines), lines)
                self.assertTrue(any(line.startswith(name) for line in lines), lines)

    async def test_status_is_watched_as_plain_text_where_there_is_no_terminal(self):
        daemon = await self.daemon()
        process = await asyncio.create_subprocess_exec(
            *(str(word) for word in (daemon.command()[0], "status", "--watch", "--web.addr", daemon.web, "--web.token-file",
                                     daemon.directory / "token")),
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
        )
        try:
            text = b""
            while text.count(b"stratumproxyd ") < 2:
                text += await asyncio.wait_for(process.stdout.readline(), 20)
            self.assertNotIn(b"\x1b", text)
            process.send_signal(signal.SIGINT)
            self.assertEqual(await asyncio.wait_for(process.wait(), 20), DONE)
        finally:
            if process.returncode is None:
                process.kill()


if __name__ == "__main__":
    main()
