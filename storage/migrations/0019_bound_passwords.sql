-- Whether a password says itself where it is for. Those of earlier releases are bound once, to where their server
-- is at that moment: see `bind_kept_passwords`.
ALTER TABLE server_secrets ADD COLUMN bound boolean NOT NULL DEFAULT false;
