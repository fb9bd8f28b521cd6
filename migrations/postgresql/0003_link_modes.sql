-- How many workers share a link, what is checked of their shares, and whether their difficulty is set here.
ALTER TABLE pools
  ADD COLUMN mode             TEXT NOT NULL DEFAULT 'dedicated' CHECK (mode IN ('dedicated', 'shared')),
  ADD COLUMN verify           TEXT NOT NULL DEFAULT 'basic' CHECK (verify IN ('off', 'basic', 'full')),
  ADD COLUMN vardiff          BOOLEAN NOT NULL DEFAULT FALSE,
  ADD COLUMN fixed_difficulty BOOLEAN NOT NULL DEFAULT FALSE,
  ADD COLUMN rig_logins       BOOLEAN NOT NULL DEFAULT FALSE;

ALTER TABLE users ADD COLUMN mode TEXT CHECK (mode IN ('dedicated', 'shared'));  -- NULL: the pool's
