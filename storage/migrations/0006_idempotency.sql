-- Answers to requests that may be repeated, for a day. A key is known by its SHA-256, a request by a digest
-- that only who has the key can make. Without a status the request is under way, or ended without an answer.

CREATE TABLE idempotency_keys (
    principal text        NOT NULL,
    key       bytea       NOT NULL,
    request   bytea       NOT NULL,
    begun_at  timestamptz NOT NULL,
    status    integer,
    headers   jsonb,
    body      bytea,
    PRIMARY KEY (principal, key)
);

CREATE INDEX idempotency_keys_begun ON idempotency_keys (begun_at);
