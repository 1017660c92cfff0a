"""What somebody should look at, from the figures of the dashboard: the worst first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from domain.delivery.delivery import Status
from domain.delivery.waiting import Waiting
from projections.availability import Availability
from web.pages.dashboard.model import Readings, Today, share

NEARLY = 0.9
"""Of a day's limit."""

MOST_NAMED = 2

FAILING = 0.1
FEWEST = 20
"""A share of failures says little about fewer e-mails."""


@dataclass(frozen=True, kw_only=True)
class Alert:
    """`path` is where to do something about it; `waiting` tells why, and until when."""

    tone: str
    text: str
    path: str
    waiting: Waiting | None = None


def alerts(readings: Readings, today: Today) -> list[Alert]:
    found = [
        *of_the_queue(readings),
        *of_all_servers(readings, today),
        *nearly_full(readings.capacity.servers),
        *(alert for server in readings.capacity.servers for alert in of_server(server)),
    ]
    return sorted(found, key=lambda alert: alert.tone != "bad")


def of_the_queue(readings: Readings) -> Iterator[Alert]:
    if readings.counts.get(Status.QUEUED, 0) and not readings.processors:
        yield Alert(tone="bad", text="No processor runs, so nothing is sent", path="/queue?status=queued")
    for job in readings.capacity.failing:
        text = f"A processor fails: {job}. Its log says more"
        yield Alert(tone="bad", text=text, path="/queue?status=queued")
    if readings.capacity.queue_paused:
        yield Alert(tone="warn", text="The whole queue is paused", path="/queue")
    if unknown := readings.counts.get(Status.UNKNOWN, 0):
        what = "e-mail" if unknown == 1 else "e-mails"
        yield Alert(
            tone="warn",
            text=f"{unknown:,} {what} may have gone out or not: somebody has to decide",
            path="/queue?status=unknown",
        )


def of_all_servers(readings: Readings, today: Today) -> Iterator[Alert]:
    waiting = readings.counts.get(Status.QUEUED, 0)
    if not waiting or not today.limit or today.unlimited:
        return
    if waiting > today.left:
        what = "e-mail waits" if waiting == 1 else "e-mails wait"
        text = f"{waiting:,} {what} and {today.left:,} can go out today"
        yield Alert(tone="note", text=text, path="/servers")


def nearly_full(servers: Sequence[Availability]) -> Iterator[Alert]:
    """Each by name as long as they are few: in a campaign of many days all are, each day."""
    full = [
        one
        for one in servers
        if one.enabled and one.daily_limit and one.daily_used >= NEARLY * one.daily_limit
    ]
    if len(full) > MOST_NAMED:
        text = f"{len(full):,} of {len(servers):,} servers have used 90 % of their day or more"
        yield Alert(tone="warn", text=text, path="/servers")
        return
    for server in full:
        used = share(server.daily_used, server.daily_limit)
        path = f"/servers/{server.number}"
        yield Alert(tone="warn", text=f"{server.name} has used {used} of its day", path=path)


def of_server(server: Availability) -> Iterator[Alert]:
    path = f"/servers/{server.number}"
    if server.closed is not None and server.closed.code == "suspended":
        yield Alert(tone="bad", text=server.name, path=path, waiting=server.closed)
    finished = server.sent_today + server.failed_today
    if finished >= FEWEST and server.failed_today >= FAILING * finished:
        failed = share(server.failed_today, finished)
        yield Alert(tone="bad", text=f"{server.name}: {failed} failed today", path=path)
