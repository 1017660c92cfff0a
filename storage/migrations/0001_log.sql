-- The append-only log. Positions have no gaps and follow commit order, since the one row of
-- log_head is locked by whoever appends.

CREATE TABLE log_head (
    one_row     boolean     PRIMARY KEY DEFAULT true CHECK (one_row),
    position    bigint      NOT NULL,
    hash        bytea       NOT NULL,
    recorded_at timestamptz NOT NULL
);

INSERT INTO log_head (position, hash, recorded_at) VALUES (0, decode(repeat('00', 32), 'hex'), 'epoch');

CREATE TABLE events (
    position    bigint      PRIMARY KEY,
    recorded_at timestamptz NOT NULL,
    stream_id   uuid        NOT NULL,
    version     integer     NOT NULL,
    topic       text        NOT NULL,
    state       bytea       NOT NULL,
    hash        bytea       NOT NULL,
    UNIQUE (stream_id, version),
    CHECK (version >= 0)
);

CREATE FUNCTION refuse_change_of_history() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% of table %: history is never changed', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE TRIGGER events_are_history BEFORE UPDATE OR DELETE OR TRUNCATE ON events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_history();

CREATE VIEW event_log AS
    SELECT position, recorded_at, stream_id, version, topic, convert_from(state, 'UTF8')::jsonb AS state
    FROM events;

-- A processor that is fenced can append nothing more: every append of a processor holds its row
-- in share mode, so whoever sets `fenced` knows that no event of that processor can follow.
CREATE TABLE processors (
    number     serial      PRIMARY KEY,
    host       text        NOT NULL,
    pid        integer     NOT NULL,
    started_at timestamptz NOT NULL,
    seen_at    timestamptz NOT NULL,
    fenced     boolean     NOT NULL DEFAULT false,
    settled    boolean     NOT NULL DEFAULT false
);

-- Shortcuts to the state of an aggregate. They can be thrown away.
CREATE TABLE snapshots (
    stream_id uuid    NOT NULL,
    version   integer NOT NULL,
    topic     text    NOT NULL,
    state     bytea   NOT NULL,
    PRIMARY KEY (stream_id, version)
);

-- How far a reader of the log has come.
CREATE TABLE tracking (
    application_name text   PRIMARY KEY,
    notification_id  bigint NOT NULL
);
