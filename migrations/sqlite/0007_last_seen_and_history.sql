-- When workers of an account were last seen, and the growth of the totals over time. Times are seconds since 1970.
ALTER TABLE users ADD COLUMN last_seen INTEGER;  -- NULL: never

-- Rows of 300 s, of which those of an hour become one of 3,600 s later. No foreign keys, as in totals.
CREATE TABLE history (
  proxy        TEXT NOT NULL,
  account      TEXT NOT NULL,
  pool         TEXT NOT NULL,      -- host:port
  algorithm    TEXT NOT NULL,
  seconds      INTEGER NOT NULL,   -- length of the period
  start        INTEGER NOT NULL,   -- a multiple of it
  sent         INTEGER NOT NULL,
  accepted     INTEGER NOT NULL,
  rejected     INTEGER NOT NULL,
  unknown      INTEGER NOT NULL,
  accepted_one REAL NOT NULL,
  PRIMARY KEY (proxy, account, pool, algorithm, seconds, start)
) STRICT;
CREATE INDEX history_start ON history (seconds, start);
CREATE INDEX history_account ON history (account, start);

CREATE INDEX totals_account ON totals (account);

-- Nothing is known of those that are there, so that none of them counts as long unseen.
UPDATE users SET last_seen = CAST(strftime('%s', 'now') AS INTEGER);
