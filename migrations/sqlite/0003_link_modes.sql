-- How many workers share a link, what is checked of their shares, and whether their difficulty is set here.
ALTER TABLE pools ADD COLUMN mode TEXT NOT NULL DEFAULT 'dedicated' CHECK (mode IN ('dedicated', 'shared'));
ALTER TABLE pools ADD COLUMN verify TEXT NOT NULL DEFAULT 'basic' CHECK (verify IN ('off', 'basic', 'full'));
ALTER TABLE pools ADD COLUMN vardiff INTEGER NOT NULL DEFAULT 0 CHECK (vardiff IN (0, 1));
ALTER TABLE pools ADD COLUMN fixed_difficulty INTEGER NOT NULL DEFAULT 0 CHECK (fixed_difficulty IN (0, 1));
ALTER TABLE pools ADD COLUMN rig_logins INTEGER NOT NULL DEFAULT 0 CHECK (rig_logins IN (0, 1));

ALTER TABLE users ADD COLUMN mode TEXT CHECK (mode IN ('dedicated', 'shared'));  -- NULL: the pool's
