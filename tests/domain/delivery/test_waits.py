"""What a delivery waited for is what would have been said at each moment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from domain.campaign.campaign import Campaign
from domain.capacity.capacity import Reserved, Returned
from domain.capacity.past import PastCapacity
from domain.delivery.delivery import AttemptStarted, Cancelled, Deferred, Requeued
from domain.delivery.waits import Past, Span, spans, waits
from domain.fact import Happened
from domain.policy import SendingPolicy
from domain.server.server import SmtpServer
from domain.streams import capacity_stream, delivery_stream
from tests.domain.capacity.folded_log import FoldedLog, past_capacity

MONDAY = datetime(2026, 3, 2, 6, tzinfo=UTC)
STREAM = delivery_stream(1, 7)
LEAST = {"name": "alpha", "host": "smtp.example.com", "from_email": "news@example.com"}


def hours(number: float) -> datetime:
    return MONDAY + timedelta(hours=number)


class Log:
    """Written by the domain's own commands, in order of time."""

    def __init__(self, **policy: Any) -> None:
        self.happened: list[Happened] = []
        self.policy_now = SendingPolicy()
        self.campaign = Campaign.create(
            1, {"name": "Spring", "subject": "Hi", "text": "0" * 64, "lists": [1]}, by="test", at=MONDAY
        )
        self.servers: dict[int, SmtpServer] = {}
        self.versions: dict[int, int] = {}
        self.policy(-1, **policy)
        self.at(-1, self.campaign)

    def at(self, when: float, aggregate: Campaign | SmtpServer) -> None:
        self.happened += [Happened(hours(when), event) for event in aggregate.collect_events()]

    def policy(self, when: float, **changes: Any) -> None:
        fact = self.policy_now.change(changes, by="test") if changes else None
        if fact is not None:
            self.policy_now = self.policy_now.apply(fact)
            self.happened.append(Happened(hours(when), fact))

    def start(self, when: float) -> None:
        self.campaign.start(by="test", at=hours(when))
        self.at(when, self.campaign)

    def server(self, number: int, **settings: Any) -> SmtpServer:
        self.servers[number] = SmtpServer.add(number, {**LEAST, **settings}, by="test", at=MONDAY)
        self.at(-1, self.servers[number])
        return self.servers[number]

    def reserve(self, when: float, server: int, n: int, seconds: float = 10) -> int:
        version = self.versions[server] = self.versions.get(server, 0) + 1
        day = hours(when).date().isoformat()
        fact = Reserved(originator_id=capacity_stream(server), originator_version=version, by="processor:1",
                        n=n, day=day, until=hours(when).timestamp() + seconds)  # fmt: skip
        self.happened.append(Happened(hours(when), fact))
        return version

    def give_back(self, when: float, server: int, reservation: int, unused: int) -> None:
        version = self.versions[server] = self.versions[server] + 1
        fact = Returned(originator_id=capacity_stream(server), originator_version=version, by="processor:1",
                        reservation=reservation, at=hours(when).timestamp(), unused=unused)  # fmt: skip
        self.happened.append(Happened(hours(when), fact))

    def ordered(self) -> list[Happened]:
        return sorted(self.happened, key=lambda one: one.at)

    def told(self, until: float, since: float = 0, again: float = 0) -> list[str]:
        past = Past(past_capacity(self.ordered()))
        found = waits([Span(hours(since), hours(until), hours(again))], self.ordered(), past)
        return [f"{_hour(wait.since)}-{_hour(wait.until)} {wait.waiting.text}" for wait in found.waits]


def _hour(at: datetime) -> str:
    return f"{(at - MONDAY) / timedelta(hours=1):g}"


def test_a_day_in_the_life_of_a_queued_delivery() -> None:
    log = Log(windows="08:00-20:00")
    alpha = log.server(1, daily_limit=10)
    log.start(0)
    log.campaign.pause("a typo", by="test", at=hours(3))
    log.at(3, log.campaign)
    log.campaign.resume(by="test", at=hours(4))
    log.at(4, log.campaign)
    alpha.suspend("421 slow down", hours(6), by="processor:1", at=hours(5))
    log.at(5, alpha)
    log.reserve(7, 1, 10)
    assert log.told(28) == [
        "0-2 outside the sending window",
        "2-3 next in line",
        "3-4 the campaign is paused: a typo",
        "4-5 next in line",
        "5-6 server alpha: suspended: 421 slow down",
        "6-7 next in line",
        "7-14 server alpha: daily limit reached",
        "14-26 outside the sending window",
        "26-28 next in line",
    ]


def test_a_rolling_limit_a_pause_of_the_queue_and_a_retry() -> None:
    log = Log()
    log.server(1, sliding_window=True, sliding_window_rate=5, sliding_window_duration=3600)
    log.start(0)
    log.reserve(1, 1, 5, seconds=0)
    log.policy(3, queue_paused=True)
    log.policy(4, queue_paused=False)
    assert log.told(6) == [
        "0-1 next in line",
        "1-2 server alpha: rolling limit reached",
        "2-3 next in line",
        "3-4 the queue is paused",
        "4-6 next in line",
    ]
    assert log.told(6, since=4, again=5) == ["4-5 retry", "5-6 next in line"]


def test_what_a_server_gives_back_opens_it_again() -> None:
    log = Log()
    log.server(1, daily_limit=10)
    log.start(0)
    reservation = log.reserve(1, 1, 10)
    log.give_back(2, 1, reservation, unused=1)
    assert log.told(3) == [
        "0-1 next in line",
        "1-2 server alpha: daily limit reached",
        "2-3 next in line",
    ]


