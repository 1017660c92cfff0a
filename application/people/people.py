"""What can be done with people, for pages, API and command line alike: the directory is changed and the
events of it are appended in one transaction. Every command names who gives it (`by`).

Commands on many people work in steps of a thousand, so that nobody has to wait for long; each step is whole,
and asking for it all again changes no more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from application.event_recording import EventToRecord
from application.installation import Installation
from application.people.committing import Result, committed
from application.precondition import check_content
from domain.errors import Missing, Refused
from domain.fact import Fact
from domain.people.people import (
    PersonAdded,
    PersonBlocklisted,
    PersonChanged,
    PersonDisabled,
    PersonEnabled,
    PersonErased,
    PersonSubscribed,
    PersonTakenOff,
    PersonUnsubscribed,
)
from domain.people.statuses import ERASED, PersonStatus, SubscriptionStatus
from domain.streams import person_stream
from storage import transactional
from storage.people import directory, lists, statistics, writing
from storage.people.directory import Recipient

LEFT_BEHIND = (
    "Copies stay for a while where PostgreSQL keeps what it no longer needs, and in backups:"
    " docs/security.md says how long, and how to be rid of them sooner."
)

STEP = 1000
FIELDS = ("email", "name", "attributes")

_STATUS_FACTS: dict[str, type[Fact]] = {
    PersonStatus.ENABLED: PersonEnabled,
    PersonStatus.DISABLED: PersonDisabled,
    PersonStatus.BLOCKLISTED: PersonBlocklisted,
}


class People:
    def __init__(self, installation: Installation) -> None:
        self._installation = installation

    def add(
        self,
        email: str,
        name: str = "",
        attributes: Mapping[str, Any] | None = None,
        *,
        status: str = PersonStatus.ENABLED,
        onto: Sequence[int] = (),
        subscription: str = SubscriptionStatus.UNCONFIRMED,
        by: str,
    ) -> int:
        """`onto` are numbers of lists. Returns the number. Raises DirectoryError, also when somebody has the
        address already, and Missing for lists that are not there."""

        def change(cursor: Any) -> tuple[int, list[EventToRecord]]:
            check_lists(cursor, onto)
            number = directory.add_recipient(cursor, email, name, dict(attributes or {}), status)
            writing.subscribe(cursor, [number], onto, subscription)
            fact = EventToRecord(
                person_stream(number), PersonAdded, {"status": status, "lists": sorted(set(onto))}
            )
            return number, [fact]

        return self._commit(change, by)

    def change(
        self,
        number: int,
        changes: Mapping[str, Any],
        *,
        onto: Sequence[int] | None = None,
        subscription: str = SubscriptionStatus.UNCONFIRMED,
        by: str,
    ) -> None:
        """`changes` are any of email, name, attributes and status; `onto` are the lists to be on and no
        others, None leaves them. Who has left one of them stays so. Raises Missing, DirectoryError."""

        def change(cursor: Any) -> tuple[None, list[EventToRecord]]:
            person = writing.locked(cursor, [number]).get(number)
            check_content(cursor)
            if person is None:
                raise Missing(f"there is no subscriber {number}")
            events = _rewritten(cursor, person, changes)
            if "status" in changes and writing.set_status(cursor, [number], changes["status"]):
                events.append(EventToRecord(person_stream(number), _STATUS_FACTS[changes["status"]], {}))
            if onto is not None:
                events += _moved(cursor, number, onto, subscription)
            return None, events

        self._commit(change, by)

    def set_status(self, numbers: Sequence[int], status: str, *, by: str) -> int:
        """To a PersonStatus. How many that changed."""

        def change(cursor: Any, step: Sequence[int]) -> list[EventToRecord]:
            changed = writing.set_status(cursor, step, status)
            return [EventToRecord(person_stream(number), _STATUS_FACTS[status], {}) for number in changed]

        return self._step_by_step(numbers, change, by)

    def named(self, who: str) -> Recipient:
        """By number, UUID or address. Raises Missing for nobody, and for who was erased."""
        with self._installation.pool.transaction() as cursor:
            found = directory.find_recipient(cursor, who)
        if found is None:
            raise Missing("there is no subscriber with this number, UUID or address")
        if found.status == ERASED:
            raise Missing(f"recipient {found.number} is erased")
        return found

    def blocklist(self, who: str, *, by: str) -> int:
        """By number, UUID or address. An address that nobody has is entered, so that no import can mail it
        later. Returns the number. Raises Missing, DirectoryError."""
        with self._installation.pool.transaction() as cursor:
            is_known = "@" not in who or directory.find_recipient(cursor, who) is not None
        if not is_known:
            return self.add(who, status=PersonStatus.BLOCKLISTED, by=by)
        number = self.named(who).number
        self.set_status([number], PersonStatus.BLOCKLISTED, by=by)
        return number

    def subscribe(
        self, numbers: Sequence[int], onto: Sequence[int], status: str, *, again: bool = True, by: str
    ) -> int:
        """Also brings back who had left, unless `again` is false; with the status unsubscribed they are on
        the lists as having left them. How many people that changed. Raises Missing for lists that are not
        there."""

        def change(cursor: Any, step: Sequence[int]) -> list[EventToRecord]:
            check_lists(cursor, onto)
            changed = writing.subscribe(cursor, step, onto, status, again=again)
            return [_subscribed(number, those, status) for number, those in changed.items()]

        return self._step_by_step(numbers, change, by)

    def unsubscribe(
        self, numbers: Sequence[int], from_: Sequence[int] | None, *, campaign: int | None = None, by: str
    ) -> int:
        """From the lists, None for all. How many subscriptions ended."""
        ended = 0

        def change(cursor: Any, step: Sequence[int]) -> list[EventToRecord]:
            nonlocal ended
            changed = writing.unsubscribe(cursor, step, from_)
            ended += sum(map(len, changed.values()))
            return [
                EventToRecord(
                    person_stream(number), PersonUnsubscribed, {"lists": those, "campaign": campaign}
                )
                for number, those in changed.items()
            ]

        self._step_by_step(numbers, change, by)
        return ended

    def take_off(self, numbers: Sequence[int], from_: Sequence[int], *, by: str) -> int:
        """As if they had never been on the lists. How many people that changed."""

        def change(cursor: Any, step: Sequence[int]) -> list[EventToRecord]:
            changed = writing.take_off(cursor, step, from_)
            return [_taken_off(number, those) for number, those in changed.items()]

        return self._step_by_step(numbers, change, by)

    def set_lists(self, number: int, wanted: Mapping[int, str], *, by: str) -> None:
        """To be on these lists and no others, each with that status. Raises Missing for lists that are not
        there."""
        with self._installation.pool.transaction() as cursor:
            before = {one.list: one.status for one in directory.subscriptions_of(cursor, number)}
        changed = {one: status for one, status in wanted.items() if before.get(one) != status}
        for status in dict.fromkeys(changed.values()):
            onto = [one for one, its in changed.items() if its == status]
            self.subscribe([number], onto, status, by=by)
        if gone := sorted(before.keys() - wanted.keys()):
            self.take_off([number], gone, by=by)

    def erase(self, numbers: Sequence[int], *, by: str) -> int:
        """Their data, for good; their numbers stay. How many there were. What cannot be erased at once is
        in LEFT_BEHIND."""
        are_quoted = False

        def change(cursor: Any, step: Sequence[int]) -> list[EventToRecord]:
            nonlocal are_quoted
            are_quoted |= statistics.quote(cursor, step)
            return [EventToRecord(person_stream(n), PersonErased, {}) for n in writing.erase(cursor, step)]

        erased = self._step_by_step(numbers, change, by)
        if are_quoted:
            with self._installation.pool.transaction() as cursor:
                statistics.refresh(cursor)
        return erased

    def is_only_written_to(self, address: str) -> bool:
        """Whether it is an address that nobody has, to which transactional messages were sent."""
        with self._installation.pool.transaction() as cursor:
            is_somebodys = directory.find_recipient(cursor, address) is not None
            return not is_somebodys and transactional.is_known(cursor, address)

    def erase_named(self, who: str, *, by: str) -> int:
        """As `erase`, of one; also what messages said to an address that nobody has. Returns the number."""
        if self.is_only_written_to(who):
            self.blocklist(who, by=by)  # the log knows people by number alone
        number = self.named(who).number
        self.erase([number], by=by)
        return number

    def _step_by_step(
        self, numbers: Sequence[int], change: Callable[[Any, Sequence[int]], list[EventToRecord]], by: str
    ) -> int:
        """How many events there were to tell."""
        return sum(self._step(step, change, by) for step in steps(numbers))

    def _step(
        self, step: Sequence[int], change: Callable[[Any, Sequence[int]], list[EventToRecord]], by: str
    ) -> int:
        def changed(cursor: Any) -> tuple[int, list[EventToRecord]]:
            there = list(writing.locked(cursor, step))
            check_content(cursor)
            events = change(cursor, there)
            return len(events), events

        return self._commit(changed, by)

    def _commit(self, change: Callable[[Any], tuple[Result, list[EventToRecord]]], by: str) -> Result:
        return committed(self._installation, change, of="people", by=by)


def steps(numbers: Sequence[int]) -> Iterator[list[int]]:
    """A thousand at a time, ascending, each once."""
    ordered = sorted(set(numbers))
    for start in range(0, len(ordered), STEP):
        yield ordered[start : start + STEP]


def _rewritten(cursor: Any, person: Recipient, changes: Mapping[str, Any]) -> list[EventToRecord]:
    before = {name: getattr(person, name) for name in FIELDS}
    after = {**before, **{name: changes[name] for name in FIELDS if name in changes}}
    differing = [name for name in FIELDS if after[name] != before[name]]
    if not differing:
        return []
    writing.write(cursor, person, after)
    return [EventToRecord(person_stream(person.number), PersonChanged, {"fields": differing})]


def _moved(cursor: Any, number: int, onto: Sequence[int], subscription: str) -> list[EventToRecord]:
    check_lists(cursor, onto)
    left = writing.take_off(cursor, [number], onto, others=True)
    joined = writing.subscribe(cursor, [number], onto, subscription, again=False)
    return [_taken_off(number, those) for those in left.values()] + [
        _subscribed(number, those, subscription) for those in joined.values()
    ]


def _subscribed(number: int, those: list[int], status: str) -> EventToRecord:
    if status == SubscriptionStatus.UNSUBSCRIBED:
        return EventToRecord(person_stream(number), PersonUnsubscribed, {"lists": those})
    return EventToRecord(person_stream(number), PersonSubscribed, {"lists": those, "status": status})


def _taken_off(number: int, those: list[int]) -> EventToRecord:
    return EventToRecord(person_stream(number), PersonTakenOff, {"lists": those})


def check_lists(cursor: Any, numbers: Sequence[int]) -> None:
    unknown = lists.missing(cursor, numbers)
    if unknown:
        raise Refused(f"lists: there is no list {', '.join(map(str, unknown))}", "lists")
