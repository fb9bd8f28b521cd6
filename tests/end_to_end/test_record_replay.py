"""What the daemon records, `stratumload replay` plays again through a fresh daemon: the same messages on both sides."""
import asyncio
import json
import os
import pathlib
import socket
import stat
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from canaries import OTHER_POOL_PASSWORD, found_in
from daemon import PROGRAM
from house import SOURCE, HouseTest, main
from waiting import SLOWNESS, at_most

LOAD = os.environ.get("SPX_LOAD", "stratumload")


async def load(*arguments, ready=None):
    """Exit code, output and errors. `ready`: a future that gets the address of its one pool."""
    process = await asyncio.create_subprocess_exec(
        LOAD, *map(str, arguments), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    if ready:
        line = await at_most(process.stderr.readline(), "the line that says which port it is")
        ready.set_result(line.decode().rpartition("listen=")[2].strip())
    out, errors = await asyncio.wait_for(process.communicate(), 120 * SLOWNESS)
    return process.returncode, out.decode(), errors.decode()


async def replay(file, *arguments, through=("--proxy", PROGRAM), ready=None):
    """The exit code and the result of a replay."""
    code, out, errors = await load(
        "replay", file, *through, "--json", "--seconds", 60 * SLOWNESS, *arguments, ready=ready
    )
    if code not in (0, 1):
        raise AssertionError(f"exit code {code}: {errors}")
    return code, json.loads(out)


def free_address():
    """A port that the kernel just gave away: the daemon must know the pool's before the pool is there."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return "127.0.0.1:%d" % found.getsockname()[1]


class Recording:
    """A recording as a list of its lines, for a test that alters it."""

    def __init__(self, file):
        self.file = file
        self.lines = [json.loads(text) for text in file.read_text(encoding="utf-8").splitlines()]

    def find(self, direction, *words, last=False):
        """Index of the first line (or the last one) of this direction that contains all of the words."""
        hits = [
            at
            for at, event in enumerate(self.lines)
            if event.get("dir") == direction and all(word in event["line"] for word in words)
        ]
        return hits[-1 if last else 0]

    def save(self, name):
        file = self.file.with_name(name)
        file.write_text("".join(json.dumps(event) + "\n" for event in self.lines), encoding="utf-8")
        return file


class RecordReplay(HouseTest):
    async def record(self, **options):
        """A daemon that records, and the file."""
        daemon = await self.daemon(**options)
        await daemon.stop()
        file = daemon.directory / "run.jsonl"
        daemon.arguments = ["--record", str(file)]
        daemon.expected_gone = True
        await daemon.start()
        return daemon, file

    async def a_run(self):
        """Two algorithms, four miners, rejected shares, a new difficulty, a miner and a pool's connection that come back."""
        daemon, file = await self.record()
        verdicts = iter([True, (23, "low difficulty share", None), False, True])
        pool = await self.pool(verdict=lambda submit: next(verdicts, True))
        other = await self.pool(x1=5, n2=6, difficulty=65536, seed=7)
        account = await self.account(daemon, pool)
        scrypt = await self.account(
            daemon, other, algorithm="scrypt", user="wallet.with-rig", password=OTHER_POOL_PASSWORD
        )
        first = await self.miner(daemon, account, "rig1", mask="1fffe000")
        second = await self.miner(daemon, account, "rig2")
        third = await self.miner(daemon, scrypt, "rig3")
        stranger = self.new_miner(daemon, "0123456789abcdef")
        await stranger.connect()
        self.assertFalse(await stranger.log_in())
        await first.mine(2, version="00002000")
        await second.mine(2)
        await third.mine(1)
        await third.mine(1, nonce="0000000z")  # no hex: rejected without the pool
        seen = [len(miner.job_log) for miner in (first, second)]
        for link in pool.ready:
            link.set_difficulty(2048)
        pool.broadcast()
        await first.next_job(seen[0])
        await second.next_job(seen[1])
        old = second.job_log[0]
        await first.mine(1)
        await second.mine(1)
        await second.mine(1, job=old, nonce="0badcafe")
        # A miner that comes back with its session, and one share of its job before.
        session, before = second.session, second.job
        second.reset()
        await second.closed()
        again = await self.miner(daemon, account, "rig2", session=session)
        await again.mine(1)
        self.assertNotEqual(again.job.id, before.id)
        # A pool that ends a connection, which the proxy makes again.
        count = len(other.connections)
        seen = len(third.job_log)
        other.ready[0].drop()
        await other.until(lambda: len(other.connections) > count and other.ready, "the link comes back")
        await third.next_job(seen)
        await third.mine(1)
        for miner in (first, third, again, stranger):
            miner.close()
            await miner.closed()
        self.assertEqual(await daemon.stop(), 0)
        return daemon, file

    async def test_a_run_replays_and_an_altered_one_does_not(self):
        _, file = await self.a_run()
        self.assertEqual(stat.S_IMODE(file.stat().st_mode), 0o600)
        text = file.read_text(encoding="utf-8")
        self.assertEqual(found_in(text), [])
        self.assertIn('\\"***\\"', text)
        whole = Recording(file)
        self.assertEqual(whole.lines[0]["recording"], "stratumproxy")
        self.assertEqual(whole.lines[-1]["end"], "recording")
        self.assertEqual(whole.lines[-1]["events"], len(whole.lines) - 2)
        self.assertEqual(whole.lines[-1]["dropped"], 0)

        code, result = await replay(file)
        self.assertEqual(code, 0, result)
        said = sum(event.get("dir", "").endswith(">proxy") for event in whole.lines)
        heard = sum(event.get("dir", "").startswith("proxy>") for event in whole.lines)
        self.assertEqual((result["said"], result["heard"]), (said, heard))
        self.say(f"{len(whole.lines)} lines: {said} said, {heard} heard, {result['seconds']} s")
        code, result = await replay(file, "--speed", "1")
        self.assertEqual(code, 0, result)

        async def differs(name, at, change, where=None):
            altered = Recording(file)
            change(altered, at)
            code, result = await replay(altered.save(name), "--wait-seconds", 2 * SLOWNESS)
            self.assertEqual(code, 1, name)
            self.assertEqual(result["line"], (at if where is None else where) + 1, result)
            self.say(f"{name}: line {result['line']}, conversation {result['conversation']}: {result['what']}")
            return result

        def swap(before, after):
            def change(altered, at):
                line = altered.lines[at]["line"]
                self.assertIn(before, line)
                altered.lines[at]["line"] = line.replace(before, after, 1)

            return change

        def drop(altered, at):
            del altered.lines[at]

        # A verdict: the one that the miner was told, and the one that the pool gave.
        told = whole.find("proxy>miner", "low difficulty share")
        result = await differs("told.jsonl", told, swap("23", "21"))
        self.assertIn("error[0]", result["what"])
        judged = whole.find("pool>proxy", "low difficulty share")
        await differs("judged.jsonl", judged, swap("low difficulty", "high difficulty"), told)
        # A byte of a coinbase, in what the pool says and in what the miner hears.
        job = whole.find("pool>proxy", '"method":"mining.notify"')
        heard_job = whole.find("proxy>miner", '"method":"mining.notify"')
        coinb1 = json.loads(whole.lines[job]["line"])["params"][2]
        other = coinb1[:-1] + ("0" if coinb1[-1] != "0" else "1")
        await differs("job.jsonl", job, swap(coinb1, other), heard_job)
        spliced = json.loads(whole.lines[heard_job]["line"])["params"][2]
        await differs("spliced.jsonl", heard_job, swap(spliced, spliced[:-2] + "ff"))
        # A share: its extranonce2 at the pool, its nonce.
        share = whole.find("proxy>pool", "mining.submit")
        extranonce2 = json.loads(whole.lines[share]["line"])["params"][2]
        await differs("share.jsonl", share, swap(extranonce2, "ff" + extranonce2[2:]))
        # Missing lines: what the proxy says then stands in the place of the next one; what it does not hear is not passed on.
        miner = whole.lines[heard_job]["conversation"]
        following = next(
            at
            for at, event in enumerate(whole.lines)
            if at > heard_job and event.get("conversation") == miner and event.get("dir") == "proxy>miner"
        )
        await differs("missing-heard.jsonl", heard_job, drop, following - 1)
        submit = whole.find("miner>proxy", "mining.submit")
        await differs("missing-said.jsonl", submit, drop, whole.find("proxy>pool", "mining.submit") - 1)
        # The last line of a miner that stays while others go on.
        last = max(
            at
            for at, event in enumerate(whole.lines)
            if event.get("dir") == "proxy>miner" and event.get("conversation") == miner
        )
        alone = Recording(file)
        del alone.lines[last]
        code, result = await replay(alone.save("missing-last.jsonl"))
        self.assertEqual(code, 1, result)

    async def test_a_proxy_that_somebody_else_started(self):
        """Three shards then and two now, ten links that were lost at once, miners that come back: both sides, with --account."""
        daemon, file = await self.record(threads=3)
        pool = await self.pool()
        account = await self.account(daemon, pool)
        miners = await asyncio.gather(*(self.miner(daemon, account, f"rig{i}", reconnect=True) for i in range(10)))
        for miner in miners:
            await miner.mine(1)
        seen = [len(miner.job_log) for miner in miners]
        for link in pool.ready:
            link.drop()
        for miner, jobs in zip(miners, seen):
            await miner.next_job(jobs)
        for miner in miners[:3]:
            jobs = len(miner.job_log)
            miner._writer.close()
            await miner.next_job(jobs)
        await asyncio.gather(*(miner.mine(3) for miner in miners))
        for miner in miners:
            miner.close()
        self.assertEqual(await daemon.stop(), 0)

        other = await self.daemon(threads=2)
        where = free_address()
        await other.add_pool(where)
        name = await other.register(where)
        code, result = await replay(
            file, through=("--connect", other.stratum, "--listen", where, "--account", f"{account}={name}")
        )
        self.assertEqual(code, 0, result)
        # Without the account the login is another one: nobody knows it.
        code, result = await replay(file, through=("--connect", other.stratum, "--listen", where))
        self.assertEqual(code, 1, result)
        self.assertEqual(result["peer"], "miner")

    async def test_a_conversation_without_a_proxy_is_played_by_either_side(self):
        for file in sorted((SOURCE / "tests" / "conversation").glob("*.jsonl")):
            ready = asyncio.get_running_loop().create_future()
            pool = asyncio.ensure_future(replay(file, through=("--listen", "127.0.0.1:0"), ready=ready))
            miner = await replay(file, through=("--connect", await at_most(ready, "the pool's port")))
            self.assertEqual((miner[0], (await pool)[0]), (0, 0), (file.name, miner, await pool))

    async def test_what_cannot_start_says_why_in_one_line(self):
        folder = pathlib.Path((await self.daemon()).directory)
        head = '{"recording":"stratumproxy","format":1}\n'
        opened = '{"us":1,"conversation":1,"open":"miner","address":"a:1"}\n'
        for content, words in (
            (None, "cannot read"),
            ("", "holds no conversation"),
            (head + opened + "nonsense\n", ":3: no JSON object"),
            (head.replace("1}", "9}") + opened, ":1: a recording of format 9"),
            (head + opened + '{"us":2,"end":"recording","events":9,"dropped":4}\n', ":3: the recording is incomplete: 4 of 9"),
            ('{"dir":"up","line":"x"}\n', ":1: this is no recording"),
        ):
            file = folder / "wrong.jsonl"
            file.unlink(missing_ok=True)
            if content is not None:
                file.write_text(content, encoding="utf-8")
            code, out, errors = await load("replay", file, "--connect", "127.0.0.1:1")
            self.assertEqual((code, out), (2, ""), errors)
            self.assertIn(words, errors)
            self.assertEqual(len(errors.splitlines()), 1)

    async def test_a_bench_replays(self):
        shares = int(5000 / SLOWNESS)  # so that a pool's patience lasts for a daemon with a sanitizer
        daemon, file = await self.record()
        where = free_address()
        await daemon.add_pool(where, "sha256d")
        account = await daemon.register(where)
        code, out, errors = await load(
            "bench", "--through", daemon.stratum, "--pool-listen", where, "--user", account, "--workers", 50,
            "--shares", shares, "--reject-percent", 3, "--jobs", 2, "--job-seconds", 0.2, "--json",
        )
        self.assertEqual(code, 0, out + errors)
        self.assertEqual(await daemon.stop(), 0)
        lines = len(file.read_text(encoding="utf-8").splitlines())
        code, result = await replay(file)
        self.assertEqual(code, 0, result)
        self.assertGreater(result["heard"], 2 * shares)
        self.say(f"{lines} lines replayed in {result['seconds']} s")


if __name__ == "__main__":
    main()
