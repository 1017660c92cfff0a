"""The dispatcher: one thread that drives all SMTP connections of a processor.

Each connection carries one attempt at a time. An attempt goes: a unit of a reservation, the message,
AttemptStarted committed, the SMTP transaction, the outcome committed. The loop never waits for a
commit or a server: commits come back through the inbox, replies through the selector.
"""

from __future__ import annotations

import logging
import selectors
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial

from domain.clock import Clock
from domain.delivery.reply import Stage
from mail.smtp.settings import SmtpSettings
from mail.smtp.transport import Connection
from mail.smtp.transport_errors import ConnectError, TransportError
from processor.dispatch.attempts import Attempts
from processor.dispatch.connection_pool import ConnectionPool, PooledConnection, PoolSettings
from processor.dispatch.conversations import Conversations
from processor.dispatch.inbox import Inbox
from processor.dispatch.openers import Openers
from processor.planner.send import PoolCapacity, Send
from processor.send_permissions import SendPermissions

log = logging.getLogger(__name__)

FACTS_AT_ONCE = 32
"""So many go to the committer before the loop has gone round, that it need not wait while much is done."""

CUT_OFF_SECONDS = 10.0
"""What it may take to record attempts that were cut off."""

LOOK_SECONDS = 0.5
"""How often to look, while stopping, whether there is a database still."""


