"""A database as the Go program makes it: its tables and indices, with rows of a test."""
import contextlib
import random
import sqlite3

SCHEMA = """
CREATE TABLE hashes (id INTEGER NOT NULL PRIMARY KEY, hash TEXT NOT NULL, divider REAL NOT NULL,
  CONSTRAINT unique_hash_divider UNIQUE (hash COLLATE NOCASE, divider));
CREATE TABLE pools (id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, host TEXT NOT NULL COLLATE NOCASE, port INTEGER NOT NULL,
  hash_id INTEGER NOT NULL REFERENCES hashes (id) ON DELETE CASCADE ON UPDATE CASCADE,
  CONSTRAINT unique_host_port UNIQUE (host COLLATE NOCASE, port));
CREATE TABLE users (name TEXT NOT NULL PRIMARY KEY COLLATE NOCASE,
  pool_id INTEGER NOT NULL REFERENCES pools (id) ON DELETE CASCADE ON UPDATE CASCADE, user TEXT NOT NULL, password TEXT NOT NULL,
  CONSTRAINT unique_pool_user_password UNIQUE (pool_id, user COLLATE NOCASE, password COLLATE NOCASE));
"""


def make(path, *, hashes, pools, users):
    """hashes: (name, divider); pools: (host, port, number of the hash); users: (name, number of the pool, user, password)."""
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        database.executescript(SCHEMA)
        database.executemany("INSERT INTO hashes (hash, divider) VALUES (?, ?)", hashes)
        database.executemany("INSERT INTO pools (host, port, hash_id) VALUES (?, ?, ?)", pools)
        database.executemany("INSERT INTO users VALUES (?, ?, ?, ?)", users)
    return path


def names(count, seed=7):
    dice = random.Random(seed)
    return [f"{dice.getrandbits(64):016x}" for _ in range(count)]
