-- Share totals that survive a restart; a proxy writes only rows with its own tag. No foreign keys: the history of an
-- account or pool outlives it.
CREATE TABLE totals (
  proxy                    TEXT NOT NULL,
  account                  TEXT NOT NULL,
  pool                     TEXT NOT NULL,      -- host:port
  algorithm                TEXT NOT NULL,
  sent                     INTEGER NOT NULL,
  accepted                 INTEGER NOT NULL,
  unknown                  INTEGER NOT NULL,
  late                     INTEGER NOT NULL,
  pool_accepted            INTEGER NOT NULL,
  rejected_stale           INTEGER NOT NULL,
  rejected_duplicate       INTEGER NOT NULL,
  rejected_low_difficulty  INTEGER NOT NULL,
  rejected_bad_time        INTEGER NOT NULL,
  rejected_bad_version     INTEGER NOT NULL,
  rejected_bad_extranonce  INTEGER NOT NULL,
  rejected_malformed       INTEGER NOT NULL,
  rejected_unauthorized    INTEGER NOT NULL,
  rejected_no_pool         INTEGER NOT NULL,
  rejected_malformed_reply INTEGER NOT NULL,
  rejected_other           INTEGER NOT NULL,
  sent_one                 REAL NOT NULL,
  accepted_one             REAL NOT NULL,
  pool_accepted_one        REAL NOT NULL,
  PRIMARY KEY (proxy, account, pool, algorithm)
) STRICT;
