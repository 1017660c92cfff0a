"""Histories at random, of all that can happen."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

from domain.delivery.delivery import BY_POLICY
from tests.projections.histories import DAYS, History


def _moves(history: History) -> Iterator[tuple[str, int]]:
    """What may happen next, and how often in comparison."""
    running = [n for n, state in history.campaigns.items() if state == "running"]
    paused = [n for n, state in history.campaigns.items() if state == "paused"]
    is_open = any(not r.returned and r.used < r.n for r in history.reservations)
    yield "wait", 2
    yield "reserve", 2
    yield "create", 1 if len(history.campaigns) < 3 else 0
    yield "start", 4 if "draft" in history.campaigns.values() else 0
    yield "schedule", 1 if "draft" in history.campaigns.values() else 0
    yield "queue", 4 if running or paused else 0
    yield "queue after the cancel", 1 if "cancelled" in history.campaigns.values() else 0
    yield "pause", 1 if running else 0
    yield "resume", 2 if paused else 0
    yield "cancel", 1 if running or paused else 0
    yield "finish queueing", 1 if running else 0
    yield "edit", 1
    yield "attempt", 8 if is_open and history.in_status("queued") else 0
    yield "end", 8 if history.in_status("sending") else 0
    yield "settle", 1 if history.in_status("queued") else 0
    yield "late evidence", 1 if history.in_status("unknown") else 0
    yield "resend", 3 if history.in_status("unknown") else 0
    yield "requeue", 2 if history.in_status("failed", "cancelled", "suppressed", "unknown") else 0
    yield "give back", 1 if any(not r.returned for r in history.reservations) else 0


@st.composite
def histories(draw: st.DrawFn, longest: int = 70) -> History:
    history = History()
    history.add_server()
    history.add_server()
    history.create()
    for _ in range(draw(st.integers(5, longest))):
        move = draw(st.sampled_from([move for move, weight in _moves(history) for _ in range(weight)]))
        _make(history, move, draw)
    return history


def _one_of(draw: st.DrawFn, options: list[Any]) -> Any:
    return draw(st.sampled_from(options))


def _make(history: History, move: str, draw: st.DrawFn) -> None:
    match move:
        case "wait":
            history.now += timedelta(seconds=draw(st.integers(1, 7200)))
        case "reserve":
            server, units = _one_of(draw, history.servers), draw(st.integers(1, 5))
            history.reserve(server, units, _one_of(draw, list(DAYS)))
        case "give back":
            reservation = _one_of(draw, [r for r in history.reservations if not r.returned])
            history.give_back(reservation, refused=draw(st.integers(0, reservation.used)))
        case "create":
            server = _one_of(draw, [None, *history.servers])
            history.create(server, _one_of(draw, ["high", "normal", "low"]))
        case "edit":
            number = _one_of(draw, list(history.campaigns))
            if draw(st.booleans()):
                history.turn(number, "priority_changed", priority=_one_of(draw, ["high", "low"]))
            else:
                messenger = _one_of(draw, [None, 1])
                history.turn(number, "edited", changes={"name": "New", "messenger": messenger})
        case _:
            _lead(history, move, draw)


def _lead(history: History, move: str, draw: st.DrawFn) -> None:
    """What leads a campaign on."""

    def campaign_that_is(*states: str) -> int:
        return int(_one_of(draw, [n for n, state in history.campaigns.items() if state in states]))

    match move:
        case "start":
            history.turn(campaign_that_is("draft"), "started", "running")
        case "schedule":
            number = campaign_that_is("draft")
            history.turn(number, "scheduled", send_at=(history.now + timedelta(hours=1)).isoformat())
            if draw(st.booleans()):
                history.turn(number, "unscheduled")
        case "queue":
            number = campaign_that_is("running", "paused")
            history.queue(number, draw(st.lists(st.integers(1, 3), min_size=1, max_size=3)))
        case "queue after the cancel":
            history.queue(campaign_that_is("cancelled"), [2])
        case "pause":
            history.turn(campaign_that_is("running"), "paused", "paused", reason="lunch")
        case "resume":
            history.turn(campaign_that_is("paused"), "resumed", "running")
        case "cancel":
            history.turn(campaign_that_is("running", "paused"), "cancelled", "cancelled", reason="a mistake")
        case "finish queueing":
            number = campaign_that_is("running")
            queued = sum(1 for campaign, _ in history.deliveries if campaign == number)
            history.turn(number, "queueing_finished", recipients=queued)
        case _:
            _deliver(history, move, draw)


def _deliver(history: History, move: str, draw: st.DrawFn) -> None:
    match move:
        case "attempt":
            reservation = _one_of(draw, [r for r in history.reservations if not r.returned and r.used < r.n])
            history.attempt(_one_of(draw, history.in_status("queued")), reservation)
        case "end":
            _end(history, _one_of(draw, history.in_status("sending")), draw)
        case "settle":
            key = _one_of(draw, history.in_status("queued"))
            history.settle(key, _one_of(draw, ["failed", "suppressed", "cancelled"]))
        case "late evidence":
            key = _one_of(draw, history.in_status("unknown"))
            _one_of(draw, [history.accept, history.fail])(key)
        case "requeue":
            key = _one_of(draw, history.in_status("failed", "cancelled", "suppressed", "unknown"))
            history.requeue(key, _one_of(draw, ["by hand", BY_POLICY]))
        case "resend":
            history.resend(_one_of(draw, history.in_status("unknown")))
        case _:
            raise AssertionError(move)


def _end(history: History, key: Any, draw: st.DrawFn) -> None:
    about = _one_of(draw, ["recipient", "message", "server", "network", "processor"])
    outcome = _one_of(draw, ["accept", "accept", "defer", "defer", "fail", "lose"])
    is_old = draw(st.booleans())
    if outcome == "defer":
        history.defer(key, about, draw(st.integers(1, 7200)), None if is_old else 450)
    elif outcome == "fail":
        history.fail(key, about, None if is_old else 550)
    elif outcome == "accept":
        history.accept(key, None if is_old else 250)
    else:
        history.lose(key)
