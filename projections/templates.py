"""Templates, and which of them is the default."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from projections.following.batch import DecodedEvent, EventBatch
from projections.following.projection import Projection

TABLE = """
    CREATE TABLE templates (
        template   integer     PRIMARY KEY,
        name       text        NOT NULL,
        type       text        NOT NULL,
        subject    text        NOT NULL,
        body       text        NOT NULL,
        source     text,
        is_default boolean     NOT NULL DEFAULT false,
        created_at timestamptz NOT NULL,
        changed_at timestamptz NOT NULL,
        changed_by text        NOT NULL
    )
"""

FIELDS = ("name", "type", "subject", "body", "source")

CREATED = """
    INSERT INTO templates (template, name, type, subject, body, source, created_at, changed_at, changed_by)
    VALUES (%(template)s, %(name)s, %(type)s, %(subject)s, %(body)s, %(source)s, %(at)s, %(at)s, %(by)s)
"""

EDITED = """
    UPDATE templates SET name = %(name)s, type = %(type)s, subject = %(subject)s, body = %(body)s,
                         source = %(source)s, changed_at = %(at)s, changed_by = %(by)s
    WHERE template = %(template)s
"""

MADE_DEFAULT = """
    UPDATE templates SET is_default = template = %(template)s WHERE is_default OR template = %(template)s
"""

TOPICS = frozenset({"template.created", "template.edited", "template.made_default", "template.deleted"})

SELECT = """
    SELECT template, name, type, subject, body, source, is_default, created_at, changed_at, changed_by
    FROM templates
"""


def fold(cursor: Any, batch: EventBatch) -> None:
    for event in batch.events(cursor, TOPICS):
        _apply(cursor, event)


def _apply(cursor: Any, event: DecodedEvent) -> None:
    about = {"template": event.number, "at": event.at, "by": event.state["by"]}
    if event.topic == "template.created":
        cursor.execute(CREATED, {**_content(event.state), **about})
    elif event.topic == "template.edited":
        cursor.execute("SELECT name, type, subject, body, source FROM templates WHERE template = %s",
                       (event.number,))  # fmt: skip
        before = dict(zip(FIELDS, cursor.fetchone(), strict=True))
        cursor.execute(EDITED, {**_content({**before, **event.state["changes"]}), **about})
    elif event.topic == "template.made_default":
        cursor.execute(MADE_DEFAULT, about)
    else:
        cursor.execute("DELETE FROM templates WHERE template = %s", (event.number,))


def _content(values: dict[str, Any]) -> dict[str, Any]:
    return {name: values.get(name) for name in FIELDS}


PROJECTION = Projection(name="templates", tables={"templates": TABLE}, topics=TOPICS, fold=fold)


@dataclass(frozen=True)
class TemplateRow:
    """`body` and `source` are the SHA-256 of texts."""

    template: int
    name: str
    type: str
    subject: str
    body: str
    source: str | None
    is_default: bool
    created_at: datetime
    changed_at: datetime
    changed_by: str


def templates(cursor: Any) -> list[TemplateRow]:
    """In the order of their making."""
    cursor.execute(SELECT + "ORDER BY template")
    return [TemplateRow(*row) for row in cursor.fetchall()]


def template(cursor: Any, number: int) -> TemplateRow | None:
    cursor.execute(SELECT + "WHERE template = %s", (number,))
    row = cursor.fetchone()
    return None if row is None else TemplateRow(*row)


def default_template(cursor: Any) -> int | None:
    cursor.execute("SELECT template FROM templates WHERE is_default")
    row = cursor.fetchone()
    return None if row is None else int(row[0])
