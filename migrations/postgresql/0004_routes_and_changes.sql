-- Accounts with several pools. Whoever changes an account, or what it mines on, raises its revision, and every proxy that listens
-- to the channel stratumproxy_accounts is told the account's name; nothing instead of a name stands for any account.
ALTER TABLE user_routes ADD COLUMN weight INTEGER NOT NULL DEFAULT 0 CHECK (weight BETWEEN 0 AND 1000);  -- 0: a fall-back

CREATE INDEX user_routes_pool ON user_routes (pool);

-- The functions name the schema, because whoever writes may have another search_path.
CREATE FUNCTION revise_account_of_route() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('UPDATE %I.users SET revision = revision + 1 WHERE name IN ($1, $2)', TG_TABLE_SCHEMA)
    USING OLD.account, NEW.account;
  RETURN NULL;
END $$;

CREATE FUNCTION revise_accounts_of_pool() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('UPDATE %1$I.users SET revision = revision + 1 '
                 'WHERE name IN (SELECT account FROM %1$I.user_routes WHERE pool = $1)', TG_TABLE_SCHEMA)
    USING NEW.id;
  RETURN NULL;
END $$;

CREATE FUNCTION revise_accounts_of_algorithm() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('UPDATE %1$I.users SET revision = revision + 1 WHERE name IN (SELECT r.account FROM %1$I.user_routes r '
                 'JOIN %1$I.pools p ON p.id = r.pool WHERE p.algorithm IN ($1, $2))', TG_TABLE_SCHEMA)
    USING OLD.name, NEW.name;
  RETURN NULL;
END $$;

CREATE FUNCTION revise_all_accounts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('UPDATE %I.users SET revision = revision + 1', TG_TABLE_SCHEMA);
  RETURN NULL;
END $$;

CREATE FUNCTION revise_account() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.revision = NEW.revision + 1;
  RETURN NEW;
END $$;

CREATE FUNCTION tell_account() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'TRUNCATE' THEN PERFORM pg_notify('stratumproxy_accounts', ''); END IF;
  IF TG_OP IN ('DELETE', 'UPDATE') THEN PERFORM pg_notify('stratumproxy_accounts', OLD.name); END IF;
  IF TG_OP IN ('INSERT', 'UPDATE') THEN PERFORM pg_notify('stratumproxy_accounts', NEW.name); END IF;
  RETURN NULL;
END $$;

CREATE TRIGGER user_routes_written AFTER INSERT OR DELETE ON user_routes
  FOR EACH ROW EXECUTE FUNCTION revise_account_of_route();
CREATE TRIGGER user_routes_changed AFTER UPDATE ON user_routes
  FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION revise_account_of_route();
CREATE TRIGGER user_routes_emptied AFTER TRUNCATE ON user_routes
  FOR EACH STATEMENT EXECUTE FUNCTION revise_all_accounts();

CREATE TRIGGER pools_changed AFTER UPDATE ON pools
  FOR EACH ROW WHEN ((OLD.host, OLD.port, OLD.algorithm, OLD.divider, OLD.login_template, OLD.reconnect_hosts, OLD.mode,
                      OLD.verify, OLD.vardiff, OLD.fixed_difficulty, OLD.rig_logins) IS DISTINCT FROM
                     (NEW.host, NEW.port, NEW.algorithm, NEW.divider, NEW.login_template, NEW.reconnect_hosts, NEW.mode,
                      NEW.verify, NEW.vardiff, NEW.fixed_difficulty, NEW.rig_logins))
  EXECUTE FUNCTION revise_accounts_of_pool();

CREATE TRIGGER algorithms_changed AFTER UPDATE ON algorithms
  FOR EACH ROW WHEN ((OLD.name, OLD.divider, OLD.coinb1_index) IS DISTINCT FROM (NEW.name, NEW.divider, NEW.coinb1_index))
  EXECUTE FUNCTION revise_accounts_of_algorithm();

CREATE TRIGGER users_mode_changed BEFORE UPDATE ON users
  FOR EACH ROW WHEN (OLD.mode IS DISTINCT FROM NEW.mode) EXECUTE FUNCTION revise_account();
CREATE TRIGGER users_written AFTER INSERT OR DELETE ON users FOR EACH ROW EXECUTE FUNCTION tell_account();
CREATE TRIGGER users_changed AFTER UPDATE ON users
  FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION tell_account();
CREATE TRIGGER users_emptied AFTER TRUNCATE ON users FOR EACH STATEMENT EXECUTE FUNCTION tell_account();
