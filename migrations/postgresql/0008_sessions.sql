-- Sessions of workers, for the proxy that one returns to when its own is gone. Each is written anew while it lasts; what expired is of
-- a proxy that was killed. A claimed row stays, so that the former proxy, if it is there after all, cannot make another one of that id.
-- Nothing refers to accounts, and nothing here is missed for long.
CREATE TABLE sessions (
  id          TEXT PRIMARY KEY,
  account     TEXT NOT NULL,
  rig         TEXT NOT NULL,
  difficulty  DOUBLE PRECISION NOT NULL,
  mark        TEXT NOT NULL,               -- hex
  miner_bytes INTEGER NOT NULL,
  claimed     BOOLEAN NOT NULL,
  expires_at  BIGINT NOT NULL              -- seconds since 1970
) WITH (fillfactor = 70);                  -- most writes change rows in their place: no index has expires_at