class Dispatcher:
    """`wake` is to be called after each commit and each refusal. `hungry` is set when a pool could take more
    than it has.

    Public methods may be called from any thread.
    """

    def __init__(
        self, permissions: SendPermissions, attempts: Attempts, clock: Clock, hungry: threading.Event
    ) -> None:
        self._permissions = permissions
        self._attempts = attempts
        self._hungry = hungry
        self._pools: dict[int, ConnectionPool] = {}
        self._selector = selectors.DefaultSelector()
        self._inbox = Inbox()
        self._selector.register(self._inbox, selectors.EVENT_READ, None)
        self.wake = self._inbox.wake
        self._call = self._inbox.put
        self._now = clock.steady
        self._openers = Openers(permissions, self._call, self._opened, self._not_opened)
        self._conversations = Conversations(attempts, self._selector, self._now)
        self._is_stopping = self._is_abandoned = False
        self._thread = threading.Thread(target=self._run, name="dispatch", daemon=True)
        self.crashed: BaseException | None = None

    def start(self) -> None:
        self._thread.start()

    def is_running(self) -> bool:
        """False before the start, after the stop, and when a defect has shown."""
        return self._thread.is_alive() and self.crashed is None

    def stop(self, patience: float, has_database: Callable[[], bool]) -> bool:
        """No new attempt; waits for those in flight. After `patience` seconds what is left is cut off
        and recorded for what it is, or at once when there is no database any more that it could be recorded
        in. True when all ended by themselves."""
        self._call(self._stop)
        until, has_future = time.monotonic() + patience, True
        while self._thread.is_alive() and has_future and time.monotonic() < until:
            self._thread.join(LOOK_SECONDS)
            has_future = has_database()
        ended = not self._thread.is_alive()
        if not ended:
            self._call(self._cut_off)
            self._thread.join(CUT_OFF_SECONDS if has_future else LOOK_SECONDS)
            self._call(self._abandon)
        self._openers.close()
        return ended

    def capacities(self, servers: Iterable[int]) -> dict[int, PoolCapacity]:
        """How many more sends each pool would take now, and how many planned ones it has."""
        capacities = {}
        for server in servers:
            pool = self._pools.get(server)
            capacities[server] = PoolCapacity(pool.remaining(), pool.backlog()) if pool else PoolCapacity(1)
        return capacities

    @property
    def is_busy(self) -> bool:
        """Whether anything is planned or under way."""
        pools = list(self._pools.values())
        return any(pool.backlog() or len(pool.connections) > len(pool.idle) for pool in pools)

    def release_all(self) -> None:
        """Gives all planned sends back that have not started: they are planned anew."""
        self._call(self._release_all)

    def hand(self, sends: Iterable[Send]) -> None:
        by_server: dict[int, list[Send]] = {}
        for send in sends:
            by_server.setdefault(send.server, []).append(send)
        for server, given in by_server.items():
            self._pools.setdefault(server, ConnectionPool(server)).handed += len(given)
        if by_server:
            self._call(partial(self._hand, by_server))

    def open_pools(self, wanted: Mapping[int, PoolSettings]) -> None:
        """Makes the pools known, by server, and what their settings have come to be."""
        self._call(partial(self._open_pools, dict(wanted)))

    # --- below: in the loop's thread -------------------------------------------------------------

    def _run(self) -> None:
        try:
            next_tick = self._now() + 1
            while not (self._is_stopping and (self._is_abandoned or self._is_drained())):
                self._turn(max(0.0, min(1.0, next_tick - self._now())))
                if self._conversations.holds:
                    self._go_on()
                self._pump_freed()
                if self._now() >= next_tick:
                    self._tick()
                    next_tick = self._now() + 1
                self._attempts.flush()
        except BaseException as error:
            self.crashed = error
            log.exception("the dispatcher stopped on an error")
            raise
        finally:
            for pool in self._pools.values():
                for pooled in list(pool.connections):
                    self._conversations.drop(pooled)

    def _turn(self, patience: float) -> None:
        """What the servers say comes first: an attempt that was committed meanwhile is not offered on a
        connection that they have closed."""
        is_called = False
        for key, events in self._selector.select(patience):
            if key.data is None:
                is_called = True
            else:
                self._conversations.on_socket(key.data, events)
        if is_called:
            self._inbox.empty()
            self._attempts.hear()

    def _is_drained(self) -> bool:
        return not self._attempts.pending and not self._inbox and not self._conversations.held and not any(
            pooled.attempt for pool in self._pools.values() for pooled in pool.connections
        )  # fmt: skip

    def _stop(self) -> None:
        self._is_stopping = self._conversations.is_stopping = True
        for pool in self._pools.values():
            self._release(pool)
            for pooled in list(pool.idle):
                self._conversations.drop(pooled)

    def _abandon(self) -> None:
        """What is not recorded by now is left to those who recover it."""
        self._is_abandoned = True

    def _cut_off(self) -> None:
        for pool in self._pools.values():
            for pooled in list(pool.connections):
                if pooled.attempt is not None and pooled.attempt.deadline:
                    self._conversations.lost(pooled, "the processor was stopped before the server answered")
                else:
                    self._conversations.drop(pooled)

    def _open_pools(self, wanted: dict[int, PoolSettings]) -> None:
        for server, settings in wanted.items():
            pool = self._pools.setdefault(server, ConnectionPool(server))
            pool.max_conns, pool.idle_timeout = settings.max_conns, settings.idle_timeout
            if pool.smtp != settings.smtp:
                pool.smtp = settings.smtp
            for pooled in list(pool.idle):
                if not pool.keeps(pooled):
                    self._conversations.drop(pooled)

    def _hand(self, by_server: dict[int, list[Send]]) -> None:
        for server, sends in by_server.items():
            pool = self._pools[server]
            pool.waiting.extend(sends)
            pool.arrived += len(sends)
            self._pump(pool)

    def _pump(self, pool: ConnectionPool) -> None:
        """Gives waiting sends to idle connections, and opens more while more sends than connections wait."""
        if self._is_stopping or not self._attempts.is_open(pool.server):
            self._release(pool)
            return
        if pool.waiting and self._attempts.must_wait():
            self._conversations.holds = True
            return
        while pool.waiting and pool.idle:
            pooled = pool.idle.pop()
            if self._conversations.is_there(pooled):
                self._conversations.begin(pooled, pool.waiting.popleft())
                self._attempts.flush(at_least=FACTS_AT_ONCE)
        if pool.waiting and len(pool.connections) < pool.max_conns:
            for _ in range(pool.connections_wanted()):
                pool.opening += 1
                self._openers.open(pool)
        if not self._hungry.is_set() and pool.is_hungry():
            self._hungry.set()

    def _pump_freed(self) -> None:
        """Not one by one as connections become free: messages that are made one after the other find
        what they need in the machine's caches (docs/decisions/0001-one-loop-for-all-connections.md)."""
        while self._conversations.freed:
            freed, self._conversations.freed = self._conversations.freed, {}
            for pool in freed:
                self._pump(pool)

    def _release_all(self) -> None:
        for pool in self._pools.values():
            self._release(pool)

    def _release(self, pool: ConnectionPool) -> None:
        for send in pool.waiting:
            self._attempts.planned.release(send.key)
        pool.waiting.clear()

    def _opened(self, pool: ConnectionPool, connection: Connection, settings: SmtpSettings) -> None:
        if self._is_stopping or not connection.is_quiet():
            connection.close()
            self._not_opened(pool, ConnectError(Stage.EHLO, connection.closed_because))
            return
        pool.opening -= 1
        smtp = pool.smtp if settings == pool.smtp else settings
        pooled = PooledConnection(pool, connection, smtp, idle_since=self._now())
        self._conversations.add(pooled)
        self._pump(pool)

    def _not_opened(self, pool: ConnectionPool, error: Exception) -> None:
        pool.opening -= 1
        if self._is_stopping:
            return
        if not isinstance(error, TransportError):
            # The database was away: nothing is known of the server, whose sends are planned anew.
            self._release(pool)
        elif pool.connections:
            pool.cap(self._now())
        elif not pool.opening:
            # The last one of several that were opened at once: none got through.
            self._release(pool)
            self._attempts.suspend_for_connect(pool, error)

    def _go_on(self) -> None:
        """With what was to wait until it is known anew what may be sent."""
        if self._attempts.must_wait():
            return
        self._conversations.go_on()
        for pool in self._pools.values():
            self._pump(pool)

    def _tick(self) -> None:
        """Once a second: time-outs, idle connections, rates, facts that the database did not take."""
        now = self._now()
        self._attempts.tell_again()
        for pool in self._pools.values():
            pool.measure(1.0)
            pool.uncap(now)
            for pooled in list(pool.connections):
                if pooled.attempt is not None and pooled.attempt.deadline and now > pooled.attempt.deadline:
                    self._conversations.lost(pooled, "the server did not answer in time")
                elif pooled.attempt is None and now - pooled.idle_since > pool.idle_timeout:
                    self._conversations.drop(pooled)
            if pool.falls_behind() and pool.waits_for_server():
                pool.slow_down()
                self._release(pool)
                self._hungry.set()
            elif pool.waiting or pool.remaining():
                self._pump(pool)
