"""The log as a feed: read on from a position, wait for what comes, or be told as it comes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore, Event
from time import monotonic
from typing import Annotated, Any
from uuid import UUID

from flask import Blueprint, Flask, Response, current_app, jsonify, request
from pydantic import AfterValidator, Field

from domain.topics import EVENT_CLASSES
from storage.log import feed
from storage.log.feed import FeedPage
from storage.postgres.pool import Pool
from web.api.cloud_events import CloudEvent, cloud_event, source
from web.http.access import lasting
from web.http.contract import endpoint
from web.http.errors import Refusal
from web.http.services import services
from web.http.shapes import Answer, Digits, Query

blueprint = Blueprint("events", __name__)

TOPICS = frozenset(str(one.TOPIC) for one in EVENT_CLASSES)  # type: ignore[attr-defined]
KNOWN = sorted(TOPICS | {topic.partition(".")[0] for topic in TOPICS})
BATCH = "application/cloudevents-batch+json"
STREAM = "text/event-stream"
LARGEST_POSITION = 2**63 - 1
LONGEST_WAIT = 30
LOOK_EVERY = 0.25
HEARTBEAT = 15.0
CHECK_EVERY = 10.0
PAGE = 500


def known_topic(text: str) -> str:
    """A topic that is none would never match, and whoever waits for it would not hear why."""
    if text not in KNOWN:
        raise ValueError(f"there is no topic {text[:60]!r}")
    return text


Topic = Annotated[str, AfterValidator(known_topic), Field(json_schema_extra={"enum": KNOWN})]


class Feed(Query):
    after: Annotated[
        int,
        Digits(0, LARGEST_POSITION),
        Field(description="The position after which to read. `Last-Event-ID` goes before it in a stream."),
    ] = 0
    limit: Annotated[int, Digits(1, 1000)] = 100
    wait: Annotated[
        int, Digits(0, LONGEST_WAIT), Field(description="Seconds to wait while there is nothing.")
    ] = 0
    topic: Annotated[
        list[Topic],
        Field(max_length=20, description="As `delivery.accepted`, or the part before the dot."),
    ] = Field(default_factory=list)
    campaign: Annotated[int, Digits(), Field(description="Of this campaign and its deliveries.")] | None = (
        None
    )

    def streams(self) -> tuple[UUID, UUID] | None:
        if self.campaign is None:
            return None
        return UUID(int=self.campaign << 96), UUID(int=((self.campaign + 1) << 96) - 1)

    def topics(self) -> list[str]:
        """Each as it is, or all that begin with it and a dot."""
        return [
            known
            for topic in self.topic
            for known in {topic, *(one for one in TOPICS if one.startswith(f"{topic}."))}
        ]

    def read(self, pool: Pool, after: int, limit: int) -> FeedPage:
        """Raises Refusal for a position that the log has not reached."""
        with pool.transaction() as cursor:
            page = feed.read(cursor, after, limit, topics=self.topics(), streams=self.streams())
        if after > page.head:
            raise beyond(page.head)
        return page


def beyond(head: int) -> Refusal:
    """Whoever knows of more than there is has read another log, of a time before a backup say: waiting would
    leave out all that comes until then."""
    message = f"after: the log ends at {head}. Was another one read, or has a backup been restored?"
    return Refusal(400, message, fields={"after": message}, part="query")


class FeedAnswer(Answer):
    """`next` is what to ask for `after` next time, `head` the last position of the log."""

    events: list[CloudEvent]
    next: int
    head: int


class Waiters:
    """How many requests may wait at a time: each of them holds a thread."""

    def __init__(self, most: int) -> None:
        self._places = BoundedSemaphore(most)
        self.closing = Event()

    def enter(self) -> bool:
        return not self.closing.is_set() and self._places.acquire(blocking=False)

    def leave(self) -> None:
        self._places.release()

    def close(self) -> None:
        """Ends all waiting at once, and for good."""
        self.closing.set()


def install(app: Flask) -> None:
    app.extensions["postledger.waiters"] = Waiters(app.extensions["postledger"].settings.feeds)


def waiters() -> Waiters:
    found = current_app.extensions["postledger.waiters"]
    assert isinstance(found, Waiters)
    return found


@endpoint(blueprint, "GET", "/api/events", needs="read", query=Feed, answer=FeedAnswer, errors=(503,))
def events(query: Feed) -> dict[str, Any] | Response:
    """The log from a position on, as CloudEvents 1.0

    With `wait` the answer comes as soon as there is something. With `Accept: text/event-stream` events
    come as they happen, each with its position as its id, so that `Last-Event-ID` resumes; with
    `Accept: application/cloudevents-batch+json` the answer is the list alone. Nothing is left out and
    nothing comes twice: positions have no gaps, and follow the order in which events were committed.
    """
    wanted = request.accept_mimetypes.best_match(["application/json", STREAM, BATCH])
    if wanted == STREAM:
        return stream(query)
    page = waited_for(query)
    found = [cloud_event(event, source()) for event in page.events]
    if wanted == BATCH:
        response = jsonify(found)
        response.content_type = BATCH
        return response
    return {"events": found, "next": page.next, "head": page.head}


def waited_for(query: Feed) -> FeedPage:
    """Reads on over stretches in which there is nothing, until the time is up; without a place to wait in
    the answer comes at once."""
    pool, until = services().pool, monotonic() + query.wait
    page = query.read(pool, query.after, query.limit)
    if page.events or not query.wait:
        return page
    with place() as has_place:
        while has_place and not page.events and monotonic() < until:
            if page.next >= page.head and waiters().closing.wait(min(LOOK_EVERY, until - monotonic())):
                break
            page = query.read(pool, page.next, query.limit)
    return page


@contextmanager
def place() -> Iterator[bool]:
    found = waiters().enter()
    try:
        yield found
    finally:
        if found:
            waiters().leave()


def stream(query: Feed) -> Response:
    here = waiters()
    after = resumed_at(query)
    query.read(services().pool, after, 1)
    if not here.enter():
        raise Refusal(503, "Too many are waiting for events; ask without waiting.", {"Retry-After": "30"})
    body = messages(query, after, services().pool, source(), here.closing, lasting())
    response = Response(body, mimetype=STREAM)
    response.headers["X-Accel-Buffering"] = "no"
    response.call_on_close(here.leave)
    return response


def resumed_at(query: Feed) -> int:
    last = request.headers.get("Last-Event-ID")
    if last is None:
        return query.after
    if not (last.isascii() and last.isdigit() and len(last) <= 18):
        raise Refusal(400, "Last-Event-ID: the id of an event is expected.")
    return int(last)


def messages(
    query: Feed, after: int, pool: Pool, from_where: str, closing: Event, may_go_on: Callable[[], bool]
) -> Iterator[str]:
    """Server-sent events; a comment now and then shows that the connection lives. They end soon after the
    session, the key or the time without accounts that they began under."""
    yield "retry: 2000\n\n"
    spoke_at = checked_at = monotonic()
    while not closing.is_set():
        if monotonic() - checked_at > CHECK_EVERY:
            if not may_go_on():
                return
            checked_at = monotonic()
        page = query.read(pool, after, PAGE)
        for event in page.events:
            data = json.dumps(cloud_event(event, from_where), ensure_ascii=False)
            yield f"id: {event.position}\ndata: {data}\n\n"
        if page.events:
            spoke_at = monotonic()
        elif monotonic() - spoke_at >= HEARTBEAT:
            spoke_at = monotonic()
            yield ": still here\n\n"
        after = page.next
        if after >= page.head:
            closing.wait(LOOK_EVERY)
