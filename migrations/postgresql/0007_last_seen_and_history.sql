-- When workers of an account were last seen, and the growth of the totals over time. Times are seconds since 1970.
ALTER TABLE users ADD COLUMN last_seen BIGINT;  -- NULL: never

-- That a worker was seen is no change that proxies need to hear of.
DROP TRIGGER users_changed ON users;
CREATE TRIGGER users_changed AFTER UPDATE ON users
  FOR EACH ROW WHEN ((OLD.name, OLD.revision, OLD.created_at, OLD.mode) IS DISTINCT FROM
                     (NEW.name, NEW.revision, NEW.created_at, NEW.mode))
  EXECUTE FUNCTION tell_account();

-- Rows of 300 s, of which those of an hour become one of 3,600 s later. No foreign keys, as in totals.
CREATE TABLE history (
  proxy        TEXT NOT NULL,
  account      TEXT NOT NULL,
  pool         TEXT NOT NULL,      -- host:port
  algorithm    TEXT NOT NULL,
  seconds      INTEGER NOT NULL,   -- length of the period
  start        BIGINT NOT NULL,    -- a multiple of it
  sent         BIGINT NOT NULL,
  accepted     BIGINT NOT NULL,
  rejected     BIGINT NOT NULL,
  unknown      BIGINT NOT NULL,
  accepted_one DOUBLE PRECISION NOT NULL,
  PRIMARY KEY (proxy, account, pool, algorithm, seconds, start)
);
CREATE INDEX history_start ON history (seconds, start);
CREATE INDEX history_account ON history (account, start);

CREATE INDEX totals_account ON totals (account);

-- Nothing is known of those that are there, so that none of them counts as long unseen.
UPDATE users SET last_seen = CAST(EXTRACT(EPOCH FROM now()) AS BIGINT);
