"""One row per campaign: what it is, how far it has come, who changed it last."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from domain.campaign.content import CONTENT_FIELDS
from domain.campaign.events import EVENT_CLASSES, STATE_AFTER
from domain.campaign.state import NOT_STARTED, State
from domain.delivery.delivery import Status
from projections.following.batch import DecodedEvent, EventBatch
from projections.following.projection import Projection
from storage.postgres.like import containing

TABLE = """
    CREATE TABLE campaign_progress (
        campaign             integer     PRIMARY KEY,
        name                 text        NOT NULL,
        state                text        NOT NULL,
        priority             text        NOT NULL,
        messenger            integer,
        lists                integer[]   NOT NULL,
        subject              text        NOT NULL,
        text                 text,
        html                 text,
        headers              jsonb       NOT NULL,
        template             integer,
        body                 text,
        content_type         text        NOT NULL,
        tags                 text[]      NOT NULL,
        attributes           jsonb       NOT NULL,
        planned_for          timestamptz,
        transactional        boolean     NOT NULL,
        send_at              timestamptz,
        created_at           timestamptz NOT NULL,
        started_at           timestamptz,
        queueing_finished_at timestamptz,
        ended_at             timestamptz,
        recipients           integer,
        reason               text,
        changed_at           timestamptz NOT NULL,
        changed_by           text        NOT NULL
    )
"""

# The columns of the content have the names of its fields.
CREATED = f"""
    INSERT INTO campaign_progress (campaign, state, {", ".join(CONTENT_FIELDS)},
                                   transactional, created_at, changed_at, changed_by)
    VALUES (%(campaign)s, 'draft', {", ".join(f"%({name})s" for name in CONTENT_FIELDS)},
            %(transactional)s, %(at)s, %(at)s, %(by)s)
"""  # noqa: S608 - the names of the fields

EDITED = f"""
    UPDATE campaign_progress
    SET {", ".join(f"{name} = %({name})s" for name in CONTENT_FIELDS)},
        changed_at = %(at)s, changed_by = %(by)s
    WHERE campaign = %(campaign)s
"""  # noqa: S608 - the names of the fields

CONTENT = f"SELECT {', '.join(CONTENT_FIELDS)} FROM campaign_progress WHERE campaign = %s"  # noqa: S608 - the names of the fields

# The reason stays until something else happens to the campaign's state; why one was resumed is history.
WENT_ON = """
    UPDATE campaign_progress
    SET state = %(state)s, send_at = %(send_at)s, reason = %(reason)s,
        started_at = CASE WHEN %(topic)s = 'campaign.started' THEN %(at)s ELSE started_at END,
        ended_at = CASE WHEN %(is_over)s THEN %(at)s ELSE ended_at END,
        changed_at = %(at)s, changed_by = %(by)s
    WHERE campaign = %(campaign)s
"""

QUEUEING_FINISHED = """
    UPDATE campaign_progress
    SET recipients = %(recipients)s, queueing_finished_at = %(at)s, changed_at = %(at)s, changed_by = %(by)s
    WHERE campaign = %(campaign)s
"""

TOPICS = frozenset(event.TOPIC for event in EVENT_CLASSES)

PROGRESS = f"""
    SELECT c.*, {", ".join(f"q.{status}" for status in Status)}
    FROM campaign_progress c JOIN queue_campaigns q ON q.campaign = c.campaign
"""  # noqa: S608 - the names of all states

COUNT = "SELECT count(*) FROM campaign_progress c"

# Cancelled before it was started: it is shown no longer.
DISCARDED = "(c.state = 'cancelled' AND c.started_at IS NULL)"

FILTER = f"""
    WHERE (%(states)s::text[] IS NULL OR c.state = ANY (%(states)s))
      AND (%(like)s::text IS NULL OR c.name ILIKE %(like)s OR c.subject ILIKE %(like)s)
      AND (%(tags)s::text[] IS NULL OR c.tags @> %(tags)s::text[])
      AND (%(transactional)s::boolean IS NULL OR c.transactional = %(transactional)s)
      AND NOT {DISCARDED}
