-- Answers that take room are counted for whoever they are kept for. Answers of an earlier release could hold
-- addresses; whoever sends one of those requests again is told that it was carried out, and no more.

CREATE INDEX idempotency_keys_large ON idempotency_keys (principal, octet_length(body))
    WHERE octet_length(body) > 1024;

UPDATE idempotency_keys SET body = convert_to('{"data":null}', 'UTF8') WHERE status IS NOT NULL;
