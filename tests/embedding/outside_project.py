#!/usr/bin/env python3
"""Installs the library, builds the project beside this file against it, as somebody else would, and runs every program.

Usage: outside_project.py BUILD_DIRECTORY COMPILER CONFIGURATION COMPILER_FLAGS
"""
import asyncio
import os
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))
from fake_miner import FakeMiner
from fake_pool import FakePool
from waiting import at_most

PROJECT = HERE / "project"
MAX_LINES = 79


def run(*command, env=None):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, env=env)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\nended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


async def proxy_is_embedded(program):
    """Two shares through a proxy inside of `program`, which hears both verdicts and then ends by itself."""
    verdicts = iter([True, (23, "low difficulty share", None)])
    pool = await FakePool(verdict=lambda submit: next(verdicts)).start()
    process = await asyncio.create_subprocess_exec(
        program, "127.0.0.1", str(pool.port), "2", stdout=asyncio.subprocess.PIPE)
    try:
        first = (await at_most(process.stdout.readline(), "the address")).decode()
        assert first.startswith("listening on 127.0.0.1:"), first
        miner = await FakeMiner(first.split()[-1], login="farm.shelf1").start()
        shares = await miner.mine(2)
        assert [share.verdict for share in shares] == ["accepted", "rejected"], shares
        assert [share.key for share in shares] == [submit.key for submit in pool.submits]
        assert pool.connections[0].users == ["pool-user.shelf1"], pool.connections[0].users
        await miner.closed()
        rest = (await at_most(process.stdout.read(), "the program's end")).decode()
        assert rest == f"accepted by {pool.address}\nrejected by {pool.address}\n", rest
        assert await at_most(process.wait(), "the program's exit code") == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        await pool.close()
    assert not pool.failures, pool.failures


def main():
    build, compiler, configuration, flags = sys.argv[1:]
    sources = sorted(PROJECT.glob("*.cpp"))
    for source in sources:
        lines = len(source.read_text(encoding="utf-8").splitlines())
        print(f"{source.name}: {lines} lines")
        if lines > MAX_LINES:
            sys.exit(f"{source.name} is no short example any more")

    with tempfile.TemporaryDirectory(prefix="stratumproxy-embedding.") as work:
        prefix, out = pathlib.Path(work) / "installed", pathlib.Path(work) / "build"
        run("cmake", "--install", build, "--prefix", prefix, "--component", "library")
        run("cmake", "-S", PROJECT, "-B", out, "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={prefix}",
            f"-DCMAKE_CXX_COMPILER={compiler}", f"-DCMAKE_BUILD_TYPE={configuration}", f"-DCMAKE_CXX_FLAGS={flags}")
        run("cmake", "--build", out)
        for program in ("codec", "session", "algorithm", "metrics"):
            run(out / program)
        for program in ("own_threads", "own_io_context"):
            asyncio.run(proxy_is_embedded(out / program))

        # And without CMake.
        found = next(prefix.rglob("stratumproxy.pc")).parent
        words = run("pkg-config", "--cflags", "--libs", "stratumproxy", env=os.environ | {"PKG_CONFIG_PATH": str(found)})
        alone = out / "by_pkg_config"
        run(compiler, "-std=c++20", *flags.split(), PROJECT / "session.cpp", "-o", alone, *words.split())
        run(alone)
    print(f"{len(sources)} programs built and run against the installed library")


if __name__ == "__main__":
    main()
