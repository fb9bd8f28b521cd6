"""Child programs of the scripts: started apart from the terminal's Ctrl-C, ended by their pid, whatever happens."""
import ctypes
import json
import os
import random
import select
import signal
import socket
import subprocess
import time

SIGNALS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)
_given = set()


class Stop(Exception):
    """Somebody asked this script to end."""


class Failure(Exception):
    """One line for people: why it cannot go on."""


def hold_signals():
    """From now on Ctrl-C and the like are noticed in pause() only, so that they never cut a clean-up in two."""
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)


def pause(seconds):
    if signal.sigtimedwait(SIGNALS, max(0, seconds)):
        raise Stop


def wait_for(what, seconds, condition):
    """The first true value of `condition()`; Failure when there is none in time."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() >= end:
            raise Failure(f"{what}: nothing after {seconds} s")
        pause(0.02)
    return found


def _in_child():
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)  # also when this script is killed
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)


class Program:
    def __init__(self, name, *command, errors=None):
        self.name = name
        # A session of its own: the terminal's Ctrl-C is for this script, which then ends all of them in order.
        try:
            self.process = subprocess.Popen(
                [str(part) for part in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, start_new_session=True,
                preexec_fn=_in_child,
            )
        except OSError as error:
            raise Failure(f"cannot start {name}: {error}") from None
        self.pid = self.process.pid

    def ready(self, seconds=20):
        """Waits for the first line that the program prints, and gives its words of the form key=value."""
        line = b""
        end = time.monotonic() + seconds
        while not line.endswith(b"\n"):
            if select.select([self.process.stdout], [], [], 0.05)[0]:
                piece = os.read(self.process.stdout.fileno(), 4096)
                if not piece:
                    raise Failure(f"{self.name} did not start")
                line += piece
            pause(0)
            if time.monotonic() >= end:
                raise Failure(f"{self.name} is not ready after {seconds} s")
        return dict(word.split("=", 1) for word in line.decode().split() if "=" in word)

    def send(self, number):
        if self.process.poll() is None:
            self.process.send_signal(number)

    def rest_of_output(self, seconds=20):
        """Waits until the program has ended; its output from where nobody read it so far."""
        try:
            return self.process.communicate(timeout=seconds)[0].decode()
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.communicate()[0].decode()

    def figures(self):
        """What a stratumload that was asked to end prints as its result."""
        text = self.rest_of_output()
        try:
            return json.loads(text)
        except ValueError:
            raise Failure(f"{self.name} ended without a result, exit code {self.process.returncode}") from None

    def end(self):
        if self.process.poll() is None:
            self.ask_to_end()
            self.rest_of_output()

    def ask_to_end(self):
        for number in (signal.SIGTERM, signal.SIGCONT):
            self.send(number)


def free_port():
    """A port of 127.0.0.1 below the range from which the kernel gives ports to connections: it stays free while nobody listens.
    Never the same one twice."""
    with open("/proc/sys/net/ipv4/ip_local_port_range") as file:
        first = int(file.read().split()[0])
    candidates = range(max(1024, first - 12_000), first) if first > 2048 else range(20_000, 32_000)
    for port in random.sample(candidates, len(candidates)):
        if port in _given:
            continue
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _given.add(port)
        return port
    raise Failure("no free port on 127.0.0.1")
