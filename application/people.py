"""What can be done with people, for pages, API and command line alike: the directory is changed and the
facts of it are appended in one transaction. Every command names who gives it (`by`).

Commands on many people work in steps of a thousand, so that nobody has to wait for long; each step is whole,
and asking for it all again changes no more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import IO, Any, TypeVar

from application.event_recording import Told, tell
from application.lists import created
from domain.errors import Missing, Outrun, Refused
from domain.people.people import (
    PeopleImported,
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
from domain.streams import person_stream
from storage.log.append import Conflict, Log
from storage.people import directory, lists, people_writing
from storage.people.people_writing import STATUSES, SUBSCRIPTIONS
from storage.people.personal_data import DirectoryError
from storage.people.recipients_import import Options, Summary, import_csv
from storage.postgres.pool import Pool

STEP = 1000
EVERYBODY = 0
FIELDS = ("email", "name", "attributes")

_TRIES = 3
_STATUS_FACTS = {"enabled": PersonEnabled, "disabled": PersonDisabled, "blocklisted": PersonBlocklisted}

Result = TypeVar("Result")


class People:
    def __init__(self, pool: Pool, log: Log) -> None:
        self._pool = pool
        self._log = log

    def add(
        self,
        email: str,
        name: str = "",
        attributes: Mapping[str, Any] | None = None,
        *,
        status: str = "enabled",
        onto: Sequence[int] = (),
        subscription: str = "unconfirmed",
        by: str,
    ) -> int:
        """`onto` are numbers of lists. Returns the number. Raises DirectoryError, also when somebody has the
        address already, and Missing for lists that are not there."""
        _check_status(status)
        _check_subscription(subscription)

        def change(cursor: Any) -> tuple[int, list[Told]]:
            _check_lists(cursor, onto)
            number = directory.add_recipient(cursor, email, name, dict(attributes or {}), status)
            people_writing.subscribe(cursor, [number], onto, subscription)
            fact = Told(person_stream(number), PersonAdded, {"status": status, "lists": sorted(set(onto))})
            return number, [fact]

        return self._commit(change, by)

    def change(
        self,
        number: int,
        changes: Mapping[str, Any],
        *,
        onto: Sequence[int] | None = None,
        subscription: str = "unconfirmed",
        by: str,
    ) -> None:
        """`changes` are any of email, name, attributes and status; `onto` are the lists to be on and no
        others, None leaves them. Who has left one of them stays so. Raises Missing, DirectoryError."""
        _check_status(changes.get("status", "enabled"))
        _check_subscription(subscription)

        def change(cursor: Any) -> tuple[None, list[Told]]:
            person = people_writing.locked(cursor, [number]).get(number)
            if person is None:
                raise Missing(f"there is no subscriber {number}")
            facts = _rewritten(cursor, person, changes)
            if "status" in changes and people_writing.set_status(cursor, [number], changes["status"]):
                facts.append(Told(person_stream(number), _STATUS_FACTS[changes["status"]], {}))
            if onto is not None:
                facts += _moved(cursor, number, onto, subscription)
            return None, facts

        self._commit(change, by)

    def set_status(self, numbers: Sequence[int], status: str, *, by: str) -> int:
        """To enabled, disabled or blocklisted. How many that changed."""
        _check_status(status)

        def change(cursor: Any, step: Sequence[int]) -> list[Told]:
            changed = people_writing.set_status(cursor, step, status)
            return [Told(person_stream(number), _STATUS_FACTS[status], {}) for number in changed]

        return self._step_by_step(numbers, change, by)

    def blocklist_address(self, email: str, *, by: str) -> int:
        """An unknown one is entered, so that no import can mail it later. Returns the number."""
        with self._pool.transaction() as cursor:
            known = directory.find_recipient(cursor, email)
        if known is None:
            return self.add(email, status="blocklisted", by=by)
        self.set_status([known.number], "blocklisted", by=by)
        return known.number

    def subscribe(
        self, numbers: Sequence[int], onto: Sequence[int], status: str, *, again: bool = True, by: str
    ) -> int:
        """Also brings back who had left, unless `again` is false; with the status unsubscribed they are on
        the lists as having left them. How many people that changed. Raises Missing for lists that are not
        there."""
        _check_subscription(status)

        def change(cursor: Any, step: Sequence[int]) -> list[Told]:
            _check_lists(cursor, onto)
            changed = people_writing.subscribe(cursor, step, onto, status, again=again)
            return [_subscribed(number, those, status) for number, those in changed.items()]

        return self._step_by_step(numbers, change, by)

    def unsubscribe(
        self, numbers: Sequence[int], from_: Sequence[int] | None, *, campaign: int | None = None, by: str
    ) -> int:
        """From the lists, None for all. How many subscriptions ended."""
        ended = 0

        def change(cursor: Any, step: Sequence[int]) -> list[Told]:
            nonlocal ended
            changed = people_writing.unsubscribe(cursor, step, from_)
            ended += sum(map(len, changed.values()))
            return [
                Told(person_stream(number), PersonUnsubscribed, {"lists": those, "campaign": campaign})
                for number, those in changed.items()
            ]

        self._step_by_step(numbers, change, by)
        return ended

    def take_off(self, numbers: Sequence[int], from_: Sequence[int], *, by: str) -> int:
        """As if they had never been on the lists. How many people that changed."""

        def change(cursor: Any, step: Sequence[int]) -> list[Told]:
            changed = people_writing.take_off(cursor, step, from_)
            return [_taken_off(number, those) for number, those in changed.items()]

        return self._step_by_step(numbers, change, by)

    def erase(self, numbers: Sequence[int], *, by: str) -> int:
        """Their data, for good; their numbers stay. How many there were."""

        def change(cursor: Any, step: Sequence[int]) -> list[Told]:
            return [Told(person_stream(n), PersonErased, {}) for n in people_writing.erase(cursor, step)]

        return self._step_by_step(numbers, change, by)

    def import_csv(
        self,
        file: IO[bytes],
        options: Options,
        progress: Callable[[int], None] = lambda _bytes: None,
        *,
        into: str | None = None,
        strict: bool = False,
        by: str,
    ) -> Summary:
        """All of the file or nothing; with `strict` nothing when any row is refused. `into` names one more
        list, which is made if it is new. Raises DirectoryError, and whatever `progress` raises, which ends
        it."""
        facts: list[Told] = []
        with self._pool.transaction() as cursor:
            if into is not None:
                number, facts = _list_of_name(cursor, into)
                options = replace(options, lists=[*options.lists, number])
            _check_lists(cursor, options.lists)
            summary = import_csv(cursor, file, options, progress)
            if strict and summary.refused:
                cursor.connection.rollback()
                return summary
            # Others who import wait for this transaction, so that the stream has no other writer.
            status = "blocklisted" if options.blocklist else options.subscription
            counts = {name: getattr(summary, name) for name in _COUNTS}
            fact = {"lists": sorted(set(options.lists)), "status": status, **counts}
            facts.append(Told(person_stream(EVERYBODY), PeopleImported, fact))
            tell(cursor, self._log, facts, by)
        return summary

    def _step_by_step(
        self, numbers: Sequence[int], change: Callable[[Any, Sequence[int]], list[Told]], by: str
    ) -> int:
        """How many facts there were to tell."""
        return sum(self._step(step, change, by) for step in steps(numbers))

    def _step(self, step: Sequence[int], change: Callable[[Any, Sequence[int]], list[Told]], by: str) -> int:
        def changed(cursor: Any) -> tuple[int, list[Told]]:
            facts = change(cursor, list(people_writing.locked(cursor, step)))
            return len(facts), facts

        return self._commit(changed, by)

    def _commit(self, change: Callable[[Any], tuple[Result, list[Told]]], by: str) -> Result:
        for _ in range(_TRIES):
            try:
                with self._pool.transaction() as cursor:
                    result, facts = change(cursor)
                    tell(cursor, self._log, facts, by)
                return result
            except Conflict:
                continue
        raise Outrun("others are changing the same people right now; please try again")


_COUNTS = ("rows", "imported", "new", "updated", "subscribed", "refused")


def _list_of_name(cursor: Any, name: str) -> tuple[int, list[Told]]:
    found = directory.find_list(cursor, name)
    if found is not None:
        return found.number, []
    number = lists.create(cursor, {"name": name})
    return number, [created(cursor, number)]


def steps(numbers: Sequence[int]) -> Iterator[list[int]]:
    """A thousand at a time, ascending, each once."""
    ordered = sorted(set(numbers))
    for start in range(0, len(ordered), STEP):
        yield ordered[start : start + STEP]


def _rewritten(cursor: Any, person: directory.Recipient, changes: Mapping[str, Any]) -> list[Told]:
    before = {name: getattr(person, name) for name in FIELDS}
    after = {**before, **{name: changes[name] for name in FIELDS if name in changes}}
    differing = [name for name in FIELDS if after[name] != before[name]]
    if not differing:
        return []
    people_writing.write(cursor, person, after)
    return [Told(person_stream(person.number), PersonChanged, {"fields": differing})]


def _moved(cursor: Any, number: int, onto: Sequence[int], subscription: str) -> list[Told]:
    _check_lists(cursor, onto)
    left = people_writing.take_off(cursor, [number], onto, others=True)
    joined = people_writing.subscribe(cursor, [number], onto, subscription, again=False)
    return [_taken_off(number, those) for those in left.values()] + [
        _subscribed(number, those, subscription) for those in joined.values()
    ]


def _subscribed(number: int, those: list[int], status: str) -> Told:
    if status == "unsubscribed":
        return Told(person_stream(number), PersonUnsubscribed, {"lists": those})
    return Told(person_stream(number), PersonSubscribed, {"lists": those, "status": status})


def _taken_off(number: int, those: list[int]) -> Told:
    return Told(person_stream(number), PersonTakenOff, {"lists": those})


def _check_status(status: object) -> None:
    if status not in STATUSES:
        raise DirectoryError(f"the status is one of {', '.join(STATUSES)}")


def _check_subscription(status: object) -> None:
    if status not in SUBSCRIPTIONS:
        raise DirectoryError(f"the status of a subscription is one of {', '.join(SUBSCRIPTIONS)}")


def _check_lists(cursor: Any, numbers: Sequence[int]) -> None:
    unknown = lists.missing(cursor, numbers)
    if unknown:
        raise Refused(f"lists: there is no list {', '.join(map(str, unknown))}", "lists")
