-- Imports of files of people: how far one is, and what came of it. No data of the people themselves: refused
-- rows are known by their line and the reason.

CREATE TABLE imports (
    number      integer     PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    begun_by    text        NOT NULL,
    begun_at    timestamptz NOT NULL DEFAULT now(),
    file        text        NOT NULL,
    size        bigint      NOT NULL,
    lists       integer[]   NOT NULL,
    status      text        NOT NULL,
    done        bigint      NOT NULL DEFAULT 0,
    alive_at    timestamptz NOT NULL DEFAULT now(),
    stop_wanted boolean     NOT NULL DEFAULT false,
    ended_at    timestamptz,
    summary     jsonb,
    error       text
);
