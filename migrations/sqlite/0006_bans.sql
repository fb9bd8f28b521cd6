-- Addresses, networks and accounts that are not served. Whoever writes here raises the number of changes, by which proxies see that
-- there is something to read.
CREATE TABLE bans (
  subject TEXT NOT NULL PRIMARY KEY CHECK (subject <> ''),  -- as the proxy writes it: 10.1.2.3, 10.0.0.0/8, 2001:db8::/32, an account's name
  reason TEXT NOT NULL,
  created_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP,
  ends_at INTEGER                                           -- seconds since 1970; NULL: it does not end
) STRICT;

CREATE TABLE ban_changes (number INTEGER NOT NULL) STRICT;
INSERT INTO ban_changes (number) VALUES (0);

CREATE TRIGGER bans_inserted AFTER INSERT ON bans BEGIN
  UPDATE ban_changes SET number = number + 1;
END;
CREATE TRIGGER bans_changed AFTER UPDATE ON bans BEGIN
  UPDATE ban_changes SET number = number + 1;
END;
CREATE TRIGGER bans_deleted AFTER DELETE ON bans BEGIN
  UPDATE ban_changes SET number = number + 1;
END;
