-- Signing in through an OpenID Connect provider. By which address a person is found there, and who they are
-- there, are personal data: they are here and not in the log.

ALTER TABLE users ADD COLUMN email text UNIQUE CHECK (email = lower(email));

CREATE TABLE identities (
    issuer      text        NOT NULL,
    subject     text        NOT NULL,
    user_number integer     NOT NULL REFERENCES users (number),
    linked_at   timestamptz NOT NULL,
    PRIMARY KEY (issuer, subject),
    UNIQUE (user_number, issuer)
);

-- Who is on the way to the provider and back, for minutes. `token` and `visit` are known by their SHA-256;
-- `user_number` is of whom the provider vouched for and who still owes the code of the second factor.
-- Losing them in a crash makes people begin again, no more.
CREATE UNLOGGED TABLE provider_visits (
    token       bytea       PRIMARY KEY,
    visit       bytea       NOT NULL,
    nonce       text        NOT NULL,
    verifier    text        NOT NULL,
    wanted      text        NOT NULL,
    user_number integer,
    expires_at  timestamptz NOT NULL
);
