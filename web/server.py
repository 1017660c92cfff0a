"""Serves the application: gunicorn with one worker of many threads, stopped gracefully."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable
from types import FrameType
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from flask import Flask
from gunicorn import glogging  # type: ignore[import-untyped]
from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]
from gunicorn.http import wsgi as gunicorn_wsgi  # type: ignore[import-untyped]
from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]

from domain.addresses.bind_address import check_bind

MOST_DRAINED = 64 * 1024
"""Bytes of an unread body that gunicorn reads to keep a connection."""

GRACE = 10
"""Seconds that requests under way are given after SIGTERM."""


def serve(
    app: Flask,
    host: str,
    port: int,
    threads: int = 32,
    *,
    has_admin: bool = False,
    ready: Callable[[str], None] | None = None,
) -> None:
    """Serves until SIGTERM or SIGINT, then leaves through SystemExit as gunicorn does. `ready` is told
    the address once it listens. Raises BindRefused for a host that others reach unless `has_admin`,
    and ValueError when live pages could take all the threads.

    The worker is a fork: call this before starting any thread that the application needs.
    """
    check_bind(host, has_admin)
    settings = app.extensions["postledger"].settings
    held = settings.streams + settings.feeds
    if threads < held + 4:
        raise ValueError(f"{held} live pages and feeds need at least {held + 4} threads")
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    app.wsgi_app = closing(app.wsgi_app)  # type: ignore[assignment, method-assign]
    Served(app, address, threads, ready).run()


def closing(application: WSGIApplication) -> WSGIApplication:
    """What is refused before its body was read ends the connection, and says so (RFC 9112, section 9.3):
    gunicorn announces that it goes on, reads no more than 64 KiB of such a body and hangs up."""

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        response = getattr(start_response, "__self__", None)

        def started(status: str, headers: list[tuple[str, str]], *more: Any) -> Callable[[bytes], object]:
            if status[0] in "45" and isinstance(response, gunicorn_wsgi.Response) and has_much_body(environ):
                response.force_close()
            return start_response(status, headers, *more)

        return application(environ, started)

    return answer


def has_much_body(environ: WSGIEnvironment) -> bool:
    """Of unknown length counts as much."""
    return "HTTP_TRANSFER_ENCODING" in environ or int(environ.get("CONTENT_LENGTH") or 0) > MOST_DRAINED


class Served(BaseApplication):  # type: ignore[misc]
    def __init__(self, app: Flask, address: str, threads: int, ready: Callable[[str], None] | None) -> None:
        self._app = app
        self._options: dict[str, Any] = {
            "bind": address,
            "workers": 1,
            "threads": threads,
            "worker_class": Worker,
            "worker_connections": threads + 200,
            "graceful_timeout": GRACE,
            "timeout": 60,
            "keepalive": 15,
            "limit_request_line": 4094,
            "limit_request_fields": 60,
            "proc_name": "postledger-web",
            "control_socket_disable": True,
            "logger_class": Logger,
            "loglevel": "warning",
        }
        if ready is not None:
            self._options["when_ready"] = lambda arbiter: ready(str(arbiter.LISTENERS[0]))
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        return self._app


class Logger(glogging.Logger):  # type: ignore[misc]
    """Hands its lines to the logging that the program set up, as everybody else does."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        self.error_log.handlers.clear()
        self.error_log.propagate = True


class Worker(ThreadWorker):  # type: ignore[misc]
    """Ends live streams when it is asked to stop, or they would hold it for the whole grace."""

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
