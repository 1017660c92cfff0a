"""The process that answers: gunicorn's loop and threads, in which no thread waits for a slow client."""

from __future__ import annotations

import logging
import os
import time
from contextlib import suppress
from functools import partial
from selectors import EVENT_READ
from socket import SHUT_WR
from types import FrameType
from typing import Any

from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]

from web.arriving import Arrivals, ArrivingRequest, ReadRequest
from web.paced_socket import PacedSocket

MOST_KEPT = 256
"""Connections that wait for a next request."""
MOST_LEAVING = 256
LEAVING_SECONDS = 2.0
"""In which a client reads the last answer and closes its side (RFC 9112, section 9.6)."""
READ_SIZE = 64 * 1024

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
TOO_SLOW = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
TOO_LONG = b"HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class Worker(ThreadWorker):  # type: ignore[misc]
    """Ends live streams when it is asked to stop, or they would hold it for the whole grace."""

    def __init__(self, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        self.max_keepalived = MOST_KEPT
        self._arrivals = Arrivals()
        self._leaving: dict[Any, float] = {}

    # Arriving

    def enqueue_req(self, conn: Any) -> None:
        """gunicorn would give a thread to each connection that is new, or on which something came."""
        if surplus := self._arrivals.surplus():
            self._give_up(surplus)
        conn.init()
        conn.parser.mesg_class = ReadRequest
        conn.sock.setblocking(False)
        request = ArrivingRequest(self.cfg, conn.client, bytearray(conn.parser.unreader.take_buffered()))
        self._arrivals.add(conn, request)
        self.poller.register(conn.sock, EVENT_READ, partial(self._read, conn))
        if request.data:
            self._look_at(conn, request)

    def _read(self, conn: Any, _socket: Any) -> None:
        try:
            data = conn.sock.recv(READ_SIZE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._take_out(conn)
            self._close(conn)
            return
        request = self._arrivals[conn]
        request.data += data
        self._look_at(conn, request)

    def _look_at(self, conn: Any, request: ArrivingRequest) -> None:
        if request.is_ready():
            self._take_out(conn)
            conn.parser.unreader.unread(bytes(request.data))
            super().enqueue_req(conn)
        elif request.is_too_long():
            self._take_out(conn)
            self._leave(conn, TOO_LONG)
        elif request.awaits_continue:
            request.awaits_continue = False
            with suppress(OSError):
                conn.sock.send(CONTINUE)

    def _give_up(self, conn: Any) -> None:
        """Where nothing came at all there is nothing to be answered either."""
        request = self._take_out(conn)
        if request.data:
            self._leave(conn, TOO_SLOW)
        else:
            self._close(conn)

    def _take_out(self, conn: Any) -> ArrivingRequest:
        self.poller.unregister(conn.sock)
        return self._arrivals.remove(conn)

    # In a thread

    def handle_request(self, req: Any, conn: Any) -> Any:
        conn.parser.unreader.sock = PacedSocket(conn.sock)
        try:
            return super().handle_request(req, conn)
        except TimeoutError:
            raise StopIteration from None  # the client takes nothing: gunicorn closes without another word

    # Leaving

    def finish_request(self, conn: Any, fs: Any) -> None:
        """gunicorn would wait in its loop, where everybody else waits too, for the client to close."""
        if not fs.cancelled() and fs.exception() is None and fs.result():
            super().finish_request(conn, fs)
        else:
            self._leave(conn)

    def _leave(self, conn: Any, last_words: bytes = b"") -> None:
        try:
            conn.sock.setblocking(False)
            conn.sock.send(last_words)
            conn.sock.shutdown(SHUT_WR)
        except OSError:
            self._close(conn)
            return
        if len(self._leaving) >= MOST_LEAVING:
            self._left(next(iter(self._leaving)))
        self._leaving[conn] = time.monotonic() + LEAVING_SECONDS
        self.poller.register(conn.sock, EVENT_READ, partial(self._ignore, conn))

    def _ignore(self, conn: Any, _socket: Any) -> None:
        """What still comes: to close before it was read would take the answer away from the client."""
        try:
            is_open = bool(conn.sock.recv(READ_SIZE))
        except BlockingIOError:
            return
        except OSError:
            is_open = False
        if not is_open:
            self._left(conn)

    def _left(self, conn: Any) -> None:
        del self._leaving[conn]
        self.poller.unregister(conn.sock)
        self._close(conn)

    def _close(self, conn: Any) -> None:
        self.nr_conns -= 1
        conn.close()

    # The loop

    def murder_pending(self) -> None:
        """Called once a second at least."""
        for conn in self._arrivals.overdue(is_stopping=not self.alive):
            self._give_up(conn)
        now = time.monotonic()
        for conn in [one for one, deadline in self._leaving.items() if deadline <= now]:
            self._left(conn)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._end_streams()
        super().handle_exit(sig, frame)

    def handle_quit(self, sig: int, frame: FrameType | None) -> None:
        self._end_streams()
        super().handle_quit(sig, frame)

    def run(self) -> None:
        """Never returns: whoever called `serve` waits in the parent, and what it would do on the way
        out (stop a database, close connections) is not for a fork to do."""
        status = 1
        try:
            super().run()
            status = 0
        except SystemExit as asked:
            status = int(asked.code or 0)
        except Exception:
            logging.getLogger(__name__).exception("The worker failed")
        finally:
            logging.shutdown()
            os._exit(status)

    def _end_streams(self) -> None:
        kept = self.app.wsgi().extensions
        kept["postledger.broadcast"].close(wait=False)
        kept["postledger.waiters"].close()
