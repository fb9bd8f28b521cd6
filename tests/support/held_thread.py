"""A thread of a child process that is made to stand still, so that what waits for it finds out.

Only the process that started it may, and root."""
import contextlib
import ctypes
import os
import pathlib

_SEIZE, _INTERRUPT, _DETACH = 0x4206, 0x4207, 17
_ALL_KINDS = 0x40000000  # of children: threads, too

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = [ctypes.c_long] * 4
_libc.ptrace.restype = ctypes.c_long


def _ptrace(request, thread):
    if _libc.ptrace(request, thread, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"ptrace({request:#x}) of thread {thread}")


def _thread(process, name):
    for task in pathlib.Path(f"/proc/{process}/task").iterdir():
        if (task / "comm").read_text().strip() == name:
            return int(task.name)
    raise AssertionError(f"process {process} has no thread {name}")


@contextlib.contextmanager
def held(process, name):
    """The thread of that name stands still within. Enter and leave it on one thread of one's own."""
    thread = _thread(process, name)
    _ptrace(_SEIZE, thread)
    _ptrace(_INTERRUPT, thread)
    os.waitpid(thread, _ALL_KINDS)
    try:
        yield
    finally:
        _ptrace(_DETACH, thread)
