"""The log as it is, newest first.

A page is found by walking back from a position. Filters that no index serves look at no more than LOOK_AT
events for one page, and the page says so when that was the end of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from flask import Blueprint, render_template, request

from projections import availability
from projections.servers import servers as all_servers
from web.http.access import needs
from web.http.heavy_requests import heavy
from web.http.services import reading
from web.pages.forms import link_with
from web.pages.log.event_descriptions import EventDescription, Names, describe
from web.pages.log.events import COLUMNS, LoggedEvent, events_of
from web.pages.log.subjects import Subject, subject

blueprint = Blueprint("log_pages", __name__)

PER_PAGE = 50
LOOK_AT = 50_000
LARGEST_POSITION = 2**62
TOPICS = (
    ("delivery.", "Deliveries"),
    ("audience.", "Queueing"),
    ("campaign.", "Campaigns"),
    ("server.", "Servers"),
    ("capacity.", "Capacity"),
    ("policy.", "Settings"),
    ("people.", "Imports"),
    ("person.", "People"),
    ("list.", "Lists"),
    ("template.", "Templates"),
    ("user.", "Users"),
    ("key.", "API keys"),
)

NARROWING = ("topic", "campaign", "by")
"""What leaves events out, so that it may take long until a page is full."""
FILTERS = (*NARROWING, "stream", "since", "until")

HEAD = "SELECT position, encode(hash, 'hex'), recorded_at FROM log_head"

RECORDED_SINCE = "SELECT recorded_at >= %s FROM events WHERE position = %s"

OF_STREAM = (
    COLUMNS
    + """
    WHERE stream_id = %(stream)s AND position < %(before)s AND position >= %(first)s
      AND starts_with(topic, %(topic)s)
      AND position(%(mark)s IN state) > 0
      AND (%(by)s = '' OR starts_with(convert_from(state, 'UTF8')::jsonb->>'by', %(by)s))
    ORDER BY version DESC LIMIT %(limit)s
"""
)

MATCHING = (
    COLUMNS
    + """
    WHERE position < %(before)s AND position >= %(least)s
      AND starts_with(topic, %(topic)s)
      AND (%(low)s::uuid IS NULL OR stream_id BETWEEN %(low)s AND %(high)s)
      AND position(%(mark)s IN state) > 0
      AND (%(by)s = '' OR starts_with(convert_from(state, 'UTF8')::jsonb->>'by', %(by)s))
    ORDER BY position DESC LIMIT %(limit)s
"""
)


class LogHead(NamedTuple):
    position: int
    hash: str
    recorded_at: datetime


@dataclass(frozen=True)
class LogFilter:
    """`topic` and `by` are what they begin with; `first` and `before` are positions."""

    topic: str = ""
    campaign: int | None = None
    stream: UUID | None = None
    by: str = ""
    first: int = 1
    before: int = LARGEST_POSITION

    @property
    def is_wide(self) -> bool:
        """Whether every event matches, so that a page is full at once."""
        return not any(getattr(self, name) for name in NARROWING)


@dataclass(frozen=True, kw_only=True)
class LogLine:
    event: LoggedEvent
    description: EventDescription
    subject: Subject


@dataclass(frozen=True, kw_only=True)
class FoundEvents:
    """`older` is the position before which the next page begins, None when there is nothing more. `looked`
    is how many events were looked at when the walk was ended before the page was full."""

    events: Sequence[LoggedEvent]
    older: int | None = None
    looked: int = 0


@blueprint.get("/log")
@needs("read")
def listed() -> str:
    errors: dict[str, str] = {}
    narrows = any(request.args.get(name) for name in NARROWING)
    with heavy() if narrows else nullcontext(), reading() as cursor:
        zone = ZoneInfo(availability.policy_of(cursor).timezone)
        head = head_of(cursor)
        asked = read_filter(cursor, head, zone, errors)
        found = FoundEvents(events=[]) if errors else find(cursor, asked, head)
        names = {one.server: one.name for one in all_servers(cursor)}
    return render_template(
        "log/log.html",
        head=head,
        lines=lines(found.events, names),
        older=found.older,
        looked=found.looked,
        values=request.args,
        errors=errors,
        topics=TOPICS,
        zone=zone.key,
        is_first=asked.before > head.position,
        is_filtered=any(request.args.get(name) for name in FILTERS),
        link=link_with,
    )


def head_of(cursor: Any) -> LogHead:
    cursor.execute(HEAD)
    position, digest, at = cursor.fetchone()
    return LogHead(position, digest, at.astimezone(UTC))


def read_filter(cursor: Any, head: LogHead, zone: ZoneInfo, errors: dict[str, str]) -> LogFilter:
    """Puts what is wrong into `errors`, by field."""
    given = {name: printable(request.args.get(name, "")) for name in (*FILTERS, "before")}
    before = positive(given, "before", LARGEST_POSITION, errors) or LARGEST_POSITION
    until = moment(given, "until", zone, errors)
    since = moment(given, "since", zone, errors)
    if until is not None:
        before = min(before, first_since(cursor, head, until))
    return LogFilter(
        topic=given["topic"],
        campaign=positive(given, "campaign", 0xFFFFFFFF, errors),
        stream=stream(given, errors),
        by=given["by"],
        first=1 if since is None else first_since(cursor, head, since),
        before=before,
    )


def printable(text: str) -> str:
    """What cannot be typed into a field is in no topic and no name."""
    return "".join(character for character in text[:200] if character.isprintable()).strip()


def positive(given: dict[str, str], name: str, largest: int, errors: dict[str, str]) -> int | None:
    text = given[name]
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= largest):
        errors[name] = "A whole number is expected."
        return None
    return int(text)


def moment(given: dict[str, str], name: str, zone: ZoneInfo, errors: dict[str, str]) -> datetime | None:
    """Local time of the settings' time zone, unless it brings its own offset."""
    text = given[name]
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        errors[name] = "A date and time such as 2026-03-06 08:00 is expected."
        return None


