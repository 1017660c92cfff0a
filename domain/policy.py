"""The sending policy: when e-mail may go out, how failures are retried, how the processor works."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from dataclasses import fields as fields_of
from datetime import date
from functools import cached_property, reduce
from typing import Any, ClassVar

from domain import fields
from domain.addresses.mailbox import LONGEST as LONGEST_MAILBOX
from domain.addresses.mailbox import parse_mailbox
from domain.addresses.public_url import LONGEST as LONGEST_URL
from domain.addresses.public_url import parse_public_url
from domain.calendar import LONGEST_WINDOWS, Calendar, parse_timezone, parse_windows
from domain.capacity.plan import Strategy
from domain.fact import Fact
from domain.streams import policy_stream

_WEEK = (1, 2, 3, 4, 5, 6, 7)
_DAY = 86_400
MOST_HOLIDAYS = 500
LONGEST_TIMEZONE = 100

BOUNDS: dict[str, tuple[int, int]] = {
    "retry_first": (1, _DAY),
    "retry_cap": (1, _DAY),
    "retry_attempts": (1, 100),
    "retry_hours": (1, 24 * 30),
    "poll_interval": (1, 3600),
    "batch": (1, 100_000),
    "first_suspension": (1, _DAY),
    "max_suspension": (1, 7 * _DAY),
}
"""The least and the most of each number."""


@dataclass(frozen=True, kw_only=True)
class PolicyChanged(Fact):
    TOPIC: ClassVar[str] = "policy.changed"
    changes: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class SendingPolicy:
    """`windows` "" is always; `weekdays` are ISO numbers, 1 is Monday; `holidays` are ISO dates on which
    no window opens. Seconds: `retry_first`, `retry_cap`, `poll_interval`, `first_suspension`,
    `max_suspension`. `batch` is how many deliveries a planning round looks at; `resend_unknown` whether an
    attempt of unknown outcome is made again. While `queue_paused`, no attempt is begun in any campaign.
    `default_from` is the From address of servers that are added without one, "" for none. `public_address` is
    where unsubscribe links lead, "" for the `public_url` of the configuration."""

    timezone: str = "UTC"
    windows: str = ""
    weekdays: tuple[int, ...] = _WEEK
    holidays: tuple[str, ...] = ()
    retry_first: int = 60
    retry_cap: int = 14_400
    retry_attempts: int = 10
    retry_hours: int = 72
    poll_interval: int = 5
    batch: int = 5000
    strategy: str = Strategy.MOST_REMAINING.value
    resend_unknown: bool = False
    first_suspension: int = 60
    max_suspension: int = 3600
    queue_paused: bool = False
    default_from: str = ""
    public_address: str = ""
    version: int = 0

    @classmethod
    def of(cls, facts: Iterable[PolicyChanged]) -> SendingPolicy:
        """What the facts come to, from the first on."""
        return reduce(cls.apply, facts, cls())

    @cached_property
    def calendar(self) -> Calendar:
        holidays = frozenset(date.fromisoformat(day) for day in self.holidays)
        return Calendar.of(self.timezone, self.windows, frozenset(self.weekdays), holidays)

    def change(self, changes: Mapping[str, Any], *, by: str) -> PolicyChanged | None:
        """The fact of what differs, None when nothing does. Raises Refused with a message for each
        field that is wrong."""
        fields.known(changes, _CHECKS)
        checks = fields.Checks()
        new = {name: checks.run(_CHECKS[name], value, name) for name, value in changes.items()}
        checks.run(self._check_order, new)
        checks.done()
        differing = {name: value for name, value in new.items() if _as_kept(value) != getattr(self, name)}
        if not differing:
            return None
        return PolicyChanged(
            originator_id=policy_stream(), originator_version=self.version + 1, by=by, changes=differing
        )

    def _check_order(self, new: Mapping[str, Any]) -> None:
        for least, most in (("retry_first", "retry_cap"), ("first_suspension", "max_suspension")):
            first, last = (
                getattr(self, name) if (new.get(name) is None) else new[name] for name in (least, most)
            )
            if first > last:
                fields.refuse(most if most in new else least, f"{least} ({first}) is above {most} ({last})")

    def apply(self, fact: PolicyChanged) -> SendingPolicy:
        known = {field.name for field in fields_of(self)} - {"version"}
        changes = {name: _as_kept(value) for name, value in fact.changes.items() if name in known}
        return replace(self, **changes, version=fact.originator_version)


def _as_kept(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _timezone(value: object, field: str) -> str:
    name = fields.text(value, field, longest=LONGEST_TIMEZONE, shortest=1)
    parse_timezone(name, field)
    return name


def _windows(value: object, field: str) -> str:
    text = fields.text(value, field, longest=LONGEST_WINDOWS)
    parse_windows(text, field)
    return text


def _weekdays(value: object, field: str) -> list[int]:
    if not isinstance(value, list | tuple | set | frozenset) or not value:
        fields.refuse(field, "at least one weekday is needed, from 1 (Monday) to 7 (Sunday)")
    return sorted({fields.whole(day, field, 1, 7) for day in value})


def _holidays(value: object, field: str) -> list[str]:
    if not isinstance(value, list | tuple | set | frozenset):
        fields.refuse(field, "a list of dates like 2026-12-25 is expected")
    if len(value) > MOST_HOLIDAYS:
        fields.refuse(field, f"at most {MOST_HOLIDAYS} dates, these are {len(value)}")
    return sorted({_date(day, field) for day in value})


def _date(value: object, field: str) -> str:
    text = fields.text(value, field, longest=100)
    try:
        day = date.fromisoformat(text)
    except ValueError:
        fields.refuse(field, f"'{text}' is not a date like 2026-12-25")
    if not 2000 <= day.year <= 2200:
        fields.refuse(field, f"'{text}' is too far away")
    return day.isoformat()


def _default_from(value: object, field: str) -> str:
    text = fields.text(value, field, longest=LONGEST_MAILBOX)
    if text:
        parse_mailbox(text, field)
    return text


def _public_address(value: object, field: str) -> str:
    text = fields.text(value, field, longest=LONGEST_URL)
    return str(parse_public_url(text, field)) if text else ""


_CHECKS: dict[str, Any] = {
    **{name: fields.between(*bounds) for name, bounds in BOUNDS.items()},
    "timezone": _timezone,
    "windows": _windows,
    "weekdays": _weekdays,
    "holidays": _holidays,
    "strategy": lambda value, field: fields.choice(value, field, Strategy),
    "resend_unknown": fields.flag,
    "queue_paused": fields.flag,
    "default_from": _default_from,
    "public_address": _public_address,
}
