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
from processor.planner.send import Room, Send
from processor.send_permissions import Gate

log = logging.getLogger(__name__)

FACTS_AT_ONCE = 32
"""So many go to the committer before the loop has gone round, that it need not wait while much is done."""

CUT_OFF_SECONDS = 10.0
"""What it may take to record attempts that were cut off."""

LOOK_SECONDS = 0.5
"""How often to look, while stopping, whether there is a database still."""


class Dispatcher:
    """`wake` is to be called after each commit and each refusal. `hungry` is set when a lane could take more
    than it has.

    Public methods may be called from any thread.
    """

    def __init__(self, gate: Gate, attempts: Attempts, clock: Clock, hungry: threading.Event) -> None:
        self._gate = gate
        self._attempts = attempts
        self._hungry = hungry
        self._lanes: dict[int, ConnectionPool] = {}
        self._selector = selectors.DefaultSelector()
        self._inbox = Inbox()
        self._selector.register(self._inbox, selectors.EVENT_READ, None)
        self.wake = self._inbox.wake
        self._call = self._inbox.put
        self._now = clock.steady
        self._openers = Openers(gate, self._call, self._opened, self._not_opened)
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

    def rooms(self, servers: Iterable[int]) -> dict[int, Room]:
        """How many more sends each lane would take now, and how many wait in it."""
        rooms = {}
        for server in servers:
            lane = self._lanes.get(server)
            rooms[server] = Room(lane.room(), lane.backlog()) if lane else Room(1)
        return rooms

    @property
    def is_busy(self) -> bool:
        """Whether anything is planned or under way."""
        lanes = list(self._lanes.values())
        return any(lane.backlog() or len(lane.lines) > len(lane.idle) for lane in lanes)

    def release_all(self) -> None:
        """Gives all planned sends back that have not started: they are planned anew."""
        self._call(self._release_all)

    def hand(self, sends: Iterable[Send]) -> None:
        by_server: dict[int, list[Send]] = {}
        for send in sends:
            by_server.setdefault(send.server, []).append(send)
        for server, given in by_server.items():
            self._lanes.setdefault(server, ConnectionPool(server)).handed += len(given)
        if by_server:
            self._call(partial(self._hand, by_server))

    def open_lanes(self, wanted: Mapping[int, PoolSettings]) -> None:
        """Makes the lanes known, by server, and what their settings have come to be."""
        self._call(partial(self._open_lanes, dict(wanted)))

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
            for lane in self._lanes.values():
                for line in list(lane.lines):
                    self._conversations.drop(line)

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
            line.attempt for lane in self._lanes.values() for line in lane.lines
        )  # fmt: skip

    def _stop(self) -> None:
        self._is_stopping = self._conversations.is_stopping = True
        for lane in self._lanes.values():
            self._release(lane)
            for line in list(lane.idle):
                self._conversations.drop(line)

    def _abandon(self) -> None:
        """What is not recorded by now is left to those who recover it."""
        self._is_abandoned = True

    def _cut_off(self) -> None:
        for lane in self._lanes.values():
            for line in list(lane.lines):
                if line.attempt is not None and line.attempt.deadline:
                    self._conversations.lost(line, "the processor was stopped before the server answered")
                else:
                    self._conversations.drop(line)

    def _open_lanes(self, wanted: dict[int, PoolSettings]) -> None:
        for server, settings in wanted.items():
            lane = self._lanes.setdefault(server, ConnectionPool(server))
            lane.max_conns, lane.idle_timeout = settings.max_conns, settings.idle_timeout
            if lane.smtp != settings.smtp:
                lane.smtp = settings.smtp
            for line in list(lane.idle):
                if not lane.keeps(line):
                    self._conversations.drop(line)

    def _hand(self, by_server: dict[int, list[Send]]) -> None:
        for server, sends in by_server.items():
            lane = self._lanes[server]
            lane.waiting.extend(sends)
            lane.arrived += len(sends)
            self._pump(lane)

    def _pump(self, lane: ConnectionPool) -> None:
        """Gives waiting sends to idle lines, and opens lines while there are more sends than lines."""
        if self._is_stopping or not self._attempts.is_open(lane.server):
            self._release(lane)
            return
        if lane.waiting and self._attempts.must_wait():
            self._conversations.holds = True
            return
        while lane.waiting and lane.idle:
            line = lane.idle.pop()
            if self._conversations.is_there(line):
                self._conversations.begin(line, lane.waiting.popleft())
                self._attempts.flush(at_least=FACTS_AT_ONCE)
        if lane.waiting and len(lane.lines) < lane.max_conns:
            for _ in range(lane.connections_wanted()):
                lane.opening += 1
                self._openers.open(lane)
        if not self._hungry.is_set() and lane.is_hungry():
            self._hungry.set()

    def _pump_freed(self) -> None:
        """Not line by line as they become free: messages that are made one after the other find what they
        need in the machine's caches (docs/decisions/0001-one-loop-for-all-connections.md)."""
        while self._conversations.freed:
            freed, self._conversations.freed = self._conversations.freed, {}
            for lane in freed:
                self._pump(lane)

    def _release_all(self) -> None:
        for lane in self._lanes.values():
            self._release(lane)

    def _release(self, lane: ConnectionPool) -> None:
        for send in lane.waiting:
            self._attempts.in_hand.release(send.key)
        lane.waiting.clear()

    def _opened(self, lane: ConnectionPool, connection: Connection, settings: SmtpSettings) -> None:
        if self._is_stopping or not connection.is_quiet():
            connection.close()
            self._not_opened(lane, ConnectError(Stage.EHLO, connection.closed_because))
            return
        lane.opening -= 1
        smtp = lane.smtp if settings == lane.smtp else settings
        line = PooledConnection(lane, connection, smtp, idle_since=self._now())
        self._conversations.add(line)
        self._pump(lane)

    def _not_opened(self, lane: ConnectionPool, error: Exception) -> None:
        lane.opening -= 1
        if self._is_stopping:
            return
        if not isinstance(error, TransportError):
            # The database was away: nothing is known of the server, whose sends are planned anew.
            self._release(lane)
        elif lane.lines:
            lane.cap(self._now())
        elif not lane.opening:
            # The last one of several that were opened at once: none got through.
            self._release(lane)
            self._attempts.suspend_for_connect(lane, error)

    def _go_on(self) -> None:
        """With what was to wait until it is known anew what may be sent."""
        if self._attempts.must_wait():
            return
        self._conversations.go_on()
        for lane in self._lanes.values():
            self._pump(lane)

    def _tick(self) -> None:
        """Once a second: time-outs, idle lines, rates, facts that the database did not take."""
        now = self._now()
        self._attempts.tell_again()
        for lane in self._lanes.values():
            lane.measure(1.0)
            lane.uncap(now)
            for line in list(lane.lines):
                if line.attempt is not None and line.attempt.deadline and now > line.attempt.deadline:
                    self._conversations.lost(line, "the server did not answer in time")
                elif line.attempt is None and now - line.idle_since > lane.idle_timeout:
                    self._conversations.drop(line)
            if lane.falls_behind() and lane.waits_for_server():
                lane.slow_down()
                self._release(lane)
                self._hungry.set()
            elif lane.waiting or lane.room():
                self._pump(lane)
