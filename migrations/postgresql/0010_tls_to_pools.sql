-- Whether a pool is spoken to through TLS, and which certificate it must have: any that the system trusts for its host ('verify'),
-- the one with this SHA-256 fingerprint ('pin'), or any at all ('insecure').
ALTER TABLE pools ADD COLUMN tls TEXT NOT NULL DEFAULT 'off' CHECK (tls IN ('off', 'verify', 'pin', 'insecure'));
ALTER TABLE pools ADD COLUMN tls_fingerprint TEXT NOT NULL DEFAULT ''
  CHECK ((tls = 'pin') = (tls_fingerprint <> '') AND tls_fingerprint ~ '^([0-9a-f]{64})?$');

DROP TRIGGER pools_changed ON pools;
CREATE TRIGGER pools_changed AFTER UPDATE ON pools
  FOR EACH ROW WHEN ((OLD.host, OLD.port, OLD.algorithm, OLD.divider, OLD.login_template, OLD.reconnect_hosts, OLD.mode,
                      OLD.verify, OLD.vardiff, OLD.fixed_difficulty, OLD.rig_logins, OLD.tls, OLD.tls_fingerprint) IS DISTINCT FROM
                     (NEW.host, NEW.port, NEW.algorithm, NEW.divider, NEW.login_template, NEW.reconnect_hosts, NEW.mode,
                      NEW.verify, NEW.vardiff, NEW.fixed_difficulty, NEW.rig_logins, NEW.tls, NEW.tls_fingerprint))
  EXECUTE FUNCTION revise_accounts_of_pool();
