-- Whether a pool is spoken to through TLS, and which certificate it must have: any that the system trusts for its host ('verify'),
-- the one with this SHA-256 fingerprint ('pin'), or any at all ('insecure').
ALTER TABLE pools ADD COLUMN tls TEXT NOT NULL DEFAULT 'off' CHECK (tls IN ('off', 'verify', 'pin', 'insecure'));
ALTER TABLE pools ADD COLUMN tls_fingerprint TEXT NOT NULL DEFAULT ''
  CHECK ((tls = 'pin') = (tls_fingerprint <> '') AND length(tls_fingerprint) IN (0, 64) AND tls_fingerprint NOT GLOB '*[^0-9a-f]*');

DROP TRIGGER pools_changed;
CREATE TRIGGER pools_changed AFTER UPDATE ON pools
WHEN (OLD.host, OLD.port, OLD.algorithm, OLD.divider, OLD.login_template, OLD.reconnect_hosts, OLD.mode, OLD.verify,
      OLD.vardiff, OLD.fixed_difficulty, OLD.rig_logins, OLD.tls, OLD.tls_fingerprint) IS NOT
     (NEW.host, NEW.port, NEW.algorithm, NEW.divider, NEW.login_template, NEW.reconnect_hosts, NEW.mode, NEW.verify,
      NEW.vardiff, NEW.fixed_difficulty, NEW.rig_logins, NEW.tls, NEW.tls_fingerprint) BEGIN
  UPDATE users SET revision = revision + 1 WHERE name IN (SELECT account FROM user_routes WHERE pool = NEW.id);
END;
