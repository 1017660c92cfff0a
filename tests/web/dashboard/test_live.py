"""The live stream: what viewers get, and that they come and go without a trace."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import pairwise
from threading import Thread
from time import monotonic

import pytest
from flask.testing import FlaskClient
from psycopg2 import OperationalError

from tests.web.world import World
from web.pages.dashboard.broadcast import Broadcast, Stream, TooManyStreams


class Page:
    """Fragments that tests change."""

    def __init__(self) -> None:
        self.fragments = {"a": "1", "b": "1"}
        self.composed = 0
        self.is_broken = False

    def compose(self) -> dict[str, str]:
        self.composed += 1
        if self.is_broken:
            raise OperationalError("gone")
        return dict(self.fragments)


@pytest.fixture
def page() -> Page:
    return Page()


@pytest.fixture
def broadcast(page: Page) -> Iterator[Broadcast]:
    made = Broadcast(page.compose, interval=0.01, heartbeat=0.05, largest=2)
    yield made
    made.close()


def news(stream: Stream) -> tuple[str, dict[str, str]]:
    return next(item for item in stream if item is not None)


def until(condition: Callable[[], bool]) -> None:
    deadline = monotonic() + 60
    while not condition():
        assert monotonic() < deadline, "waited in vain"


def test_a_new_viewer_gets_everything_and_then_what_changes(page: Page, broadcast: Broadcast) -> None:
    with_all = broadcast.stream(None)
    assert news(with_all)[1] == {"a": "1", "b": "1"}
    page.fragments["b"] = "2"
    assert news(with_all)[1] == {"b": "2"}


def test_a_viewer_who_comes_back_gets_what_was_missed(page: Page, broadcast: Broadcast) -> None:
    first = broadcast.stream(None)
    seen, _ = news(first)
    page.fragments["a"] = "2"
    news(first)
    assert news(broadcast.stream(seen))[1] == {"a": "2"}


@pytest.mark.parametrize("name", ["", "nonsense", "00000000-1", "7", "-"])
def test_a_viewer_of_another_process_gets_everything(broadcast: Broadcast, name: str) -> None:
    assert news(broadcast.stream(name))[1] == {"a": "1", "b": "1"}


def test_a_quiet_stream_beats(broadcast: Broadcast) -> None:
    stream = broadcast.stream(None)
    news(stream)
    assert next(stream) is None


def test_viewers_are_limited_and_their_places_come_back(broadcast: Broadcast) -> None:
    first, _second = broadcast.stream(None), broadcast.stream(None)
    with pytest.raises(TooManyStreams):
        broadcast.stream(None)
    first.close()
    first.close()
    broadcast.stream(None)
    with pytest.raises(TooManyStreams):
        broadcast.stream(None)


def test_nothing_is_composed_when_nobody_looks(page: Page, broadcast: Broadcast) -> None:
    stream = broadcast.stream(None)
    news(stream)
    stream.close()
    until(lambda: not broadcast.is_running)
    composed = page.composed
    stream = broadcast.stream(None)
    until(lambda: page.composed > composed)


def test_viewers_share_what_is_composed(page: Page) -> None:
    slow = Broadcast(page.compose, interval=60)
    for _ in range(5):
        assert slow.edition().fragments == {"a": "1", "b": "1"}
    assert page.composed == 1


def test_the_stream_outlives_an_absence_of_the_database(page: Page, broadcast: Broadcast) -> None:
    stream = broadcast.stream(None)
    news(stream)
    page.is_broken = True
    composed = page.composed
    until(lambda: page.composed > composed + 2)
    page.fragments["a"] = "2"
    page.is_broken = False
    assert news(stream)[1] == {"a": "2"}


def test_closing_ends_streams_at_once() -> None:
    page = Page()
    broadcast = Broadcast(page.compose, interval=0.01, heartbeat=60)
    stream = broadcast.stream(None)
    ended: list[bool] = []
    thread = Thread(target=lambda: ended.append(all(True for _ in stream)))
    thread.start()
    broadcast.close()
    thread.join(5)
    assert ended == [True]
    assert not broadcast.is_running
    with pytest.raises(TooManyStreams):
        broadcast.stream(None)


def test_editions_keep_their_order(page: Page, broadcast: Broadcast) -> None:
    stream = broadcast.stream(None)
    names = []
    for value in "2345":
        names.append(news(stream)[0])
        page.fragments["a"] = value
    numbers = [int(name.rpartition("-")[2]) for name in names]
    assert all(earlier < later for earlier, later in pairwise(numbers))


def test_events_come_over_http(client: FlaskClient, world: World) -> None:
    answer = client.get("/live")
    assert answer.mimetype == "text/event-stream"
    assert answer.headers["X-Accel-Buffering"] == "no"
    chunks = (chunk.decode() if isinstance(chunk, bytes) else chunk for chunk in answer.response)
    message = next(chunk for chunk in chunks if "event: fragments" in chunk)
    fragments = json.loads(message.partition("data: ")[2])
    assert "Your first campaign in four steps" in fragments["start"]
    answer.close()


def test_one_viewer_too_many_is_told_to_poll(client: FlaskClient) -> None:
    open_pages = [client.get("/live") for _ in range(3)]
    refused = client.get("/live")
    assert refused.status_code == 503
    assert refused.headers["Retry-After"]
    assert refused.json["message"]
    for answer in open_pages:
        answer.close()
    again = [client.get("/live") for _ in range(3)]
    assert [answer.status_code for answer in again] == [200] * 3
    for answer in again:
        answer.close()


def test_polling_costs_nothing_while_nothing_changes(client: FlaskClient) -> None:
    first = client.get("/live/fragments")
    assert "servers" in first.json
    again = client.get("/live/fragments", headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304
    assert not again.data
