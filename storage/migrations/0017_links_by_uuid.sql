-- Links in listmonk's form have the UUID of a subscriber, which whoever may read sees. In messages that were
-- sent before this they go on working for a year; there are none where nothing has happened yet.

CREATE TABLE links_by_uuid (
    sent_before timestamptz NOT NULL,
    valid_until timestamptz NOT NULL
);

INSERT INTO links_by_uuid
SELECT now(), now() + interval '1 year' WHERE EXISTS (SELECT FROM events);
