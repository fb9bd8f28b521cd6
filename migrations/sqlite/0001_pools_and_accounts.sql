-- Algorithms as pools count them, pools, and the accounts that miners log in with.
CREATE TABLE algorithms (
  name         TEXT PRIMARY KEY NOT NULL,
  divider      REAL NOT NULL CHECK (divider > 0),
  dialect      TEXT NOT NULL,
  coinb1_index INTEGER NOT NULL DEFAULT 2,
  source       TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE TABLE algorithm_aliases (
  alias     TEXT PRIMARY KEY NOT NULL,
  algorithm TEXT NOT NULL REFERENCES algorithms (name) ON DELETE CASCADE ON UPDATE CASCADE
) STRICT;

CREATE TABLE pools (
  id              INTEGER PRIMARY KEY,
  host            TEXT NOT NULL,                -- lower case, IPv6 without brackets
  port            INTEGER NOT NULL CHECK (port BETWEEN 1 AND 65535),
  algorithm       TEXT NOT NULL REFERENCES algorithms (name) ON UPDATE CASCADE,
  divider         REAL CHECK (divider > 0),     -- NULL: the algorithm's
  login_template  TEXT NOT NULL DEFAULT '{user}.{rig}',
  reconnect_hosts TEXT NOT NULL DEFAULT '',     -- separated by spaces
  source          TEXT NOT NULL DEFAULT '',
  UNIQUE (host, port)
) STRICT;

CREATE TABLE users (
  name       TEXT PRIMARY KEY NOT NULL,
  revision   INTEGER NOT NULL DEFAULT 1,
  created_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
) STRICT;

CREATE TABLE user_routes (
  account       TEXT NOT NULL REFERENCES users (name) ON DELETE CASCADE ON UPDATE CASCADE,
  position      INTEGER NOT NULL,               -- 0 is used first, the others are fall-backs
  pool          INTEGER NOT NULL REFERENCES pools (id),
  pool_user     TEXT NOT NULL,
  pool_password TEXT NOT NULL,
  PRIMARY KEY (account, position)
) STRICT;

-- One name for one registration, however many arrive at once.
CREATE UNIQUE INDEX user_routes_registration ON user_routes (pool, pool_user, pool_password) WHERE position = 0;

-- Every row that this program ever brought along, so that what the operator deleted or renamed stays so.
CREATE TABLE seeded (
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  PRIMARY KEY (kind, name)
) STRICT;
