"""An application served on loopback: in threads, as a browser needs it, or by a process as in production."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

from flask import Flask
from werkzeug.serving import make_server

ROOT = Path(__file__).parents[2]


@contextmanager
def serving(app: Flask, port: int = 0) -> Iterator[str]:
    """Its address. `port` 0 is any that is free."""
    server = make_server("127.0.0.1", port, app, threaded=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    app.extensions["postledger.broadcast"].close()
    server.shutdown()
    thread.join()
    server.server_close()


SERVED = """
import sys
from application.installation import Installation
from domain.clock import SystemClock
from storage.postgres.pool import Pool
from web import arriving, server
from web.app import create_app
from web.http.settings import WebSettings
from web.server import serve

arriving.SECONDS = float(sys.argv[3])
server.GRACE = int(sys.argv[4])
app = create_app(Installation.over(Pool(sys.argv[1]), SystemClock()), settings=WebSettings())
try:
    serve(app, "127.0.0.1", int(sys.argv[2]), ready=lambda address: print(address, flush=True))
finally:
    print("left by one process", flush=True)
"""


@contextmanager
def served(
    database_url: str, seconds: float = 15, grace: int = 10
) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """The process that production runs, and the port on which it will listen; it is gone in the end. Requests
    have to arrive in so many seconds; `grace` seconds it waits for them when it is asked to stop."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", SERVED, database_url, str(port), str(seconds), str(grace)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    with process:
        try:
            yield process, port
        finally:
            process.kill()
