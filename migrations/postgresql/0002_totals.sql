-- Share totals that survive a restart; a proxy writes only rows with its own tag. No foreign keys: the history of an
-- account or pool outlives it.
CREATE TABLE totals (
  proxy                    TEXT NOT NULL,
  account                  TEXT NOT NULL,
  pool                     TEXT NOT NULL,      -- host:port
  algorithm                TEXT NOT NULL,
  sent                     BIGINT NOT NULL,
  accepted                 BIGINT NOT NULL,
  unknown                  BIGINT NOT NULL,
  late                     BIGINT NOT NULL,
  pool_accepted            BIGINT NOT NULL,
  rejected_stale           BIGINT NOT NULL,
  rejected_duplicate       BIGINT NOT NULL,
  rejected_low_difficulty  BIGINT NOT NULL,
  rejected_bad_time        BIGINT NOT NULL,
  rejected_bad_version     BIGINT NOT NULL,
  rejected_bad_extranonce  BIGINT NOT NULL,
  rejected_malformed       BIGINT NOT NULL,
  rejected_unauthorized    BIGINT NOT NULL,
  rejected_no_pool         BIGINT NOT NULL,
  rejected_malformed_reply BIGINT NOT NULL,
  rejected_other           BIGINT NOT NULL,
  sent_one                 DOUBLE PRECISION NOT NULL,
  accepted_one             DOUBLE PRECISION NOT NULL,
  pool_accepted_one        DOUBLE PRECISION NOT NULL,
  PRIMARY KEY (proxy, account, pool, algorithm)
);
