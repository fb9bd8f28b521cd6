"""Ports for what listens, stops and listens again: below the range from which the kernel takes its own.

A port that the kernel chose may be given to a connection of another test while nobody listens on it.
"""
import errno
import os
import random
import socket

_FIRST, _LAST = 20000, 32000
_random = random.Random(os.getpid())  # tests that run side by side start at different places
_next = _random.randrange(_FIRST, _LAST)


def numbers():
    """Each port of the range once, from where the last caller stopped."""
    global _next
    for _ in range(_LAST - _FIRST):
        _next = _next + 1 if _next + 1 < _LAST else _FIRST
        yield _next


def taken(error):
    return error.errno == errno.EADDRINUSE


def free():
    """A port of 127.0.0.1 that nobody has now."""
    for port in numbers():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError as error:
                if not taken(error):
                    raise
    raise AssertionError("no free port")
