"""What can be done with SMTP servers, for pages, API and command line alike. Every command names who gives it
(`by`), is in force at once, and is shown by the projections when it returns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any

from application.installation import Installation
from domain.errors import Missing, Refused
from domain.server.settings import AuthProtocol, ServerSettings
from mail.smtp.probe import ProbeResult, probe
from projections.server_names import name_reserved
from storage.numbers import next_server
from storage.secrets import (
    ANYWHERE,
    LONGEST_PASSWORD,
    OTHER_DESTINATION,
    SecretsError,
    holds_password,
    unbound,
)


class Servers:
    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._decisions = installation.application

    def add(self, settings: Mapping[str, Any], password: str | None, *, by: str) -> int:
        """Returns the number. Raises Refused with a message for each field that is wrong."""
        check_password(password)
        destination = self._decisions.new_server_settings(settings).destination
        with self._installation.pool.transaction() as cursor:
            number = next_server(cursor)

        def add() -> None:
            with self._name_reserved(settings.get("name")):
                self._decisions.add_server(settings, number=number, by=by)

        self._with_password(number, destination, password or None, add, by)
        return number

    def change(self, number: int, changes: Mapping[str, Any], password: str | None, *, by: str) -> None:
        """`password` None keeps what there is, which is refused when it would be for another destination
        than before; an empty one removes it. Raises Refused, Missing."""
        check_password(password)
        settings = self._decisions.server(number).settings.changed(changes)
        if password is None:
            self._check_destination(number, settings)

        def change() -> None:
            with self._name_reserved(changes.get("name"), number):
                self._decisions.change_server(number, changes, by=by)

        self._with_password(number, settings.destination, password, change, by)

    def suspend(self, number: int, reason: str, until: datetime | None, *, by: str) -> None:
        """`until` None: until somebody resumes it. Raises Refused, also for an instant that is past, and
        Missing."""
        if until is not None and until <= self._installation.clock.now():
            raise Refused("until: must be in the future", "until")
        self._shown(self._decisions.suspend_server(number, reason=reason, until=until, by=by))

    def resume(self, number: int, *, by: str) -> None:
        self._shown(self._decisions.resume_server(number, by=by))

    def enable(self, number: int, *, by: str) -> None:
        self._shown(self._decisions.enable_server(number, by=by))

    def disable(self, number: int, *, by: str) -> None:
        self._shown(self._decisions.disable_server(number, by=by))

    def bind_kept_passwords(self) -> list[int]:
        """Those that an earlier release kept, to where their servers are now: once, when the database is
        brought up to date. Returns the servers whose passwords no key opens."""
        with self._installation.pool.transaction() as cursor:
            found = unbound(cursor)
        return [number for number in found if not self._bind(number)]

    def probe(
        self, settings: Mapping[str, Any], password: str | None, number: int | None = None
    ) -> ProbeResult:
        """Connects, encrypts and signs in, and sends nothing. `password` None is the one that is kept for the
        server `number`. Raises Refused for settings that could not be kept, and when that password was given
        for another destination."""
        checked = ServerSettings.checked(settings)
        if password is None and number is not None and checked.auth_protocol != AuthProtocol.NONE:
            self._check_destination(number, checked)
            password = self._password(number, checked.destination)
        return probe(checked.as_dict(), password or "")

    def probe_as_kept(self, number: int) -> ProbeResult:
        """Raises Missing, Refused."""
        return self.probe(self._decisions.server(number).settings.as_dict(), None, number)

    def _password(self, number: int, destination: str) -> str | None:
        try:
            with self._installation.reading() as cursor:
                return self._installation.opened_secrets().password_of(cursor, number, destination)
        except SecretsError as error:
            raise Refused(f"password: {error}", "password") from None

    def _name_reserved(self, name: object, number: int | None = None) -> AbstractContextManager[None]:
        return name_reserved(self._installation.pool, self._installation.catch_up, name, number)

    def _check_destination(self, number: int, settings: ServerSettings) -> None:
        """Raises Refused when a password is kept for the server that was given for another destination."""
        if settings.destination == self._decisions.server(number).settings.destination:
            return
        with self._installation.reading() as cursor:
            if holds_password(cursor, number):
                raise Refused(f"password: {OTHER_DESTINATION}", "password")

    def _with_password(
        self, number: int, destination: str, password: str | None, command: Callable[[], object], by: str
    ) -> None:
        """The password first, so that no processor ever finds the server without it; back if refused. The one
        before is kept for its own destination until the next, for processors that have not heard of this."""
        if password is None:
            command()
            self._installation.catch_up()
            return
        secrets = self._installation.opened_secrets()
        with self._installation.pool.transaction() as cursor:
            before = self._readable_passwords(cursor, number)
            others = [(where, one) for where, one in before.items() if where != destination]
            kept = dict([*others[-1:], (destination, password)])
            secrets.keep_passwords(cursor, number, kept)
        try:
            command()
        except BaseException:
            self._keep_passwords(number, before)
            raise
        if not password:
            self._keep_passwords(number, {})
        self._shown(self._decisions.note_password(number, removed=not password, by=by))

    def _keep_passwords(self, number: int, passwords: Mapping[str, str]) -> None:
        with self._installation.pool.transaction() as cursor:
            self._installation.opened_secrets().keep_passwords(cursor, number, passwords)

    def _readable_passwords(self, cursor: Any, number: int) -> dict[str, str]:
        """By destination. None where no key opens them any more: they are worth nothing then."""
        try:
            return self._installation.opened_secrets().passwords_of(cursor, number)
        except SecretsError:
            return {}

    def _bind(self, number: int) -> bool:
        try:
            destination = self._decisions.server(number).settings.destination
        except Missing:
            return True  # a password that was kept for a server that was never added opens nothing
        try:
            with self._installation.pool.transaction() as cursor:
                secrets = self._installation.opened_secrets()
                kept = secrets.passwords_of(cursor, number)
                bound = {destination if where == ANYWHERE else where: one for where, one in kept.items()}
                secrets.keep_passwords(cursor, number, bound)
        except SecretsError:
            return False
        return True

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
