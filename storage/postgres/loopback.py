"""Ports of this machine: a free one, and whether the server that we mean answers on one."""

from __future__ import annotations

import socket

import psycopg2


class NotOurServer(Exception):
    """There is no port to be had, or a server on it that does not know us."""


def free_port(preferred: int) -> int:
    for port in (preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise NotOurServer("no free port on the loopback interface")


def answers(url: str, *, create: bool = False) -> bool:
    """Whether the server of `url` lets us in; with `create` its database is made when it is not there.

    Scram proves both ways: a stranger on the same port cannot answer without knowing the password.
    """
    server, database = url.rsplit("/", 1)
    at = f"{server}/postgres" if create else url
    try:
        connection = psycopg2.connect(at, connect_timeout=5)
    except psycopg2.OperationalError as error:
        if create and "password authentication failed" in str(error):
            raise NotOurServer(f"the server refuses the recorded password: {error}") from error
        return False
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (database,))
            if create and cursor.fetchone() is None:
                cursor.execute(f'CREATE DATABASE "{database}"')
    finally:
        connection.close()
    return True
