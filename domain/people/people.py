"""What was done with people and lists, and by whom. The facts hold numbers of recipients and nothing else of
them: who they are is known to the directory alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from domain.fact import Fact


@dataclass(frozen=True, kw_only=True)
class PersonAdded(Fact):
    """`lists` are those they were put on."""

    TOPIC: ClassVar[str] = "person.added"
    status: str = "enabled"
    lists: list[int]


@dataclass(frozen=True, kw_only=True)
class PersonChanged(Fact):
    """`fields` are the names of what was changed, of email, name and attributes."""

    TOPIC: ClassVar[str] = "person.changed"
    fields: list[str]


@dataclass(frozen=True, kw_only=True)
class PersonEnabled(Fact):
    TOPIC: ClassVar[str] = "person.enabled"


@dataclass(frozen=True, kw_only=True)
class PersonDisabled(Fact):
    TOPIC: ClassVar[str] = "person.disabled"


@dataclass(frozen=True, kw_only=True)
class PersonBlocklisted(Fact):
    TOPIC: ClassVar[str] = "person.blocklisted"


@dataclass(frozen=True, kw_only=True)
class PersonErased(Fact):
    TOPIC: ClassVar[str] = "person.erased"


@dataclass(frozen=True, kw_only=True)
class PersonSubscribed(Fact):
    """`status` is unconfirmed or confirmed."""

    TOPIC: ClassVar[str] = "person.subscribed"
    lists: list[int]
    status: str


@dataclass(frozen=True, kw_only=True)
class PersonUnsubscribed(Fact):
    """From `lists`, which stay on record as left; `campaign` is the one whose link was used."""

    TOPIC: ClassVar[str] = "person.unsubscribed"
    lists: list[int]
    campaign: int | None = None


@dataclass(frozen=True, kw_only=True)
class PersonTakenOff(Fact):
    """From `lists`, as if they had never been on them."""

    TOPIC: ClassVar[str] = "person.taken_off"
    lists: list[int]


@dataclass(frozen=True, kw_only=True)
class PeopleImported(Fact):
    """One file; `status` is that of new subscriptions, or blocklisted. `imported` people were in it, `new`
    of them unknown before; `refused` rows were not acceptable."""

    TOPIC: ClassVar[str] = "people.imported"
    lists: list[int]
    status: str
    rows: int
    imported: int
    new: int
    updated: int
    subscribed: int
    refused: int


@dataclass(frozen=True, kw_only=True)
class ListCreated(Fact):
    TOPIC: ClassVar[str] = "list.created"
    name: str
    type: str
    optin: str


@dataclass(frozen=True, kw_only=True)
class ListChanged(Fact):
    """`changes` are any of name, type, optin, status, tags and description."""

    TOPIC: ClassVar[str] = "list.changed"
    changes: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class ListDeleted(Fact):
    """With its subscriptions, `subscribers` of them."""

    TOPIC: ClassVar[str] = "list.deleted"
    subscribers: int


EVENT_CLASSES: tuple[type[Fact], ...] = (
    PersonAdded,
    PersonChanged,
    PersonEnabled,
    PersonDisabled,
    PersonBlocklisted,
    PersonErased,
    PersonSubscribed,
    PersonUnsubscribed,
    PersonTakenOff,
    PeopleImported,
    ListCreated,
    ListChanged,
    ListDeleted,
)
