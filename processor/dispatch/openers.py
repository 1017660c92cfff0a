"""What opens connections: connecting, negotiating TLS and signing in block, and are kept out of the loop."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from domain.delivery.reply import Stage
from mail.smtp.settings import SmtpSettings
from mail.smtp.transport import Connection, connect
from mail.smtp.transport_errors import ConnectError, TransportError
from processor.dispatch.connection_pool import ConnectionPool
from processor.send_permissions import SendPermissions
from storage.postgres.outage import OUTAGE

log = logging.getLogger(__name__)

THREADS = 16


class Openers:
    """What comes of an attempt to open a connection is told through `call`, which brings it into the loop."""

    def __init__(
        self,
        permissions: SendPermissions,
        call: Callable[[Callable[[], None]], None],
        opened: Callable[[ConnectionPool, Connection, SmtpSettings], None],
        not_opened: Callable[[ConnectionPool, Exception], None],
    ) -> None:
        self._permissions = permissions
        self._call = call
        self._opened = opened
        self._not_opened = not_opened
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="open-smtp")

    def open(self, pool: ConnectionPool) -> None:
        self._threads.submit(self._try, pool)

    def close(self) -> None:
        """Those under way end by themselves, and find nobody to tell."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _try(self, pool: ConnectionPool) -> None:
        try:
            settings, password = self._permissions.login(pool.server)
            patience = self._permissions.view.servers[pool.server].settings.wait_timeout
            connection = connect(settings, password, timeout=patience)
        except Exception as error:  # noqa: BLE001  # Whoever waits for the connection must hear of it.
            self._log(pool, error)
            self._call(partial(self._not_opened, pool, _as_trouble(error)))
        else:
            self._call(partial(self._opened, pool, connection, settings))

    def _log(self, pool: ConnectionPool, error: Exception) -> None:
        if isinstance(error, OUTAGE):
            log.warning("no login for server %d: %s", pool.server, str(error).strip())
        elif not isinstance(error, TransportError):
            log.error("a connection to server %d could not be opened", pool.server, exc_info=error)


def _as_trouble(error: Exception) -> Exception:
    """A defect that shows with one server is that server's trouble, and does not end the others' sending."""
    if isinstance(error, (TransportError, *OUTAGE)):
        return error
    return ConnectError(Stage.CONNECT, f"no connection can be opened ({type(error).__name__})")