def test_nothing_waits_in_a_campaign_that_is_cancelled() -> None:
    log = Log()
    log.server(1)
    log.start(0)
    log.campaign.cancel(reason="", by="test", at=hours(2))
    log.at(2, log.campaign)
    assert log.told(5) == ["0-2 next in line"]


def test_a_delivery_waits_from_the_queue_to_each_attempt() -> None:
    def fact(kind: Any, version: int, **fields: Any) -> Any:
        return kind(originator_id=STREAM, originator_version=version, by="test", **fields)

    again = hours(3).timestamp()
    own = [
        (hours(1), fact(AttemptStarted, 1, server=1, reservation=1)),
        (hours(1.5), fact(Deferred, 2, server=1, reply="later", about="recipient", again=again)),
        (hours(4), fact(AttemptStarted, 3, server=1, reservation=1)),
        (hours(4), fact(Deferred, 4, server=1, reply="later", about="server", again=hours(4).timestamp())),
        (hours(5), fact(Cancelled, 5, reason="asked for")),
        (hours(6), fact(Requeued, 6, reason="asked for")),
    ]
    assert list(spans(hours(0), own, hours(7))) == [
        Span(hours(0), hours(1), hours(0)),
        Span(hours(1.5), hours(4), hours(3)),
        Span(hours(4), hours(5), hours(4)),
        Span(hours(6), hours(7), hours(6)),
    ]


moments = st.integers(0, 72 * 4).map(lambda quarters: quarters / 4)
changes = st.lists(
    st.tuples(
        moments,
        st.sampled_from(
            [
                "pause",
                "resume",
                "suspend",
                "queue",
                "go",
                "reserve",
                "reserve",
                "disable",
                "enable",
                "limit",
                "zone",
            ]
        ),
        st.integers(1, 3),
    ),
    max_size=25,
)


@given(changes, st.lists(moments, max_size=15), st.sampled_from(["", "08:00-20:00", "22:00-04:00"]))
def test_the_past_is_told_as_the_present_was(
    given_changes: list[tuple[float, str, int]], asked: list[float], windows: str
) -> None:
    """Whoever had asked at that moment, knowing the log up to it alone, would have heard the same."""
    log = Log(windows=windows)
    for number in (1, 2, 3):
        log.server(number, name=f"s{number}", daily_limit=20, sliding_window=number == 2,
                   sliding_window_rate=15 * (number == 2), sliding_window_duration=7200)  # fmt: skip
    log.start(0)
    for when, what, number in sorted(given_changes):
        _change(log, when, what, number)
    ordered = log.ordered()
    found, known_until = waits([Span(hours(0), hours(73), hours(0))], ordered, Past(past_capacity(ordered)))
    assert known_until is None
    assert found[0].since == hours(0)
    assert found[-1].until == hours(73)
    assert all(a.until == b.since for a, b in pairwise(found))
    for when in asked:
        past = Past(past_capacity(ordered))
        for one in ordered:
            if one.at <= hours(when):
                past.apply(one.event)
        told = next(wait.waiting for wait in found if wait.since <= hours(when) < wait.until)
        now, _ = past.why(hours(when), hours(0), hours(73))
        assert (told.reason, told.server, told.detail) == (now.reason, now.server, now.detail)


def _change(log: Log, when: float, what: str, number: int) -> None:
    server, at = log.servers[number], hours(when)
    if what == "pause" and log.campaign.state == "running":
        log.campaign.pause("", by="test", at=at)
    elif what == "resume" and log.campaign.state == "paused":
        log.campaign.resume(by="test", at=at)
    elif what == "suspend":
        server.suspend("421", at + timedelta(minutes=40), by="test", at=at)
    elif what in ("queue", "go"):
        log.policy(when, queue_paused=what == "queue")
    elif what == "reserve":
        log.reserve(when, number, 5)
    elif what == "limit":
        server.change(
            {"daily_limit": int(when) % 3 * 5, "sliding_window_duration": 3600 * number}, by="test", at=at
        )
    elif what == "zone":
        log.policy(when, timezone=["UTC", "Asia/Tokyo", "America/Los_Angeles"][number - 1])
    elif what in ("disable", "enable"):
        getattr(server, what)(by="test", at=at)
    log.at(when, log.campaign)
    log.at(when, server)


def test_only_the_capacity_that_the_answer_depends_on_is_read() -> None:
    log = Log()
    for number in (1, 2, 3):
        log.server(number, name=f"s{number}", daily_limit=10)
    log.start(0)
    for minute in range(100):
        for number in (1, 2, 3):
            log.reserve(1 + minute / 60, number, 1 if number == 1 and minute < 10 else 0)
    for until, servers in ((1, {1}), (1.1, {1}), (1.5, {1, 2, 3})):
        read = FoldedLog(log.ordered())
        waits([Span(hours(0), hours(until), hours(0))], log.ordered(), Past(PastCapacity(read, 1000)))
        assert read.asked.keys() == servers


def test_no_more_is_read_than_may_be() -> None:
    log = Log()
    log.server(1, daily_limit=1000)
    log.start(0)
    for minute in range(100):
        log.reserve(1 + minute / 60, 1, 1)
    read = FoldedLog(log.ordered())
    found = waits([Span(hours(0), hours(9), hours(0))], log.ordered(), Past(PastCapacity(read, 60)))
    assert found.known_until == hours(1 + 59 / 60)
    assert found.waits[-1].until == found.known_until
    assert read.asked == {1: 60}
