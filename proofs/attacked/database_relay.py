"""What stands between a process and its PostgreSQL, and can be taken away."""

from __future__ import annotations

import socket
from contextlib import suppress
from threading import Thread
from types import TracebackType

from psycopg2.extensions import make_dsn, parse_dsn

BYTES = 64 * 1024


class DatabaseRelay:
    """`with DatabaseRelay(url) as relay: relay.url`. After `leave` connections are refused."""

    def __init__(self, url: str) -> None:
        told = parse_dsn(url)
        self._host, self._database_port = told["host"], int(told.get("port", 5432))
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        self.url = make_dsn(url, host="127.0.0.1", port=self.port)
        self._open: list[socket.socket] = []

    def __enter__(self) -> DatabaseRelay:
        Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.leave()

    def leave(self) -> None:
        for one in (self._listening, *self._open):
            with suppress(OSError):  # it has gone before
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            database = self._connected()
            self._open += [client, database]
            for source, target in ((client, database), (database, client)):
                Thread(target=self._pass_on, args=(source, target), daemon=True).start()

    def _connected(self) -> socket.socket:
        if not self._host.startswith("/"):
            return socket.create_connection((self._host, self._database_port))
        database = socket.socket(socket.AF_UNIX)
        database.connect(f"{self._host}/.s.PGSQL.{self._database_port}")
        return database

    @staticmethod
    def _pass_on(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):  # either end has gone
            while data := source.recv(BYTES):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
