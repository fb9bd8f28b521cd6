"""Lines and jobs of the Bitcoin dialect, as both the fake pool and the fake miner use them."""
import dataclasses
import hashlib
import json
import random


def sha256d(data):
    return hashlib.sha256(hashlib.sha256(data).digest()).digest()


def dump(message):
    return (json.dumps(message, separators=(",", ":")) + "\n").encode()


class Framing:
    """How bytes are cut into writes: whole, byte by byte, or at random places of a seeded generator."""

    def __init__(self, mode="whole", seed=1):
        self.mode = mode
        self._random = random.Random(seed)

    def pieces(self, data):
        if self.mode == "whole":
            yield data
        elif self.mode == "bytes":
            for at in range(len(data)):
                yield data[at : at + 1]
        else:
            at = 0
            while at < len(data):
                size = self._random.choice((1, 2, 3, 7, 40, 200, 1500))
                yield data[at : at + size]
                at += size


@dataclasses.dataclass(frozen=True)
class Job:
    """The parameters of one mining.notify."""

    params: tuple
    coinb1_index: int = 2

    @property
    def id(self):
        return self.params[0]

    @property
    def coinb1(self):
        return self.params[self.coinb1_index]

    @property
    def coinb2(self):
        return self.params[self.coinb1_index + 1]

    @property
    def version(self):
        return int(self.params[self.coinb1_index + 3], 16)

    def rolled(self, mask, bits):
        """The version that is hashed when these bits (hex, or None) are submitted under this mask (hex, or None)."""
        if bits is None:
            return self.version
        rolling = int(mask or "0", 16)
        return (self.version & ~rolling) | (int(bits, 16) & rolling)

    @property
    def ntime(self):
        return self.params[self.coinb1_index + 5]

    @property
    def clean(self):
        at = self.coinb1_index + 6
        return bool(self.params[at]) if len(self.params) > at else False

    @property
    def rest(self):
        """Everything that a proxy has no business with: all but id, coinb1 and clean."""
        at = self.coinb1_index
        return self.params[1:at] + self.params[at + 1 : at + 6] + self.params[at + 7 :]

    def coinbase(self, extranonce1, extranonce2):
        """The coinbase that is hashed, as hex."""
        return (self.coinb1 + extranonce1 + extranonce2 + self.coinb2).lower()

    def header(self, coinbase, ntime, nonce, version):
        """The 80 bytes that are hashed; the coinbase and the numbers as hex, the version as a number."""
        at = self.coinb1_index
        root = sha256d(bytes.fromhex(coinbase))
        for branch in self.params[at + 2]:
            root = sha256d(root + bytes.fromhex(branch))
        previous = bytes.fromhex(self.params[1])
        words = b"".join(previous[i : i + 4][::-1] for i in range(0, 32, 4))
        numbers = (bytes.fromhex(digits)[::-1] for digits in (ntime, self.params[at + 4], nonce))
        return version.to_bytes(4, "little") + words + root + b"".join(numbers)


def make_job(source, job_id, clean=True, branches=3, ntime="66a00000", tail=(), lbry=False, version="20000000"):
    """A job of random content. `source` is a random.Random."""

    def some(size):
        return source.randbytes(size).hex()

    head = (job_id, some(32)) + ((some(32),) if lbry else ())
    coinb1 = "01000000" + "01" + "00" * 32 + "ffffffff" + some(30)
    return Job(
        head
        + (coinb1, some(90), [some(32) for _ in range(branches)], version, "170331db", ntime, clean)
        + tuple(tail),
        3 if lbry else 2,
    )


def error_code(reply):
    """The code of a reply's error, or None."""
    error = reply.get("error")
    return error[0] if isinstance(error, list) and error else None
