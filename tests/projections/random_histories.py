"""Histories at random, of all that can happen."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

from domain.delivery.delivery import (
    BY_POLICY,
)
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


def _make(history: History, move: str, draw: st.DrawFn) -> None:
    def one_of(options: list[Any]) -> Any:
        return draw(st.sampled_from(options))

    def campaign_that_is(*states: str) -> int:
        return int(one_of([n for n, state in history.campaigns.items() if state in states]))

    match move:
        case "wait":
            history.now += timedelta(seconds=draw(st.integers(1, 7200)))
        case "reserve":
            history.reserve(one_of(history.servers), draw(st.integers(1, 5)), one_of(list(DAYS)))
        case "create":
            history.create(one_of([None, *history.servers]), one_of(["high", "normal", "low"]))
        case "start":
            history.turn(campaign_that_is("draft"), "started", "running")
        case "schedule":
            number = campaign_that_is("draft")
            history.turn(number, "scheduled", send_at=(history.now + timedelta(hours=1)).isoformat())
            if draw(st.booleans()):
                history.turn(number, "unscheduled")
        case "queue":
            history.queue(
                campaign_that_is("running", "paused"),
                draw(st.lists(st.integers(1, 3), min_size=1, max_size=3)),
            )
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
        case "edit":
            number = one_of(list(history.campaigns))
            if draw(st.booleans()):
                history.turn(number, "priority_changed", priority=one_of(["high", "low"]))
            else:
                history.turn(number, "edited", changes={"name": "New", "messenger": one_of([None, 1])})
        case _:
            _deliver(history, move, draw)


def _deliver(history: History, move: str, draw: st.DrawFn) -> None:
    def one_of(options: list[Any]) -> Any:
        return draw(st.sampled_from(options))

    match move:
        case "attempt":
            reservation = one_of([r for r in history.reservations if not r.returned and r.used < r.n])
            history.attempt(one_of(history.in_status("queued")), reservation)
        case "end":
            key = one_of(history.in_status("sending"))
            about = one_of(["recipient", "message", "server", "network", "processor"])
            outcome = one_of(["accept", "accept", "defer", "defer", "fail", "lose"])
            is_old = draw(st.booleans())
            if outcome == "defer":
                history.defer(key, about, draw(st.integers(1, 7200)), None if is_old else 450)
            elif outcome == "fail":
                history.fail(key, about, None if is_old else 550)
            elif outcome == "accept":
                history.accept(key, None if is_old else 250)
            else:
                history.lose(key)
        case "settle":
            history.settle(one_of(history.in_status("queued")), one_of(["failed", "suppressed", "cancelled"]))
        case "late evidence":
            key = one_of(history.in_status("unknown"))
            one_of([history.accept, history.fail])(key)
        case "requeue":
            key = one_of(history.in_status("failed", "cancelled", "suppressed", "unknown"))
            history.requeue(key, one_of(["by hand", BY_POLICY]))
        case "resend":
            history.resend(one_of(history.in_status("unknown")))
        case "give back":
            reservation = one_of([r for r in history.reservations if not r.returned])
            history.give_back(reservation, refused=draw(st.integers(0, reservation.used)))
        case _:
            raise AssertionError(move)
