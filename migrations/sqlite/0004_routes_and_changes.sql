-- Accounts with several pools. Whoever changes an account, or what it mines on, raises its revision, and the number of changes,
-- so that a proxy that sees that something was written (PRAGMA data_version) knows at once whether it concerns an account.
ALTER TABLE user_routes ADD COLUMN weight INTEGER NOT NULL DEFAULT 0 CHECK (weight BETWEEN 0 AND 1000);  -- 0: a fall-back

CREATE INDEX user_routes_pool ON user_routes (pool);

CREATE TABLE account_changes (number INTEGER NOT NULL) STRICT;
INSERT INTO account_changes (number) VALUES (0);

CREATE TRIGGER user_routes_inserted AFTER INSERT ON user_routes BEGIN
  UPDATE users SET revision = revision + 1 WHERE name = NEW.account;
END;
CREATE TRIGGER user_routes_deleted AFTER DELETE ON user_routes BEGIN
  UPDATE users SET revision = revision + 1 WHERE name = OLD.account;
END;
CREATE TRIGGER user_routes_changed AFTER UPDATE ON user_routes
WHEN (OLD.account, OLD.position, OLD.pool, OLD.pool_user, OLD.pool_password, OLD.weight) IS NOT
     (NEW.account, NEW.position, NEW.pool, NEW.pool_user, NEW.pool_password, NEW.weight) BEGIN
  UPDATE users SET revision = revision + 1 WHERE name IN (OLD.account, NEW.account);
END;

CREATE TRIGGER pools_changed AFTER UPDATE ON pools
WHEN (OLD.host, OLD.port, OLD.algorithm, OLD.divider, OLD.login_template, OLD.reconnect_hosts, OLD.mode, OLD.verify,
      OLD.vardiff, OLD.fixed_difficulty, OLD.rig_logins) IS NOT
     (NEW.host, NEW.port, NEW.algorithm, NEW.divider, NEW.login_template, NEW.reconnect_hosts, NEW.mode, NEW.verify,
      NEW.vardiff, NEW.fixed_difficulty, NEW.rig_logins) BEGIN
  UPDATE users SET revision = revision + 1 WHERE name IN (SELECT account FROM user_routes WHERE pool = NEW.id);
END;

CREATE TRIGGER algorithms_changed AFTER UPDATE ON algorithms
WHEN (OLD.name, OLD.divider, OLD.coinb1_index) IS NOT (NEW.name, NEW.divider, NEW.coinb1_index) BEGIN
  UPDATE users SET revision = revision + 1 WHERE name IN (
    SELECT r.account FROM user_routes r JOIN pools p ON p.id = r.pool WHERE p.algorithm IN (OLD.name, NEW.name));
END;

CREATE TRIGGER users_mode_changed AFTER UPDATE ON users WHEN OLD.mode IS NOT NEW.mode BEGIN
  UPDATE users SET revision = revision + 1 WHERE name = NEW.name;
END;
CREATE TRIGGER users_inserted AFTER INSERT ON users BEGIN
  UPDATE account_changes SET number = number + 1;
END;
CREATE TRIGGER users_deleted AFTER DELETE ON users BEGIN
  DELETE FROM user_routes WHERE account = OLD.name;  -- for who writes without PRAGMA foreign_keys, as the sqlite3 command line does
  UPDATE account_changes SET number = number + 1;
END;
CREATE TRIGGER users_changed AFTER UPDATE ON users WHEN (OLD.name, OLD.revision) IS NOT (NEW.name, NEW.revision) BEGIN
  UPDATE account_changes SET number = number + 1;
END;
