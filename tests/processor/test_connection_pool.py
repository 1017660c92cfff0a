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
    lane = ConnectionPool(1, max_conns, smtp=HERE)
    lane.waiting.extend(cast(Send, object()) for _ in range(waiting))
    lane.handed = lane.arrived = waiting
    return lane


def open_line(lane: ConnectionPool, smtp: SmtpSettings = HERE) -> PooledConnection:
    line = PooledConnection(lane, cast(Connection, object()), smtp)
    lane.lines.add(line)
    return line


def test_it_begins_narrow_and_doubles_with_what_is_accepted_up_to_what_the_server_may_get() -> None:
    lane = lane_of(max_conns=10, waiting=100)
    widths = []
    for _ in range(4):
        widths.append(lane.connections_wanted())
        lane.widen()
    assert widths == [CONNECTIONS_AT_FIRST, 4, 8, 10]


def test_a_server_of_one_connection_gets_one() -> None:
    lane = lane_of(max_conns=1, waiting=100)
    lane.widen()
    assert lane.connections_wanted() == 1


def test_what_is_open_idle_or_being_opened_is_not_opened_again() -> None:
    lane = lane_of(waiting=2)
    lane.opening = 1
    assert lane.connections_wanted() == 1
    lane = lane_of(waiting=1)
    lane.idle.append(open_line(lane))
    assert lane.connections_wanted() == 0


def test_after_trouble_it_is_narrow_again_and_counts_troubles_in_a_row() -> None:
    lane = lane_of(waiting=100)
    lane.widen()
    lane.narrow()
    lane.narrow()
    assert (lane.most, lane.failures) == (CONNECTIONS_AT_FIRST, 2)
    lane.widen()
    assert lane.failures == 0


def test_with_fewer_connections_than_wished_for_it_makes_do_for_a_while() -> None:
    lane = lane_of(max_conns=10, waiting=100)
    for _ in range(3):
        lane.widen()
        open_line(lane)
    lane.cap(now=1000.0)
    assert lane.connections_wanted() == 0
    assert lane.room() == 0
    lane.uncap(1000.0 + CAP_SECONDS - 1)
    assert lane.most == 3
    lane.uncap(1000.0 + CAP_SECONDS)
    assert lane.connections_wanted() == 7


def test_it_takes_two_for_each_connection_at_least_and_what_it_ends_in_a_second() -> None:
    lane = lane_of()
    assert lane.room() == 2 * CONNECTIONS_AT_FIRST
    for _ in range(400):
        lane.widen()
    lane.measure(1.0)
    assert lane.room() == 400
    lane.measure(1.0)
    assert lane.room() == 200


def test_what_a_planner_has_given_counts_before_it_arrives() -> None:
    lane = lane_of(waiting=1)
    lane.handed += 2
    assert lane.backlog() == 3
    assert lane.room() == 2 * CONNECTIONS_AT_FIRST - 3


def test_a_line_is_kept_while_the_settings_allow_it() -> None:
    lane: Any = lane_of(max_conns=2)
    first, moved = open_line(lane), open_line(lane, ELSEWHERE)
    assert lane.keeps(first)
    assert not lane.keeps(moved)
    lane.max_conns = 1
    assert not lane.keeps(first)


def begin(lane: ConnectionPool, count: int) -> None:
    for _ in range(count):
        lane.waiting.popleft()


def test_it_falls_behind_when_nothing_of_what_waits_has_begun_for_a_second() -> None:
    lane = lane_of(waiting=10)
    assert not lane.falls_behind(), "it has just come"
    begin(lane, 1)
    assert not lane.falls_behind()
    assert lane.falls_behind()


def test_it_falls_behind_when_something_has_waited_for_two_seconds() -> None:
    lane = lane_of(waiting=10)
    assert not lane.falls_behind()
    begin(lane, 1)
    assert not lane.falls_behind()
    begin(lane, 1)
    assert lane.falls_behind()


def test_with_nothing_to_do_it_never_falls_behind() -> None:
    lane = lane_of()
    assert not any(lane.falls_behind() for _ in range(5))


def test_it_is_not_the_server_that_is_waited_for_while_nothing_can_be_recorded() -> None:
    lane: Any = lane_of(waiting=10)
    assert lane.waits_for_server(), "no connection is open yet"
    line: Any = open_line(lane)
    line.attempt = SimpleNamespace(deadline=0.0)
    assert not lane.waits_for_server()
    line.attempt.deadline = 300.0
    assert lane.waits_for_server()


def test_once_slow_it_takes_what_can_begin_at_once_until_it_is_quick_again() -> None:
    lane = lane_of(max_conns=10)
    for _ in range(10):
        lane.widen()
        open_line(lane)
    lane.measure(1.0)
    lane.slow_down()
    assert lane.room() == 0
    assert not lane.is_hungry()
    lane.idle.extend(list(lane.lines)[:3])
    assert lane.room() == 3
    assert lane.is_hungry()
    for _ in range(30):
        lane.widen()
    lane.measure(1.0)
    assert lane.room() == 30


def test_a_slow_server_gets_no_more_connections_than_one_that_was_in_trouble() -> None:
    lane = lane_of(max_conns=10)
    for _ in range(3):
        lane.widen()
    lane.slow_down()
    assert lane.room() == CONNECTIONS_AT_FIRST
    lane.opening = CONNECTIONS_AT_FIRST
    assert lane.room() == 0


def test_how_many_e_mails_a_server_takes_on_a_connection_is_learned_and_forgotten() -> None:
    lane = lane_of()
    line = open_line(lane)
    line.served = 7
    lane.closed_after(7)
    assert lane.keeps(line), "once may be chance"
    lane.closed_after(7)
    assert not lane.keeps(line)
    line.served = 6
    assert lane.keeps(line)
    line.served = 7
    lane.measure(ALLOWANCE_SECONDS)
    assert lane.keeps(line)
    assert not lane.has_hung_up


def test_one_e_mail_bears_no_witness_against_a_server_and_two_do_unless_one_was_accepted_between() -> None:
    lane = lane_of()
    first, second = (1, 1), (1, 2)
    assert not lane.is_blamed_by(first)
    assert not lane.is_blamed_by(first)
    lane.widen()
    assert not lane.is_blamed_by(second)
    assert lane.is_blamed_by(first)
