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

    def add(self, pooled: PooledConnection) -> None:
        pooled.pool.connections.add(pooled)
        pooled.pool.idle.append(pooled)
        self._selector.register(pooled.connection, selectors.EVENT_READ, pooled)

    def begin(self, pooled: PooledConnection, send: Send) -> None:
        attempt = self._attempts.begin(send, pooled.connection, partial(self._committed, pooled))
        if attempt is None:
            pooled.pool.idle.append(pooled)
        else:
            pooled.attempt = attempt

    def _committed(self, pooled: PooledConnection, error: Exception | None) -> None:
        attempt = pooled.attempt
        if attempt is None:
            return
        if error is None:
            is_there = pooled.is_open and self.is_there(pooled)
            obstacle = self._attempts.obstacle(attempt)
            if not is_there and not (obstacle and self.is_stopping):
                obstacle = pooled.connection.closed_because
            if not obstacle:
                self._offer(pooled, attempt)
                return
            if is_there and self._attempts.must_wait():
                self.held.append(pooled)
                self.holds = True
                return
            self._attempts.not_offered(attempt, obstacle)
        pooled.attempt = None
        self._rest(pooled)

    def is_there(self, pooled: PooledConnection) -> bool:
        """Whether the server has not closed the connection. Asked for before anything is written where there
        is reason to doubt it: one that it leaves open tells so through the selector, soon enough."""
        if (pooled.served and not pooled.pool.has_hung_up) or pooled.connection.is_quiet():
            return True
        self.lost(pooled, pooled.connection.closed_because)
        return False

    def go_on(self) -> None:
        """With what was held."""
        held, self.held, self.holds = self.held, [], False
        for pooled in held:
            self._committed(pooled, None)

    def _offer(self, pooled: PooledConnection, attempt: Attempt) -> None:
        pooled.connection.queue(attempt.transaction.start())
        attempt.deadline = self._now() + attempt.transaction.deadline
        if attempt.transaction.outcome is not None:
            self._finish(pooled, attempt)
        else:
            self._flush(pooled)

    def _rest(self, pooled: PooledConnection) -> None:
        """The connection is free for the next send."""
        if not pooled.is_open:
            return
        if pooled.pool.keeps(pooled):
            pooled.idle_since = self._now()
            pooled.pool.idle.append(pooled)
        else:
            self.drop(pooled)
        self.freed[pooled.pool] = None

    def on_socket(self, pooled: PooledConnection, events: int) -> None:
        if events & selectors.EVENT_WRITE:
            self._flush(pooled)
        if not events & selectors.EVENT_READ or not pooled.is_open:
            return
        data = pooled.connection.receive()
        if data is None:
            self._flush(pooled)
        elif not data:
            self.lost(pooled, pooled.connection.closed_because)
        elif pooled.attempt is None or not pooled.attempt.deadline:
            self.lost(pooled, pooled.connection.spoke_unasked(data))
        else:
            self._answered(pooled, pooled.attempt, data)

    def _answered(self, pooled: PooledConnection, attempt: Attempt, data: bytes) -> None:
        transaction, state = attempt.transaction, attempt.transaction.state
        reply = transaction.receive(data, pooled.connection.unsent)
        if transaction.outcome is not None:
            self._finish(pooled, attempt)
            return
        if transaction.state is not state:
            attempt.deadline = self._now() + transaction.deadline
        if reply:
            pooled.connection.queue(reply)
            self._flush(pooled)

    def _flush(self, pooled: PooledConnection) -> None:
        """What the socket does not take now goes out when it is writable; a broken one tells `receive`."""
        connection, attempt = pooled.connection, pooled.attempt
        if attempt is not None and attempt.transaction.state is not DOT:
            attempt = None
        if attempt is not None:
            self._recorder.dot_sent(attempt.slot)
        connection.flush()
        wants_write = connection.wants_write
        if wants_write != pooled.is_writing:
            pooled.is_writing = wants_write
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if wants_write else 0)
            self._selector.modify(connection, events, pooled)
        if attempt is not None and wants_write and connection.unsent >= len(FINAL_DOT):
            self._recorder.dot_kept(attempt.slot)

    def lost(self, pooled: PooledConnection, reason: str) -> None:
        """The connection is gone or given up, maybe in the middle of an attempt."""
        attempt, pool = pooled.attempt, pooled.pool
        if attempt is not None and attempt.deadline:
            attempt.transaction.lost(reason, pooled.connection.unsent)
            self._finish(pooled, attempt)
            return
        self.drop(pooled)
        self.freed[pool] = None
        if self._now() < pooled.idle_since + SOON_SECONDS:
            self._attempts.hung_up(pool, pooled.served, reason)

    def _finish(self, pooled: PooledConnection, attempt: Attempt) -> None:
        pooled.attempt = None
        served, pooled.served = pooled.served, pooled.served + 1
        if self._attempts.end(attempt, pooled.pool, served=served):
            self._rest(pooled)
        else:
            self.drop(pooled)
            self.freed[pooled.pool] = None

    def drop(self, pooled: PooledConnection) -> None:
        if not pooled.is_open:
            return
        pooled.is_open = False
        pooled.pool.connections.discard(pooled)
        if pooled in pooled.pool.idle:
            pooled.pool.idle.remove(pooled)
        self._selector.unregister(pooled.connection)
        pooled.connection.close()
