"""What can be done with SMTP servers, for pages and API alike. All of it is in force at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from domain.errors import Refused
from domain.server.settings import ServerSettings
from mail.smtp.probe import ProbeResult, probe
from projections.following.schema import log_head
from projections.server_names import name_reserved
from storage.numbers import next_server
from storage.secrets import LONGEST_PASSWORD, SecretsError, holds_password
from web.http.services import reading, services, wait_until_shown


def add_server(settings: Mapping[str, Any], password: str | None, *, by: str) -> int:
    """Returns the number. Raises Refused with a message for each field that is wrong."""
    check_password(password)
    with services().pool.transaction() as cursor:
        number = next_server(cursor)

    def add() -> None:
        with name_reserved(services().pool, shown_to_the_end, settings.get("name")):
            services().application.add_server(settings, number=number, by=by)

    with_password(number, password or None, add, by)
    return number


def change_server(number: int, changes: Mapping[str, Any], password: str | None, *, by: str) -> None:
    """`password` None keeps what there is, an empty one removes it. Raises Refused, Missing."""
    check_password(password)

    def change() -> None:
        with name_reserved(services().pool, shown_to_the_end, changes.get("name"), number):
            services().application.change_server(number, changes, by=by)

    with_password(number, password, change, by)


def suspend_server(number: int, reason: str, until: datetime | None, *, by: str) -> None:
    """`until` None: until somebody resumes it. Raises Refused, also for an instant that is past."""
    if until is not None and until <= services().clock.now():
        raise Refused("until: this is past", "until")
    shown(services().application.suspend_server(number, reason=reason, until=until, by=by))


def resume_server(number: int, *, by: str) -> None:
    shown(services().application.resume_server(number, by=by))


def enable_server(number: int, *, by: str) -> None:
    shown(services().application.enable_server(number, by=by))


def disable_server(number: int, *, by: str) -> None:
    shown(services().application.disable_server(number, by=by))


def try_server(settings: Mapping[str, Any], password: str | None, number: int | None = None) -> ProbeResult:
    """Connects, encrypts and signs in, and sends nothing. `password` None is the one that is kept for the
    server `number`. Raises Refused for settings that could not be kept."""
    checked = ServerSettings.checked(settings).as_dict()
    if password is None and number is not None:
        password = kept_password(number)
    return probe(checked, password or "")


def kept_password(number: int) -> str | None:
    try:
        with reading() as cursor:
            return services().opened_secrets().password_of(cursor, number)
    except SecretsError as error:
        raise Refused(f"password: {error}", "password") from None


def has_password(cursor: Any, number: int) -> bool:
    return holds_password(cursor, number)


def check_password(password: str | None) -> None:
    if password is None:
        return
    if len(password) > LONGEST_PASSWORD:
        raise Refused(f"password: at most {LONGEST_PASSWORD} characters", "password")
    if any(ord(character) < 32 or ord(character) == 127 for character in password):
        raise Refused("password: line breaks and other control characters are not allowed", "password")


def with_password(number: int, password: str | None, command: Callable[[], object], by: str) -> None:
    """The password first, so that no processor ever finds the server without it; back if refused."""
    if password is None:
        command()
        shown_to_the_end()
        return
    with services().pool.transaction() as cursor:
        before = readable_password(cursor, number)
        services().opened_secrets().keep_password(cursor, number, password)
    try:
        command()
    except BaseException:
        with services().pool.transaction() as cursor:
            services().opened_secrets().keep_password(cursor, number, before)
        raise
    shown(services().application.note_password(number, removed=not password, by=by))


def readable_password(cursor: Any, number: int) -> str | None:
    """None also for one that no key opens any more: it is worth nothing, and may be replaced."""
    try:
        return services().opened_secrets().password_of(cursor, number)
    except SecretsError:
        return None


def shown(position: int | None) -> None:
    wait_until_shown(position)


def shown_to_the_end() -> None:
    with reading() as cursor:
        wait_until_shown(log_head(cursor))
