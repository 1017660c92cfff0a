"""What can be done with SMTP servers, for pages, API and command line alike. Every command names who gives it
(`by`), is in force at once, and is shown by the projections when it returns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any

from application.installation import Installation
from domain.errors import Refused
from domain.server.settings import ServerSettings
from mail.smtp.probe import ProbeResult, probe
from projections.server_names import name_reserved
from storage.numbers import next_server
from storage.secrets import LONGEST_PASSWORD, SecretsError


class Servers:
    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._decisions = installation.application

    def add(self, settings: Mapping[str, Any], password: str | None, *, by: str) -> int:
        """Returns the number. Raises Refused with a message for each field that is wrong."""
        check_password(password)
        with self._installation.pool.transaction() as cursor:
            number = next_server(cursor)

        def add() -> None:
            with self._name_reserved(settings.get("name")):
                self._decisions.add_server(settings, number=number, by=by)

        self._with_password(number, password or None, add, by)
        return number

    def change(self, number: int, changes: Mapping[str, Any], password: str | None, *, by: str) -> None:
        """`password` None keeps what there is, an empty one removes it. Raises Refused, Missing."""
        check_password(password)

        def change() -> None:
            with self._name_reserved(changes.get("name"), number):
                self._decisions.change_server(number, changes, by=by)

        self._with_password(number, password, change, by)

    def suspend(self, number: int, reason: str, until: datetime | None, *, by: str) -> None:
        """`until` None: until somebody resumes it. Raises Refused, also for an instant that is past, and
        Missing."""
        if until is not None and until <= self._installation.clock.now():
            raise Refused("until: this is past", "until")
        self._shown(self._decisions.suspend_server(number, reason=reason, until=until, by=by))

    def resume(self, number: int, *, by: str) -> None:
        self._shown(self._decisions.resume_server(number, by=by))

    def enable(self, number: int, *, by: str) -> None:
        self._shown(self._decisions.enable_server(number, by=by))

    def disable(self, number: int, *, by: str) -> None:
        self._shown(self._decisions.disable_server(number, by=by))

    def probe(
        self, settings: Mapping[str, Any], password: str | None, number: int | None = None
    ) -> ProbeResult:
        """Connects, encrypts and signs in, and sends nothing. `password` None is the one that is kept for the
        server `number`. Raises Refused for settings that could not be kept."""
        checked = ServerSettings.checked(settings).as_dict()
        if password is None and number is not None:
            password = self._password(number)
        return probe(checked, password or "")

    def probe_as_kept(self, number: int) -> ProbeResult:
        """Raises Missing, Refused."""
        return self.probe(self._decisions.server(number).settings.as_dict(), None, number)

    def _password(self, number: int) -> str | None:
        try:
            with self._installation.reading() as cursor:
                return self._installation.opened_secrets().password_of(cursor, number)
        except SecretsError as error:
            raise Refused(f"password: {error}", "password") from None

    def _name_reserved(self, name: object, number: int | None = None) -> AbstractContextManager[None]:
        return name_reserved(self._installation.pool, self._installation.catch_up, name, number)

    def _with_password(
        self, number: int, password: str | None, command: Callable[[], object], by: str
    ) -> None:
        """The password first, so that no processor ever finds the server without it; back if refused."""
        if password is None:
            command()
            self._installation.catch_up()
            return
        secrets = self._installation.opened_secrets()
        with self._installation.pool.transaction() as cursor:
            before = self._readable_password(cursor, number)
            secrets.keep_password(cursor, number, password)
        try:
            command()
        except BaseException:
            with self._installation.pool.transaction() as cursor:
                secrets.keep_password(cursor, number, before)
            raise
        self._shown(self._decisions.note_password(number, removed=not password, by=by))

    def _readable_password(self, cursor: Any, number: int) -> str | None:
        """None also for one that no key opens any more: it is worth nothing, and may be replaced."""
        try:
            return self._installation.opened_secrets().password_of(cursor, number)
        except SecretsError:
            return None

    def _shown(self, position: int | None) -> None:
        self._installation.wait_until_shown(position)


def check_password(password: str | None) -> None:
    """Raises Refused."""
    if password is None:
        return
    if len(password) > LONGEST_PASSWORD:
        raise Refused(f"password: at most {LONGEST_PASSWORD} characters", "password")
    if any(ord(character) < 32 or ord(character) == 127 for character in password):
        raise Refused("password: line breaks and other control characters are not allowed", "password")
