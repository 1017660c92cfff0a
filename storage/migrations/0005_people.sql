-- What listmonk's contract has beyond ours: lists of a type and status, with tags and a description; since
-- when somebody is on a list. A list that was deleted leaves its row, since campaigns name its number.
ALTER TABLE lists
    ADD COLUMN type        text        NOT NULL DEFAULT 'private' CHECK (type IN ('private', 'public')),
    ADD COLUMN status      text        NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'archived')),
    ADD COLUMN tags        text[]      NOT NULL DEFAULT '{}',
    ADD COLUMN description text        NOT NULL DEFAULT '',
    ADD COLUMN updated_at  timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN deleted_at  timestamptz;

UPDATE lists SET updated_at = created_at;

ALTER TABLE lists DROP CONSTRAINT lists_name_key;
CREATE UNIQUE INDEX lists_name ON lists (name) WHERE deleted_at IS NULL;

ALTER TABLE subscriptions ADD COLUMN created_at timestamptz NOT NULL DEFAULT now();

CREATE SEQUENCE template_numbers AS integer;
