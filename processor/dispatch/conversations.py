"""What is said on the connections of a processor: one attempt at a time, from its commit to its end."""

from __future__ import annotations

import selectors
from collections.abc import Callable
from functools import partial

from mail.smtp.envelope import FINAL_DOT
from mail.smtp.transaction import DOT
from processor.dispatch.attempt import Attempt
from processor.dispatch.attempts import Attempts
from processor.dispatch.connection_pool import ConnectionPool, PooledConnection
from processor.planner.send import Send

SOON_SECONDS = 1.0
"""A connection that a server closes after it has been idle for longer was not needed any more."""


class Conversations:
    """In the dispatcher's thread alone. `freed` are the pools of connections that have become free; `held`
    those whose attempt is committed and waits until it is known anew what may be sent: `holds`."""

    def __init__(
        self, attempts: Attempts, selector: selectors.BaseSelector, now: Callable[[], float]
    ) -> None:
        self._attempts = attempts
        self._recorder = attempts.recorder
        self._selector = selector
        self._now = now
        self.freed: dict[ConnectionPool, None] = {}
        self.held: list[PooledConnection] = []
        self.holds = self.is_stopping = False

    def add(self, line: PooledConnection) -> None:
        line.lane.lines.add(line)
        line.lane.idle.append(line)
        self._selector.register(line.connection, selectors.EVENT_READ, line)

    def begin(self, line: PooledConnection, send: Send) -> None:
        attempt = self._attempts.begin(send, line.connection, partial(self._committed, line))
        if attempt is None:
            line.lane.idle.append(line)
        else:
            line.attempt = attempt

    def _committed(self, line: PooledConnection, error: Exception | None) -> None:
        attempt = line.attempt
        if attempt is None:
            return
        if error is None:
            is_there = line.is_open and self.is_there(line)
            obstacle = self._attempts.obstacle(attempt)
            if not is_there and not (obstacle and self.is_stopping):
                obstacle = line.connection.closed_because
            if not obstacle:
                self._offer(line, attempt)
                return
            if is_there and self._attempts.must_wait():
                self.held.append(line)
                self.holds = True
                return
            self._attempts.not_offered(attempt, obstacle)
        line.attempt = None
        self._rest(line)

    def is_there(self, line: PooledConnection) -> bool:
        """Whether the server has not closed the connection. Asked for before anything is written where there
        is reason to doubt it: one that it leaves open tells so through the selector, soon enough."""
        if (line.served and not line.lane.has_hung_up) or line.connection.is_quiet():
            return True
        self.lost(line, line.connection.closed_because)
        return False

    def go_on(self) -> None:
        """With what was held."""
        held, self.held, self.holds = self.held, [], False
        for line in held:
            self._committed(line, None)

    def _offer(self, line: PooledConnection, attempt: Attempt) -> None:
        line.connection.queue(attempt.transaction.start())
        attempt.deadline = self._now() + attempt.transaction.deadline
        if attempt.transaction.outcome is not None:
            self._finish(line, attempt)
        else:
            self._flush(line)

    def _rest(self, line: PooledConnection) -> None:
        """The line is free for the next send."""
        if not line.is_open:
            return
        if line.lane.keeps(line):
            line.idle_since = self._now()
            line.lane.idle.append(line)
        else:
            self.drop(line)
        self.freed[line.lane] = None

    def on_socket(self, line: PooledConnection, events: int) -> None:
        if events & selectors.EVENT_WRITE:
            self._flush(line)
        if not events & selectors.EVENT_READ or not line.is_open:
            return
        data = line.connection.receive()
        if data is None:
            self._flush(line)
        elif not data:
            self.lost(line, line.connection.closed_because)
        elif line.attempt is None or not line.attempt.deadline:
            self.lost(line, line.connection.spoke_unasked(data))
        else:
            self._answered(line, line.attempt, data)

    def _answered(self, line: PooledConnection, attempt: Attempt, data: bytes) -> None:
        transaction, state = attempt.transaction, attempt.transaction.state
        reply = transaction.receive(data, line.connection.unsent)
        if transaction.outcome is not None:
            self._finish(line, attempt)
            return
        if transaction.state is not state:
            attempt.deadline = self._now() + transaction.deadline
        if reply:
            line.connection.queue(reply)
            self._flush(line)

    def _flush(self, line: PooledConnection) -> None:
        """What the socket does not take now goes out when it is writable; a broken one tells `receive`."""
        connection, attempt = line.connection, line.attempt
        if attempt is not None and attempt.transaction.state is not DOT:
            attempt = None
        if attempt is not None:
            self._recorder.dot_sent(attempt.slot)
        connection.flush()
        wants_write = connection.wants_write
        if wants_write != line.is_writing:
            line.is_writing = wants_write
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if wants_write else 0)
            self._selector.modify(connection, events, line)
        if attempt is not None and wants_write and connection.unsent >= len(FINAL_DOT):
            self._recorder.dot_kept(attempt.slot)

    def lost(self, line: PooledConnection, reason: str) -> None:
        """The connection is gone or given up, maybe in the middle of an attempt."""
        attempt, lane = line.attempt, line.lane
        if attempt is not None and attempt.deadline:
            attempt.transaction.lost(reason, line.connection.unsent)
            self._finish(line, attempt)
            return
        self.drop(line)
        self.freed[lane] = None
        if self._now() < line.idle_since + SOON_SECONDS:
            self._attempts.hung_up(lane, line.served, reason)

    def _finish(self, line: PooledConnection, attempt: Attempt) -> None:
        line.attempt = None
        served, line.served = line.served, line.served + 1
        if self._attempts.end(attempt, line.lane, served=served):
            self._rest(line)
        else:
            self.drop(line)
            self.freed[line.lane] = None

    def drop(self, line: PooledConnection) -> None:
        if not line.is_open:
            return
        line.is_open = False
        line.lane.lines.discard(line)
        if line in line.lane.idle:
            line.lane.idle.remove(line)
        self._selector.unregister(line.connection)
        line.connection.close()
