-- Transactional messages: what each says of its own and to whom. Personal data, so the log has none of it: it
-- knows a message by campaign and number. One campaign serves all messages of one shape (template, its texts,
-- content type, messenger); `shape` is its SHA-256. Its row is locked while numbers are given out, so that
-- they ascend in the log.

CREATE TABLE transactional_campaigns (
    shape    bytea   PRIMARY KEY,
    campaign integer NOT NULL,
    messages integer NOT NULL,
    facts    integer NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE transactional_requests (
    number  bigint      PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    data    jsonb       NOT NULL,
    subject text        NOT NULL,
    altbody text        NOT NULL,
    headers jsonb       NOT NULL,
    made_at timestamptz NOT NULL
);

-- `recipient` is NULL when nobody in the directory had the address. With an `email` the message goes there
-- and says nothing else of the person.
CREATE TABLE transactional_messages (
    campaign  integer NOT NULL,
    number    integer NOT NULL,
    request   bigint  NOT NULL REFERENCES transactional_requests (number),
    recipient integer REFERENCES recipients (number),
    email     text,
    uuid      uuid    NOT NULL DEFAULT gen_random_uuid(),
    PRIMARY KEY (campaign, number)
);

CREATE INDEX transactional_messages_request ON transactional_messages (request);
CREATE INDEX transactional_messages_recipient ON transactional_messages (recipient) WHERE recipient IS NOT NULL;
CREATE INDEX transactional_messages_email ON transactional_messages (lower(email)) WHERE email IS NOT NULL;
