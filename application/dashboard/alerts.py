"""What somebody should look at, from the dashboard's model: the worst first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from application.dashboard.model import DashboardModel, share
from domain.delivery.delivery import Status
from domain.server.availability import Closed
from projections.availability import Availability

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
    waiting: Closed | None = None


def alerts(model: DashboardModel) -> list[Alert]:
    found = [
        *of_the_queue(model),
        *of_all_servers(model),
        *nearly_full(model.capacity.servers),
        *(alert for server in model.capacity.servers for alert in of_server(server)),
    ]
    return sorted(found, key=lambda alert: alert.tone != "bad")


def of_the_queue(model: DashboardModel) -> Iterator[Alert]:
    if model.nobody_sends is not None:
        tone = "bad" if model.nobody_sends.is_missed else "warn"
        yield Alert(tone=tone, text="No processor runs, so nothing is sent", path="/queue?status=queued")
    for job in model.capacity.failing:
        text = f"A processor reports a failing job: {job}. Its log says more"
        yield Alert(tone="bad", text=text, path="/queue?status=queued")
    if model.capacity.queue_paused:
        yield Alert(tone="warn", text="The queue is paused", path="/queue")
    if unknown := model.counts.get(Status.UNKNOWN, 0):
        what = "e-mail" if unknown == 1 else "e-mails"
        yield Alert(
            tone="warn",
            text=f"{unknown:,} {what} may or may not have gone out: decide what happens to them",
            path="/queue?status=unknown",
        )


def of_all_servers(model: DashboardModel) -> Iterator[Alert]:
    waiting, today = model.counts.get(Status.QUEUED, 0), model.today
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
