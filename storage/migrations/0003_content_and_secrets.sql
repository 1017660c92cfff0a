-- Texts by their SHA-256: the log names the hash, so it proves which text a campaign had.

CREATE TABLE content (
    hash bytea PRIMARY KEY,
    body bytea NOT NULL,
    CHECK (hash = sha256(body))
);

CREATE TRIGGER content_is_history BEFORE UPDATE OR DELETE OR TRUNCATE ON content
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_history();

-- SMTP passwords, encrypted with a key that is not in the database.
CREATE TABLE server_secrets (
    server     integer     PRIMARY KEY,
    token      bytea       NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);
