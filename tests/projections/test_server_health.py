from __future__ import annotations

from datetime import timedelta

from projections import server_health
from tests.projections.conftest import Writing
from tests.projections.histories import START, History


def attempt(history: History) -> tuple[int, int]:
    delivery = history.in_status("queued")[0]
    history.attempt(delivery, history.reservations[0])
    return delivery


def test_failures_count_until_the_server_accepts_again(writing: Writing, history: History) -> None:
    server = history.servers[0]
    for about in ("server", "network", "recipient"):
        history.defer(attempt(history), about)
        writing.fold(history)
    found = writing.ask(server_health.health)[server]
    assert (found.consecutive_failures, found.last_error, found.last_success_at) == (
        2,
        "450 network: later",
        None,
    )
    history.accept(attempt(history))
    history.defer(attempt(history), "server")
    writing.fold(history)
    found = writing.ask(server_health.health)[server]
    assert (found.consecutive_failures, found.last_success_at) == (1, START)


def test_throughput_is_told_by_ten_seconds_and_by_the_hour(writing: Writing, history: History) -> None:
    server = history.servers[0]
    history.accept(attempt(history))
    history.now += timedelta(seconds=9)
    history.fail(attempt(history))
    history.now += timedelta(seconds=1)
    history.lose(attempt(history))
    writing.fold(history)
    assert writing.ask(server_health.throughput, START) == [
        (START, 2, 1, 0, 1, 0),
        (START + timedelta(seconds=10), 1, 0, 0, 0, 1),
    ]
    assert writing.ask(server_health.throughput, START, server + 1) == []
    assert writing.ask(server_health.hours, START) == {server: [(START, 3, 1, 0, 1, 1)]}
