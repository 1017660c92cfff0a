"""Servers that the dispatcher found in trouble: closed here at once, suspended in the log a moment later."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from application.decisions.postledger import Postledger
from domain.clock import Clock
from domain.errors import Refused
from processor.failures import Failures
from processor.send_permissions import SendPermissions
from storage.log.committer import Fenced
from storage.postgres.outage import OUTAGE

log = logging.getLogger(__name__)

JOB = "suspend"


class Suspensions:
    """`look_again` brings the send permissions up to the log."""

    def __init__(self, permissions: SendPermissions, application: Postledger, clock: Clock,
                 failures: Failures, actor: str,
                 look_again: Callable[[], None]) -> None:  # fmt: skip
        self._permissions = permissions
        self._application = application
        self._clock = clock
        self._failures = failures
        self._actor = actor
        self._look_again = look_again
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="suspend")

    def suspend(self, server: int, reason: str, until: datetime) -> None:
        """Does not block."""
        self._permissions.suspend(server, until, self._clock.now())
        self._threads.submit(self._record, server, reason, until)

    def close(self) -> None:
        """Waits for what is being recorded."""
        self._threads.shutdown(wait=True)

    def _record(self, server: int, reason: str, until: datetime) -> None:
        try:
            self._application.suspend_server(server, reason=reason, until=until, by=self._actor)
            self._look_again()
            self._permissions.suspension_recorded(server, until)
        except (Refused, Fenced) as refusal:
            log.info("server %d was not suspended: %s", server, refusal)
        except OUTAGE as error:
            # It stays suspended here all the same; who uses it afterwards will find out anew.
            log.warning("the suspension of server %d was not recorded: %s", server, str(error).strip())
        except Exception as error:  # noqa: BLE001  # As above, but told: nobody asks a thread for its error.
            self._failures.failed(JOB, error)
        else:
            self._failures.succeeded(JOB)
