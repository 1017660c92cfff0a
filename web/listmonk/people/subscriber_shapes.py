"""Subscribers in listmonk's words: what is sent of them, and what is told."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from domain.addresses import email_address
from domain.clock import instant
from domain.people.statuses import PersonStatus, SubscriptionStatus
from domain.streams import LARGEST_NUMBER
from storage.people import finding
from storage.people.directory import Recipient
from storage.people.finding import SubscriptionRow, WantedPeople
from storage.people.personal_data import LONGEST_NAME
from storage.subscriber_query.condition import condition
from web.http.shapes import Answer, Line, Told
from web.listmonk.shapes import Lenient, ListmonkPaged, Number, Numbers

Search = Annotated[str, Line(200)]


def new_subscription(is_confirmed: bool | None) -> SubscriptionStatus:
    return SubscriptionStatus.CONFIRMED if is_confirmed else SubscriptionStatus.UNCONFIRMED


def mailable_address(text: str) -> str:
    """In lower case, as listmonk keeps them."""
    email = text.strip().lower()
    wrong = email_address.wrong_with(email)
    if wrong:
        raise ValueError(wrong)
    return email


Email = Annotated[str, Field(max_length=1000), AfterValidator(mailable_address)]
Name = Annotated[str, Line(LONGEST_NAME)]


class NewSubscriber(Lenient):
    email: Email
    name: Name | None = None
    status: PersonStatus | Literal[""] | None = None
    lists: Numbers | None = None
    attribs: dict[str, Any] | None = None
    preconfirm_subscriptions: bool | None = None


class SubscriberChange(Lenient):
    """PUT: without `lists` the subscriber is on none."""

    email: Email | Literal[""] | None = None
    name: Name | None = None
    status: PersonStatus | Literal[""] | None = None
    lists: Numbers | None = None
    attribs: dict[str, Any] | None = None
    preconfirm_subscriptions: bool | None = None

    def changes(self) -> dict[str, Any]:
        """As our commands take them. Empty texts count as left out."""
        given = {name: value for name, value in self.given().items() if value != ""}
        changes = {name: given[name] for name in ("email", "name", "status") if name in given}
        return changes | ({"attributes": given["attribs"]} if "attribs" in given else {})

    @property
    def subscription(self) -> SubscriptionStatus:
        return new_subscription(self.preconfirm_subscriptions)


class SubscriberQuery(ListmonkPaged):
    """Of the lists, any counts. `subscription_status` means nothing without them."""

    search: Search | None = None
    query: str | None = None
    list_id: Annotated[list[Annotated[int, Field(ge=0, le=LARGEST_NUMBER)]], Field(max_length=1000)] = Field(
        default_factory=list
    )
    subscription_status: SubscriptionStatus | None = None

    def wanted(self) -> WantedPeople:
        """Raises QueryError."""
        return wanted(self.search, self.query, self.list_id, self.subscription_status)


class Selection(Lenient):
    """Whom a command on many is about: all to whom each part that is given applies."""

    search: Search | None = None
    query: str | None = None
    list_ids: Numbers | None = None
    subscription_status: SubscriptionStatus | Literal[""] | None = None
    all: bool | None = None

    def wanted(self) -> WantedPeople:
        """Raises QueryError."""
        if self.all:
            return wanted(None, None, self.list_ids or [], self.subscription_status)
        return wanted(self.search, self.query, self.list_ids or [], self.subscription_status)

    @property
    def is_empty(self) -> bool:
        return not (self.all or (self.search or "").strip() or (self.query or "").strip())


class Chosen(Lenient):
    ids: Annotated[list[Number], Field(min_length=1, max_length=10_000)]


class Membership(Lenient):
    action: Literal["add", "remove", "unsubscribe"]
    target_list_ids: Annotated[list[Number], Field(min_length=1, max_length=1000)]
    status: SubscriptionStatus | Literal[""] | None = None


class MembershipOfMany(Membership):
    ids: Annotated[list[Number], Field(min_length=1, max_length=10_000)]


class MembershipOfOne(Membership):
    ids: Numbers | None = None


class MembershipOfSelection(Selection, Membership):
    pass


def wanted(search: str | None, query: str | None, lists: list[int], subscription: str | None) -> WantedPeople:
    text = (query or "").strip()
    return WantedPeople(
        search=(search or "").strip() or None,
        query=condition(text) if text else None,
        lists=[number for number in lists if number],
        subscription=subscription or None,
    )


class SubscribedList(Answer):
    subscription_status: SubscriptionStatus
    subscription_created_at: Told
    subscription_updated_at: Told
    subscription_meta: dict[str, Any]
    id: int
    uuid: str
    name: str
    type: str
    optin: str
    status: str
    tags: list[str]
    description: str
    created_at: Told
    updated_at: Told


class SubscriberAnswer(Answer):
    id: int
    created_at: Told
    updated_at: Told
    uuid: str
    email: str
    name: str
    attribs: dict[str, Any]
    status: PersonStatus
    lists: list[SubscribedList]


def described(cursor: Any, people: list[Recipient]) -> list[dict[str, Any]]:
    subscriptions = finding.subscriptions(cursor, [person.number for person in people])
    return [described_one(person, subscriptions[person.number]) for person in people]


def described_one(person: Recipient, subscriptions: list[SubscriptionRow]) -> dict[str, Any]:
    return {
        "id": person.number,
        "created_at": instant(person.created_at),
        "updated_at": instant(person.updated_at),
        "uuid": person.uuid,
        "email": person.email,
        "name": person.name,
        "attribs": person.attributes,
        "status": person.status,
        "lists": [subscribed_list(one) for one in subscriptions],
    }


def subscribed_list(one: SubscriptionRow) -> dict[str, Any]:
    return {
        "subscription_status": one.status,
        "subscription_created_at": instant(one.since),
        "subscription_updated_at": instant(one.updated_at),
        "subscription_meta": {},
        "id": one.list,
        "uuid": one.uuid,
        "name": one.name,
        "type": one.type,
        "optin": one.optin,
        "status": one.list_status,
        "tags": one.tags,
        "description": one.description,
        "created_at": instant(one.created_at),
        "updated_at": instant(one.changed_at),
    }
