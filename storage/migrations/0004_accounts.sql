-- Who may sign in, who is signed in, and which programs may ask. What anybody was allowed, and by whom,
-- is in the log; here is what the log must not hold.

CREATE TABLE users (
    number              integer     PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    name                text        NOT NULL UNIQUE CHECK (name = lower(name)),
    role                text        NOT NULL CHECK (role IN ('auditor', 'operator', 'admin')),
    disabled            boolean     NOT NULL DEFAULT false,
    password            text        NOT NULL,
    second_factor       bytea,
    second_factor_step  bigint      NOT NULL DEFAULT 0,
    version             integer     NOT NULL,
    created_at          timestamptz NOT NULL,
    password_changed_at timestamptz NOT NULL,
    signed_in_at        timestamptz
);

-- A token is known here by its SHA-256 alone, so whoever reads the table can be nobody.
CREATE TABLE sessions (
    number      integer     PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    token       bytea       NOT NULL UNIQUE,
    user_number integer     NOT NULL REFERENCES users (number),
    created_at  timestamptz NOT NULL,
    seen_at     timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    address     text        NOT NULL,
    browser     text        NOT NULL
);

CREATE INDEX sessions_user ON sessions (user_number);

CREATE TABLE api_keys (
    number     integer     PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    public_id  text        NOT NULL UNIQUE,
    secret     bytea       NOT NULL,
    name       text        NOT NULL UNIQUE,
    scopes     text[]      NOT NULL,
    version    integer     NOT NULL,
    created_at timestamptz NOT NULL,
    created_by text        NOT NULL,
    expires_at timestamptz,
    revoked_at timestamptz,
    used_at    timestamptz
);

-- Token buckets, by the SHA-256 of what they are for. Losing them in a crash fills them, no more.
CREATE UNLOGGED TABLE rate_limits (
    bucket    bytea            PRIMARY KEY,
    tokens    double precision NOT NULL,
    taken     boolean          NOT NULL,
    filled_at timestamptz      NOT NULL
);
