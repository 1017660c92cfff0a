"""An SMTP server: its settings, whether it may be used, and why not."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar, Self
from uuid import UUID

from eventsourcing.domain import Aggregate, event

from domain import fields
from domain.addresses.host_name import AddressError
from domain.addresses.mailbox import Mailbox
from domain.capacity.capacity import Limits
from domain.policy import SendingPolicy
from domain.server.availability import ServerState, Suspension, hours_of, usable_from
from domain.server.settings import ServerSettings
from domain.streams import server_stream


class SmtpServer(Aggregate):
    """`first_domain` is that of the From address with which it was added, None for one that cannot be used:
    Message-IDs have it, whatever becomes of the From address (docs/decisions/0002-message-id.md)."""

    TOPIC: ClassVar[str] = "server"

    class Event(Aggregate.Event):
        by: str

    class Created(Event, Aggregate.Created):
        TOPIC: ClassVar[str] = "server.added"
        number: int
        settings: dict[str, Any]

    class Changed(Event):
        TOPIC: ClassVar[str] = "server.changed"
        changes: dict[str, Any]

    class Enabled(Event):
        TOPIC: ClassVar[str] = "server.enabled"

    class Disabled(Event):
        TOPIC: ClassVar[str] = "server.disabled"

    class Suspended(Event):
        """`until` is an ISO 8601 instant in UTC, or None until somebody resumes the server."""

        TOPIC: ClassVar[str] = "server.suspended"
        reason: str
        until: str | None

    class Resumed(Event):
        TOPIC: ClassVar[str] = "server.resumed"

    class PasswordChanged(Event):
        """That it changed: the password itself is kept, encrypted, outside the log."""

        TOPIC: ClassVar[str] = "server.password_changed"
        removed: bool

    @staticmethod
    def create_id(number: int) -> UUID:
        return server_stream(number)

    @classmethod
    def add(cls, number: int, settings: Mapping[str, Any], *, by: str, at: datetime) -> Self:
        """Raises Refused. That the name is taken by no other server is for the caller to see to."""
        checked = ServerSettings.checked(settings).as_dict()
        return cls._create(cls.Created, number=number, settings=checked, by=by, timestamp=at)

    @event(Created)
    def __init__(self, number: int, settings: dict[str, Any]) -> None:
        self.number = number
        self.settings = ServerSettings(**settings)
        self.first_domain = _domain_of(self.settings.from_email)
        self.suspension: Suspension | None = None

    def is_enabled(self) -> bool:
        return self.settings.enabled

    def is_usable(self, at: datetime) -> bool:
        """Whether it may be used, its limits and its window apart."""
        return usable_from(self.is_enabled(), self.suspension, at) == at

    def limits(self) -> Limits:
        return self.settings.limits

    def state(self, policy: SendingPolicy) -> ServerState:
        """For whoever sees to its limits apart."""
        return ServerState(
            enabled=self.is_enabled(),
            hours=hours_of(policy, self.settings.window),
            suspension=self.suspension,
        )

    def change(self, changes: Mapping[str, Any], *, by: str, at: datetime) -> None:
        """Records only what differs; `enabled` as an event of its own. Raises Refused."""
        new = self.settings.changed(changes).as_dict()
        old = self.settings.as_dict()
        differing = {name: new[name] for name in changes if new[name] != old[name]}
        enabled = differing.pop("enabled", None)
        if differing:
            self.trigger_event(self.Changed, changes=differing, by=by, timestamp=at)
        if enabled is not None:
            (self.enable if enabled else self.disable)(by=by, at=at)

    @event(Changed)
    def _changed(self, changes: dict[str, Any]) -> None:
        self.settings = ServerSettings(**{**self.settings.as_dict(), **changes})

    def enable(self, *, by: str, at: datetime) -> None:
        if not self.is_enabled():
            self.trigger_event(self.Enabled, by=by, timestamp=at)

    @event(Enabled)
    def _enabled(self) -> None:
        self.settings = ServerSettings(**{**self.settings.as_dict(), "enabled": True})

    def disable(self, *, by: str, at: datetime) -> None:
        if self.is_enabled():
            self.trigger_event(self.Disabled, by=by, timestamp=at)

    @event(Disabled)
    def _disabled(self) -> None:
        self.settings = ServerSettings(**{**self.settings.as_dict(), "enabled": False})

    def suspend(self, reason: str, until: datetime | str | None, *, by: str, at: datetime) -> None:
        """Nothing happens when it is suspended for as long already, or when `until` is past.
        `until` None: until somebody resumes it. Raises Refused."""
        reason = fields.reason(reason, shortest=1)
        if until is None:
            instant = None
        else:
            instant = fields.instant(until, "until").astimezone(UTC)
            if instant <= at or self._is_suspended_until(instant):
                return
        if instant is None and self.suspension is not None and self.suspension.until is None:
            return
        iso = None if instant is None else instant.isoformat()
        self.trigger_event(self.Suspended, reason=reason, until=iso, by=by, timestamp=at)

    def _is_suspended_until(self, instant: datetime) -> bool:
        return self.suspension is not None and (
            self.suspension.until is None or self.suspension.until >= instant
        )

    @event(Suspended)
    def _suspended(self, reason: str, until: str | None) -> None:
        self.suspension = Suspension(reason, None if until is None else datetime.fromisoformat(until))

    def resume(self, *, by: str, at: datetime) -> None:
        """Also one whose suspension has run out, so that the record says who looked after it."""
        if self.suspension is not None:
            self.trigger_event(self.Resumed, by=by, timestamp=at)

    @event(Resumed)
    def _resumed(self) -> None:
        self.suspension = None

    def note_password(self, *, removed: bool, by: str, at: datetime) -> None:
        """That its password was set, replaced or removed."""
        self.trigger_event(self.PasswordChanged, removed=removed, by=by, timestamp=at)

    @event(PasswordChanged)
    def _password_changed(self, removed: bool) -> None:
        """Nothing of it is kept here."""


def _domain_of(from_email: str) -> str | None:
    try:
        return Mailbox.parse(from_email).address.domain
    except AddressError:
        return None
