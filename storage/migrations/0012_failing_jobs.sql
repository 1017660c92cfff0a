-- What a processor does not get done, as its heartbeat says: [{"job", "failures", "error", "since"}], and for
-- one that could not go on the part and the error that it ended on: {"job", "error"}. Errors by their class.

ALTER TABLE processors
    ADD COLUMN failing  jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN ended_on jsonb;
