"""How many connections a server gets, and how many e-mails wait for them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from mail.smtp.settings import SmtpSettings
from mail.smtp.transport import Connection
from processor.dispatch.connection_pool import (
    ALLOWANCE_SECONDS,
    CAP_SECONDS,
    CONNECTIONS_AT_FIRST,
    ConnectionPool,
    PooledConnection,
)
from processor.planner.send import Send

HERE = SmtpSettings("127.0.0.1", 25)
ELSEWHERE = SmtpSettings("127.0.0.1", 26)


def lane_of(max_conns: int = 10, waiting: int = 0) -> ConnectionPool:
    pool = ConnectionPool(1, max_conns, smtp=HERE)
    pool.waiting.extend(cast(Send, object()) for _ in range(waiting))
    pool.handed = pool.arrived = waiting
    return pool


def open_line(pool: ConnectionPool, smtp: SmtpSettings = HERE) -> PooledConnection:
    pooled = PooledConnection(pool, cast(Connection, object()), smtp)
    pool.connections.add(pooled)
    return pooled


def test_it_begins_narrow_and_doubles_with_what_is_accepted_up_to_what_the_server_may_get() -> None:
    pool = lane_of(max_conns=10, waiting=100)
    widths = []
    for _ in range(4):
        widths.append(pool.connections_wanted())
        pool.widen()
    assert widths == [CONNECTIONS_AT_FIRST, 4, 8, 10]


def test_a_server_of_one_connection_gets_one() -> None:
    pool = lane_of(max_conns=1, waiting=100)
    pool.widen()
    assert pool.connections_wanted() == 1


def test_what_is_open_idle_or_being_opened_is_not_opened_again() -> None:
    pool = lane_of(waiting=2)
    pool.opening = 1
    assert pool.connections_wanted() == 1
    pool = lane_of(waiting=1)
    pool.idle.append(open_line(pool))
    assert pool.connections_wanted() == 0


def test_after_trouble_it_is_narrow_again_and_counts_troubles_in_a_row() -> None:
    pool = lane_of(waiting=100)
    pool.widen()
    pool.narrow()
    pool.narrow()
    assert (pool.most, pool.failures) == (CONNECTIONS_AT_FIRST, 2)
    pool.widen()
    assert pool.failures == 0


def test_with_fewer_connections_than_wished_for_it_makes_do_for_a_while() -> None:
    pool = lane_of(max_conns=10, waiting=100)
    for _ in range(3):
        pool.widen()
        open_line(pool)
    pool.cap(now=1000.0)
    assert pool.connections_wanted() == 0
    assert pool.remaining() == 0
    pool.uncap(1000.0 + CAP_SECONDS - 1)
    assert pool.most == 3
    pool.uncap(1000.0 + CAP_SECONDS)
    assert pool.connections_wanted() == 7


def test_it_takes_two_for_each_connection_at_least_and_what_it_ends_in_a_second() -> None:
    pool = lane_of()
    assert pool.remaining() == 2 * CONNECTIONS_AT_FIRST
    for _ in range(400):
        pool.widen()
    pool.measure(1.0)
    assert pool.remaining() == 400
    pool.measure(1.0)
    assert pool.remaining() == 200


def test_what_a_planner_has_given_counts_before_it_arrives() -> None:
    pool = lane_of(waiting=1)
    pool.handed += 2
    assert pool.backlog() == 3
    assert pool.remaining() == 2 * CONNECTIONS_AT_FIRST - 3


def test_a_line_is_kept_while_the_settings_allow_it() -> None:
    pool: Any = lane_of(max_conns=2)
    first, moved = open_line(pool), open_line(pool, ELSEWHERE)
    assert pool.keeps(first)
    assert not pool.keeps(moved)
    pool.max_conns = 1
    assert not pool.keeps(first)


def begin(pool: ConnectionPool, count: int) -> None:
    for _ in range(count):
        pool.waiting.popleft()


def test_it_falls_behind_when_nothing_of_what_waits_has_begun_for_a_second() -> None:
    pool = lane_of(waiting=10)
    assert not pool.falls_behind(), "it has just come"
    begin(pool, 1)
    assert not pool.falls_behind()
    assert pool.falls_behind()


def test_it_falls_behind_when_something_has_waited_for_two_seconds() -> None:
    pool = lane_of(waiting=10)
    assert not pool.falls_behind()
    begin(pool, 1)
    assert not pool.falls_behind()
    begin(pool, 1)
    assert pool.falls_behind()


def test_with_nothing_to_do_it_never_falls_behind() -> None:
    pool = lane_of()
    assert not any(pool.falls_behind() for _ in range(5))


def test_it_is_not_the_server_that_is_waited_for_while_nothing_can_be_recorded() -> None:
    pool: Any = lane_of(waiting=10)
    assert pool.waits_for_server(), "no connection is open yet"
    pooled: Any = open_line(pool)
    pooled.attempt = SimpleNamespace(deadline=0.0)
    assert not pool.waits_for_server()
    pooled.attempt.deadline = 300.0
    assert pool.waits_for_server()


def test_once_slow_it_takes_what_can_begin_at_once_until_it_is_quick_again() -> None:
    pool = lane_of(max_conns=10)
    for _ in range(10):
        pool.widen()
        open_line(pool)
    pool.measure(1.0)
    pool.slow_down()
    assert pool.remaining() == 0
    assert not pool.is_hungry()
    pool.idle.extend(list(pool.connections)[:3])
    assert pool.remaining() == 3
    assert pool.is_hungry()
    for _ in range(30):
        pool.widen()
    pool.measure(1.0)
    assert pool.remaining() == 30


def test_a_slow_server_gets_no_more_connections_than_one_that_was_in_trouble() -> None:
    pool = lane_of(max_conns=10)
    for _ in range(3):
        pool.widen()
    pool.slow_down()
    assert pool.remaining() == CONNECTIONS_AT_FIRST
    pool.opening = CONNECTIONS_AT_FIRST
    assert pool.remaining() == 0


def test_how_many_e_mails_a_server_takes_on_a_connection_is_learned_and_forgotten() -> None:
    pool = lane_of()
    pooled = open_line(pool)
    pooled.served = 7
    pool.closed_after(7)
    assert pool.keeps(pooled), "once may be chance"
    pool.closed_after(7)
    assert not pool.keeps(pooled)
    pooled.served = 6
    assert pool.keeps(pooled)
    pooled.served = 7
    pool.measure(ALLOWANCE_SECONDS)
    assert pool.keeps(pooled)
    assert not pool.has_hung_up


def test_one_e_mail_bears_no_witness_against_a_server_and_two_do_unless_one_was_accepted_between() -> None:
    pool = lane_of()
    first, second = (1, 1), (1, 2)
    assert not pool.is_blamed_by(first)
    assert not pool.is_blamed_by(first)
    pool.widen()
    assert not pool.is_blamed_by(second)
    assert pool.is_blamed_by(first)
