"""A page of people, newest first, in a time that does not grow with the directory.

Where a search, a status or a list leaves few candidates, an index finds them all and the rest of what is
wanted is asked of them alone. Where it leaves many, people are looked at from the newest on, at most LOOK_AT
for one page, and the page says so when that was the end of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from domain.people.statuses import PersonStatus
from domain.streams import LARGEST_NUMBER
from storage.people import finding, lists, search_index
from storage.people.directory import PERSON, Recipient
from storage.people.finding import WantedPeople
from storage.postgres.like import containing

FEW = 10_000
LOOK_AT = 50_000

ON_LIST = f"""
    SELECT {PERSON}
    FROM subscriptions s JOIN recipients r ON r.number = s.recipient
    WHERE s.list = %(list)s AND (%(status)s::text IS NULL OR s.status = %(status)s)
      AND s.recipient < %(before)s
    ORDER BY s.recipient DESC LIMIT %(limit)s
"""  # noqa: S608 - of columns

WITH_STATUS = "SELECT number FROM recipients WHERE status = %s LIMIT %s"
NUMBERS_ON_LIST = """
    SELECT recipient FROM subscriptions WHERE list = %s AND (%s::text IS NULL OR status = %s) LIMIT %s
"""
LIKE = "SELECT number FROM recipients WHERE email ILIKE %(like)s OR name ILIKE %(like)s LIMIT %(limit)s"
ADDRESS = "SELECT number FROM recipients WHERE lower(email) = lower(%s)"
ANYBODY = "SELECT count(*) FROM (SELECT FROM recipients WHERE status <> 'erased' LIMIT %s) AS anybody"


class PeoplePage(NamedTuple):
    """`older` is the number before which the next page begins, None when there is nobody more. `looked` is at
    how many people when the page ended before it was full. `total` is None where nobody has counted; with
    `is_more` there are more than that."""

    people: Sequence[Recipient]
    older: int | None = None
    looked: int = 0
    total: int | None = None
    is_more: bool = False


def page(cursor: Any, wanted: WantedPeople, before: int | None, limit: int) -> PeoplePage:
    """People with numbers below `before`."""
    below = LARGEST_NUMBER if before is None else before
    if not any(wanted):
        cursor.execute(ANYBODY, (FEW + 1,))
        total = int(cursor.fetchone()[0])
        shown = _full(finding.before(cursor, wanted, below, 0, limit + 1), limit, min(total, FEW))
        return shown._replace(is_more=total > FEW)
    if finding.is_of_one_list(wanted):
        return _of_list(cursor, wanted.lists[0], wanted.subscription, below, limit)
    found = _candidates(cursor, wanted)
    if found is not None:
        matching = finding.numbers(cursor, wanted._replace(numbers=found), limit=FEW)
        of_page = [number for number in reversed(matching) if number < below][: limit + 1]
        people = finding.before(cursor, WantedPeople(numbers=of_page), below, 0, limit + 1)
        return _full(people, limit, len(matching))
    return _looked_for(cursor, wanted, below, limit)


def _full(people: Sequence[Recipient], limit: int, total: int) -> PeoplePage:
    has_more = len(people) > limit
    return PeoplePage(people[:limit], people[limit - 1].number if has_more else None, 0, total)


def _of_list(cursor: Any, list_number: int, subscription: str | None, before: int, limit: int) -> PeoplePage:
    about = {"list": list_number, "status": subscription, "before": before, "limit": limit + 1}
    cursor.execute(ON_LIST, about)
    people = [Recipient(*row) for row in cursor.fetchall()]
    return _full(people, limit, _on_list(cursor, list_number, subscription))


def _on_list(cursor: Any, list_number: int, subscription: str | None) -> int:
    sizes = lists.sizes(cursor, [list_number])[list_number]
    return sum(people for status, people in sizes.items() if subscription in (None, status))


def _candidates(cursor: Any, wanted: WantedPeople) -> list[int] | None:
    """All who can be meant by one of the parts of what is wanted; None when they are many by each."""
    if wanted.status not in (None, PersonStatus.ENABLED):
        cursor.execute(WITH_STATUS, (wanted.status, FEW + 1))
        if (few := _few(cursor)) is not None:
            return few
    if len(wanted.lists) == 1 and _on_list(cursor, wanted.lists[0], wanted.subscription) <= FEW:
        cursor.execute(NUMBERS_ON_LIST, (wanted.lists[0], wanted.subscription, wanted.subscription, FEW + 1))
        if (few := _few(cursor)) is not None:
            return few
    if wanted.search is None:
        return None
    if not search_index.is_there(cursor):
        cursor.execute(ADDRESS, (wanted.search,))
        return _few(cursor) or None
    if search_index.FINDABLE.search(wanted.search):
        cursor.execute(LIKE, {"like": containing(wanted.search), "limit": FEW + 1})
        return _few(cursor)
    return None


def _few(cursor: Any) -> list[int] | None:
    found = [number for (number,) in cursor.fetchall()]
    return found if len(found) <= FEW else None


def _looked_for(cursor: Any, wanted: WantedPeople, before: int, limit: int) -> PeoplePage:
    cursor.execute("SELECT coalesce(max(number), 0) FROM recipients")
    last = int(cursor.fetchone()[0])
    before = min(before, last + 1)
    least = max(1, before - LOOK_AT)
    found = finding.before(cursor, wanted, before, least, limit + 1)
    total = finding.count(cursor, wanted) if last <= LOOK_AT else None
    if len(found) > limit:
        return PeoplePage(found[:limit], found[limit - 1].number, 0, total)
    if least > 1:
        return PeoplePage(found, least, before - least, total)
    return PeoplePage(found, None, 0, total)
