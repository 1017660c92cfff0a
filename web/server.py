"""Serves the application: gunicorn with one worker of many threads, stopped gracefully."""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterable
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from flask import Flask
from gunicorn import glogging  # type: ignore[import-untyped]
from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]
from gunicorn.http import wsgi as gunicorn_wsgi  # type: ignore[import-untyped]
from gunicorn.http.errors import ParseException  # type: ignore[import-untyped]
from werkzeug.exceptions import BadRequest, RequestTimeout

from domain.addresses.bind_address import check_bind
from web.arriving import LONGEST_BODY
from web.worker import Worker

MOST_CONNECTIONS = 2048

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
    app.wsgi_app = with_long_bodies(app.wsgi_app)  # type: ignore[assignment, method-assign]
    allow_connections(2 * MOST_CONNECTIONS)
    Served(app, address, threads, ready).run()


def allow_connections(files: int) -> None:
    """Many systems let a process open 1,024 files unless it asks for more."""
    most, allowed = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = files if allowed == resource.RLIM_INFINITY else min(files, allowed)
    if most != resource.RLIM_INFINITY and most < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, allowed))


def with_long_bodies(application: WSGIApplication) -> WSGIApplication:
    """A request whose body is not all there when it is handed to a thread ends its connection, and says so
    (RFC 9112, section 9.3): the rest of the body may never come. One that stalls is answered with 408."""

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        response = getattr(start_response, "__self__", None)
        if has_long_body(environ):
            environ["wsgi.input"] = LongBody(environ["wsgi.input"])
            if isinstance(response, gunicorn_wsgi.Response):
                response.force_close()
        return application(environ, start_response)

    return answer


def has_long_body(environ: WSGIEnvironment) -> bool:
    """Of unknown length counts as long."""
    return "HTTP_TRANSFER_ENCODING" in environ or int(environ.get("CONTENT_LENGTH") or 0) > LONGEST_BODY


class LongBody:
    """Reading raises RequestTimeout for what comes too slowly, BadRequest for what is cut or badly framed."""

    def __init__(self, body: Any) -> None:
        self._body = body

    def read(self, size: int = -1) -> bytes:
        return self._told(self._body.read, size)

    def readline(self, size: int = -1) -> bytes:
        return self._told(self._body.readline, size)

    @staticmethod
    def _told(read: Callable[[int], bytes], size: int) -> bytes:
        try:
            return read(size)
        except TimeoutError:
            raise RequestTimeout from None
        except (ParseException, OSError) as error:
            raise BadRequest(f"The body cannot be read: {type(error).__name__}.") from None


class Served(BaseApplication):  # type: ignore[misc]
    def __init__(self, app: Flask, address: str, threads: int, ready: Callable[[str], None] | None) -> None:
        self._app = app
        self._options: dict[str, Any] = {
            "bind": address,
            "workers": 1,
            "threads": threads,
            "worker_class": Worker,
            "worker_connections": MOST_CONNECTIONS,
            "graceful_timeout": GRACE,
            "timeout": 60,
            "keepalive": 15,
            "limit_request_line": 4094,
            "limit_request_fields": 60,
            # No client sets SCRIPT_NAME, PATH_INFO or the scheme, not even one on this machine: of what
            # proxies add, we believe as much as `trusted_proxies` says.
            "forwarder_headers": "",
            "forwarded_allow_ips": "",
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