"""

ORDERS = {"name": "c.name", "status": "c.state", "created_at": "c.created_at", "updated_at": "c.changed_at"}
"""What a list can be ordered by, besides the numbers."""


def fold(cursor: Any, batch: EventBatch) -> None:
    for event in batch.events(cursor, TOPICS):
        _apply(cursor, event)


def _apply(cursor: Any, event: DecodedEvent) -> None:
    about = {"campaign": event.campaign, "at": event.at, "by": event.state["by"], "topic": event.topic}
    if event.topic == "campaign.created":
        about["transactional"] = event.state.get("transactional", False)
        cursor.execute(CREATED, {**_content(event.state), **about})
    elif event.topic == "campaign.queueing_finished":
        cursor.execute(QUEUEING_FINISHED, {**about, "recipients": event.state["recipients"]})
    elif event.topic in STATE_AFTER:
        after = STATE_AFTER[event.topic]
        state = {name: event.state.get(name) for name in ("send_at", "reason")}
        if event.topic == "campaign.resumed":
            state["reason"] = None
        cursor.execute(WENT_ON, {**about, **state, "state": after, "is_over": after.is_over})
    else:
        changes = event.state.get("changes") or {"priority": event.state["priority"]}
        cursor.execute(CONTENT, (event.campaign,))
        before = dict(zip(CONTENT_FIELDS, cursor.fetchone(), strict=True))
        cursor.execute(EDITED, {**_content({**before, **changes}), **about})


def _content(values: dict[str, Any]) -> dict[str, Any]:
    content = {name: values.get(name) for name in CONTENT_FIELDS}
    return {
        **content,
        "headers": json.dumps(content["headers"] or []),
        "content_type": content["content_type"] or "html",
        "tags": content["tags"] or [],
        "attributes": json.dumps(content["attributes"] or {}),
    }


PROJECTION = Projection(
    name="campaign_progress", tables={"campaign_progress": TABLE}, topics=TOPICS, fold=fold, version=3
)


@dataclass(frozen=True)
class Progress:
    """`text`, `html` and `body` are the SHA-256 of the content; `messenger` is a server's number or None for
    automatic; `recipients` is None until queueing has finished; `counts` has a number for each status;
    `reason` says why it is paused or cancelled."""

    campaign: int
    name: str
    state: State
    priority: str
    messenger: int | None
    lists: list[int]
    subject: str
    text: str | None
    html: str | None
    headers: list[list[str]]
    template: int | None
    body: str | None
    content_type: str
    tags: list[str]
    attributes: dict[str, Any]
    planned_for: datetime | None
    transactional: bool
    send_at: datetime | None
    created_at: datetime
    started_at: datetime | None
    queueing_finished_at: datetime | None
    ended_at: datetime | None
    recipients: int | None
    reason: str | None
    changed_at: datetime
    changed_by: str
    counts: dict[str, int]

    @property
    def is_discarded(self) -> bool:
        return self.state is State.CANCELLED and self.started_at is None

    @property
    def total(self) -> int:
        """Deliveries in the queue by now, whatever became of them."""
        return sum(self.counts.values())


def progress(cursor: Any, campaign: int) -> Progress | None:
    cursor.execute(PROGRESS + "WHERE c.campaign = %s", (campaign,))
    return next(_progress(cursor), None)


def campaigns(
    cursor: Any,
    states: Sequence[State] | None = None,
    limit: int = 1000,
    before: int | None = None,
    offset: int = 0,
    search: str | None = None,
    tags: list[str] | None = None,
    order_by: str | None = None,
    ascending: bool = False,
    transactional: bool | None = False,
) -> list[Progress]:
    """Newest first, or by one of ORDERS; of these states, with numbers below `before`, with `search` in name
    or subject, with all of the tags, and never those that were discarded. `transactional` asks for those
    alone, None for all."""
    direction = "ASC" if ascending else "DESC"
    order = f"{ORDERS[order_by]} {direction}, " if order_by else ""
    cursor.execute(
        PROGRESS + FILTER + " AND (%(before)s::integer IS NULL OR c.campaign < %(before)s)"
        f" ORDER BY {order}c.campaign {direction} LIMIT %(limit)s OFFSET %(offset)s",
        {**_filters(states, search, tags, transactional), "before": before, "limit": limit, "offset": offset},
    )
    return list(_progress(cursor))


def count(
    cursor: Any,
    states: Sequence[State] | None = None,
    search: str | None = None,
    tags: list[str] | None = None,
    transactional: bool | None = False,
) -> int:
    """Campaigns that `campaigns` lists."""
    cursor.execute(COUNT + FILTER, _filters(states, search, tags, transactional))
    return int(cursor.fetchone()[0])


def _filters(
    states: Sequence[State] | None, search: str | None, tags: list[str] | None, transactional: bool | None
) -> dict[str, Any]:
    return {
        "states": None if states is None else list(states),
        "like": None if search is None else containing(search),
        "tags": tags,
        "transactional": transactional,
    }


def counts_by_state(cursor: Any) -> dict[State, int]:
    """Without transactional ones and those that were discarded; states that none is in are left out."""
    cursor.execute(
        f"SELECT state, count(*) FROM campaign_progress c WHERE NOT (transactional OR {DISCARDED})"  # noqa: S608
        " GROUP BY state"
    )
    return {State(state): campaigns for state, campaigns in cursor.fetchall()}


def unstarted_with_template(cursor: Any, template: int) -> list[int]:
    """Drafts and scheduled campaigns that the template stands around."""
    cursor.execute(
        "SELECT campaign FROM campaign_progress WHERE template = %s AND state = ANY (%s) ORDER BY campaign",
        (template, list(NOT_STARTED)),
    )
    return [campaign for (campaign,) in cursor.fetchall()]


def scheduled_until(cursor: Any, now: datetime) -> list[int]:
    """Scheduled campaigns whose time has come, the one that waits longest first."""
    cursor.execute(
        "SELECT campaign FROM campaign_progress WHERE state = 'scheduled' AND send_at <= %s"
        " ORDER BY send_at, campaign",
        (now,),
    )
    return [campaign for (campaign,) in cursor.fetchall()]


def _progress(cursor: Any) -> Iterator[Progress]:
    for row in cursor.fetchall():
        (number, name, state, *fields), counts = row[: -len(Status)], row[-len(Status) :]
        by_status = {status.value: n for status, n in zip(Status, counts, strict=True)}
        yield Progress(*(number, name, State(state), *fields, by_status))
