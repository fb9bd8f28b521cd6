-- Addresses, networks and accounts that are not served. Whoever writes here raises the number of changes, by which proxies see that
-- there is something to read.
CREATE TABLE bans (
  subject TEXT PRIMARY KEY CHECK (subject <> ''),  -- as the proxy writes it: 10.1.2.3, 10.0.0.0/8, 2001:db8::/32, an account's name
  reason TEXT NOT NULL,
  created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  ends_at BIGINT                                   -- seconds since 1970; NULL: it does not end
);

CREATE TABLE ban_changes (number BIGINT NOT NULL);
INSERT INTO ban_changes (number) VALUES (0);

CREATE FUNCTION count_ban_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('UPDATE %I.ban_changes SET number = number + 1', TG_TABLE_SCHEMA);
  RETURN NULL;
END $$;

CREATE TRIGGER bans_written AFTER INSERT OR UPDATE OR DELETE ON bans
  FOR EACH ROW EXECUTE FUNCTION count_ban_change();
CREATE TRIGGER bans_emptied AFTER TRUNCATE ON bans
  FOR EACH STATEMENT EXECUTE FUNCTION count_ban_change();