def stream(given: dict[str, str], errors: dict[str, str]) -> UUID | None:
    if not given["stream"]:
        return None
    try:
        return UUID(given["stream"])
    except ValueError:
        errors["stream"] = "A UUID is expected."
        return None


def first_since(cursor: Any, head: LogHead, at: datetime) -> int:
    """The first position that was recorded at that time or later; times do not decrease along the log."""
    low, high = 1, head.position + 1
    while low < high:
        middle = (low + high) // 2
        cursor.execute(RECORDED_SINCE, (at, middle))
        if cursor.fetchone()[0]:
            high = middle
        else:
            low = middle + 1
    return low


def find(cursor: Any, asked: LogFilter, head: LogHead) -> FoundEvents:
    values = {
        "topic": asked.topic,
        "by": asked.by,
        "mark": mark_of(asked.by),
        "before": asked.before,
        "limit": PER_PAGE + 1,
    }
    if asked.stream is not None:
        cursor.execute(OF_STREAM, {**values, "stream": str(asked.stream), "first": asked.first})
        return page_of(events_of(cursor.fetchall()))
    before = min(asked.before, head.position + 1)
    least = asked.first if asked.is_wide else max(asked.first, before - LOOK_AT)
    low, high = streams_of(asked.campaign)
    cursor.execute(MATCHING, {**values, "before": before, "least": least, "low": low, "high": high})
    found = page_of(events_of(cursor.fetchall()))
    if found.older is None and least > asked.first:
        return FoundEvents(events=found.events, older=least, looked=before - least)
    return found


def mark_of(by: str) -> bytes:
    """What the state of every event by such an actor has in it; looking for that first spares reading the
    JSON of all others."""
    is_plain = by.isascii() and by.isprintable() and not set(by) & set('"\\/')
    return f'"by":"{by}'.encode() if by and is_plain else b""


def page_of(found: list[LoggedEvent]) -> FoundEvents:
    if len(found) <= PER_PAGE:
        return FoundEvents(events=found)
    return FoundEvents(events=found[:PER_PAGE], older=found[PER_PAGE - 1].position)


def streams_of(campaign: int | None) -> tuple[str | None, str | None]:
    """The first and the last of a campaign's streams: they lie side by side."""
    if campaign is None:
        return None, None
    return str(UUID(int=campaign << 96)), str(UUID(int=((campaign + 1) << 96) - 1))


def lines(found: Sequence[LoggedEvent], names: Names) -> list[LogLine]:
    return [
        LogLine(
            event=one, description=describe(one.topic, one.state, names), subject=subject(one.stream, names)
        )
        for one in found
    ]
