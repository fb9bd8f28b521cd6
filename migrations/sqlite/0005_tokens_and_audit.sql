-- Who may ask the HTTP API, and who changed what with it.
CREATE TABLE tokens (
  name         TEXT PRIMARY KEY NOT NULL,
  hash         TEXT NOT NULL UNIQUE,            -- SHA-256 of the token, in hex; the token itself is nowhere
  role         TEXT NOT NULL CHECK (role IN ('admin', 'read-only', 'register-only')),
  created_at   TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP,
  last_used_at TEXT                             -- NULL: never
) STRICT;

CREATE TABLE audit (
  id      INTEGER PRIMARY KEY AUTOINCREMENT,
  at      TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP,
  actor   TEXT NOT NULL,                        -- a token's name, 'token-file', or 'open'
  address TEXT NOT NULL,
  action  TEXT NOT NULL,
  subject TEXT NOT NULL,
  detail  TEXT NOT NULL
) STRICT;

CREATE INDEX audit_subject ON audit (subject, id);
