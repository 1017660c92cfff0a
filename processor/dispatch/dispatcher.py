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
from mail.smtp.envelope import FINAL_DOT
from mail.smtp.settings import SmtpSettings
from mail.smtp.transaction import TransactionState
from mail.smtp.transport import Connection
from mail.smtp.transport_errors import ConnectError, TransportError
from processor.dispatch.attempt import Attempt
from processor.dispatch.attempts import Attempts
from processor.dispatch.connection_pool import ConnectionPool, PooledConnection, Wanted
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

SOON_SECONDS = 1.0
"""A connection that a server closes after it has been idle for longer was not needed any more."""


class Dispatcher:
    """`wake` is to be called after each commit and each refusal. `hungry` is set when a lane could take more
    than it has.

    Public methods may be called from any thread.
    """

    def __init__(self, gate: Gate, attempts: Attempts, clock: Clock, hungry: threading.Event) -> None:
        self._gate = gate
        self._attempts = attempts
        self._recorder = attempts.recorder
        self._hungry = hungry
        self._lanes: dict[int, ConnectionPool] = {}
        self._selector = selectors.DefaultSelector()
        self._inbox = Inbox()
        self._selector.register(self._inbox, selectors.EVENT_READ, None)
        self.wake = self._inbox.wake
        self._call = self._inbox.put
        self._now = clock.steady
        self._openers = Openers(gate, self._call, self._opened, self._not_opened)
        self._freed: dict[ConnectionPool, None] = {}
        self._held: list[PooledConnection] = []
        self._holds = False
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

    def open_lanes(self, wanted: Mapping[int, Wanted]) -> None:
        """Makes the lanes known, by server, and what their settings have come to be."""
        self._call(partial(self._open_lanes, dict(wanted)))

    # --- below: in the loop's thread -------------------------------------------------------------

    def _run(self) -> None:
        try:
            next_tick = self._now() + 1
            while not (self._is_stopping and (self._is_abandoned or self._is_drained())):
                self._turn(max(0.0, min(1.0, next_tick - self._now())))
                if self._holds:
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
                    self._drop(line)

    def _turn(self, patience: float) -> None:
        """What the servers say comes first: an attempt that was committed meanwhile is not offered on a
        connection that they have closed."""
        is_called = False
        for key, events in self._selector.select(patience):
            if key.data is None:
                is_called = True
            else:
                self._on_socket(key.data, events)
        if is_called:
            self._inbox.empty()
            self._attempts.hear()

    def _is_drained(self) -> bool:
        return not self._attempts.pending and not self._inbox and not self._held and not any(
            line.attempt for lane in self._lanes.values() for line in lane.lines
        )  # fmt: skip

    def _stop(self) -> None:
        self._is_stopping = True
        for lane in self._lanes.values():
            self._release(lane)
            for line in list(lane.idle):
                self._drop(line)

    def _abandon(self) -> None:
        """What is not recorded by now is left to those who recover it."""
        self._is_abandoned = True

    def _cut_off(self) -> None:
        for lane in self._lanes.values():
            for line in list(lane.lines):
                if line.attempt is not None and line.attempt.deadline:
                    self._lost(line, "the processor was stopped before the server answered")
                else:
                    self._drop(line)

    def _open_lanes(self, wanted: dict[int, Wanted]) -> None:
        for server, settings in wanted.items():
            lane = self._lanes.setdefault(server, ConnectionPool(server))
            lane.max_conns, lane.idle_timeout = settings.max_conns, settings.idle_timeout
            if lane.smtp != settings.smtp:
                lane.smtp = settings.smtp
            for line in list(lane.idle):
                if not lane.keeps(line):
                    self._drop(line)

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
            self._holds = True
            return
        while lane.waiting and lane.idle:
            line = lane.idle.pop()
            if self._is_there(line):
                self._begin(line, lane.waiting.popleft())
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
        while self._freed:
            freed, self._freed = self._freed, {}
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
        lane.lines.add(line)
        lane.idle.append(line)
        self._selector.register(connection, selectors.EVENT_READ, line)
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

    def _begin(self, line: PooledConnection, send: Send) -> None:
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
            is_there = line.is_open and self._is_there(line)
            obstacle = self._attempts.obstacle(attempt)
            if not is_there and not (obstacle and self._is_stopping):
                obstacle = line.connection.closed_because
            if not obstacle:
                self._offer(line, attempt)
                return
            if is_there and self._attempts.must_wait():
                self._held.append(line)
                self._holds = True
                return
            self._attempts.not_offered(attempt, obstacle)
        line.attempt = None
        self._rest(line)

    def _is_there(self, line: PooledConnection) -> bool:
        """Whether the server has not closed the connection. Asked for before anything is written where there
        is reason to doubt it: one that it leaves open tells so through the selector, soon enough."""
        if (line.served and not line.lane.has_hung_up) or line.connection.is_quiet():
            return True
        self._lost(line, line.connection.closed_because)
        return False

    def _go_on(self) -> None:
        """With what was to wait until it is known anew what may be sent."""
        if self._attempts.must_wait():
            return
        held, self._held, self._holds = self._held, [], False
        for line in held:
            self._committed(line, None)
        for lane in self._lanes.values():
            self._pump(lane)

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
            self._drop(line)
        self._freed[line.lane] = None

    def _on_socket(self, line: PooledConnection, events: int) -> None:
        if events & selectors.EVENT_WRITE:
            self._flush(line)
        if not events & selectors.EVENT_READ or not line.is_open:
            return
        data = line.connection.receive()
        if data is None:
            self._flush(line)
        elif not data:
            self._lost(line, line.connection.closed_because)
        elif line.attempt is None or not line.attempt.deadline:
            self._lost(line, line.connection.spoke_unasked(data))
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
        if attempt is not None and attempt.transaction.state is not TransactionState.DOT:
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

    def _lost(self, line: PooledConnection, reason: str) -> None:
        """The connection is gone or given up, maybe in the middle of an attempt."""
        attempt, lane = line.attempt, line.lane
        if attempt is not None and attempt.deadline:
            attempt.transaction.lost(reason, line.connection.unsent)
            self._finish(line, attempt)
            return
        self._drop(line)
        self._freed[lane] = None
        if self._now() < line.idle_since + SOON_SECONDS:
            self._attempts.hung_up(lane, line.served, reason)

    def _finish(self, line: PooledConnection, attempt: Attempt) -> None:
        line.attempt = None
        served, line.served = line.served, line.served + 1
        if self._attempts.end(attempt, line.lane, served=served):
            self._rest(line)
        else:
            self._drop(line)
            self._freed[line.lane] = None

    def _drop(self, line: PooledConnection) -> None:
        if not line.is_open:
            return
        line.is_open = False
        line.lane.lines.discard(line)
        if line in line.lane.idle:
            line.lane.idle.remove(line)
        self._selector.unregister(line.connection)
        line.connection.close()

    def _tick(self) -> None:
        """Once a second: time-outs, idle lines, rates, facts that the database did not take."""
        now = self._now()
        self._attempts.tell_again()
        for lane in self._lanes.values():
            lane.measure(1.0)
            lane.uncap(now)
            for line in list(lane.lines):
                if line.attempt is not None and line.attempt.deadline and now > line.attempt.deadline:
                    self._lost(line, "the server did not answer in time")
                elif line.attempt is None and now - line.idle_since > lane.idle_timeout:
                    self._drop(line)
            if lane.falls_behind() and lane.waits_for_server():
                lane.slow_down()
                self._release(lane)
                self._hungry.set()
            elif lane.waiting or lane.room():
                self._pump(lane)
