-- Sessions of workers, for the proxy that one returns to when its own is gone. Each is written anew while it lasts; what expired is of
-- a proxy that was killed. A claimed row stays, so that the former proxy, if it is there after all, cannot make another one of that id.
-- Nothing refers to accounts, and nothing here is missed for long.
CREATE TABLE sessions (
  id          TEXT NOT NULL PRIMARY KEY,
  account     TEXT NOT NULL,
  rig         TEXT NOT NULL,
  difficulty  REAL NOT NULL,
  mark        TEXT NOT NULL,               -- hex
  miner_bytes INTEGER NOT NULL,
  claimed     INTEGER NOT NULL,
  expires_at  INTEGER NOT NULL             -- seconds since 1970
) STRICT;
