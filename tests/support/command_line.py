"""stratumproxyd as a person or a script calls it: a command that ends, or one at a terminal."""
import asyncio
import dataclasses
import errno
import os
import pty
import re
import signal
import struct
import fcntl
import termios

from daemon import PROGRAM
from waiting import LIMIT, at_most, until


@dataclasses.dataclass
class Ended:
    code: int
    out: str
    err: str


async def call(*arguments, stdin=b"", env=None, cwd=None, program=PROGRAM, limit=6 * LIMIT):
    """What came of it."""
    process = await asyncio.create_subprocess_exec(
        program,
        *map(str, arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=os.environ | (env or {}),
        cwd=cwd,
    )
    out, err = await at_most(process.communicate(stdin), f"the end of {arguments}", limit)
    return Ended(process.returncode, out.decode(), err.decode())


class Terminal:
    """The command at a terminal of its own, whose every output is kept."""

    def __init__(self, *arguments, rows=30, columns=120, env=None, cwd=None):
        self.arguments = [PROGRAM, *map(str, arguments)]
        self.size = (rows, columns)
        self.env, self.cwd = os.environ | {"TERM": "xterm"} | (env or {}), cwd
        self.output = ""

    async def start(self):
        self.master, self.slave = pty.openpty()  # the slave stays open here, to look at its settings in the end
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", *self.size, 0, 0))
        self.before = termios.tcgetattr(self.slave)
        os.set_blocking(self.master, False)
        self.loop = asyncio.get_running_loop()
        self.loop.add_reader(self.master, self._read)
        self.process = await asyncio.create_subprocess_exec(
            *self.arguments, stdin=self.slave, stdout=self.slave, stderr=self.slave, env=self.env, cwd=self.cwd
        )
        return self

    def _read(self):
        try:
            self.output += os.read(self.master, 65536).decode(errors="replace")
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EIO):
                raise

    def type(self, text):
        os.write(self.master, text.encode())

    def signal(self, number=signal.SIGTERM):
        self.process.send_signal(number)

    async def shows(self, text, times=1):
        await until(lambda: len(re.findall(text, self.output)) >= times, f"{text!r} {times} times on the terminal")

    async def exited(self):
        code = await at_most(self.process.wait(), "the end of the command")
        self._read()
        return code

    @property
    def echoes(self):
        return bool(termios.tcgetattr(self.slave)[3] & termios.ECHO)

    @property
    def is_restored(self):
        return termios.tcgetattr(self.slave) == self.before

    def close(self):
        self.loop.remove_reader(self.master)
        os.close(self.master)
        os.close(self.slave)
        if self.process.returncode is None:
            self.process.kill()
