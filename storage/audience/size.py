"""How many people a campaign to some lists goes to, without counting a million where it need not be exact.

Of one list it is known: what is kept of it (see list_sizes), less the few who may not be mailed. Of several
it depends on how many people are on more than one. For small lists they are counted; for large ones a sample
tells, of people from all over the directory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from storage.people.directory import IS_MAILABLE

# Nobody is on one list twice, which saves sorting a million numbers.
ALL_OF_ONE_LIST = "SELECT count(*)"
EACH_PERSON_ONCE = "SELECT count(DISTINCT s.recipient)"
AUDIENCE = f"""
    FROM subscriptions s JOIN recipients r ON r.number = s.recipient
    WHERE s.list = ANY (%s) AND r.status = 'enabled' AND {IS_MAILABLE}
"""

OF_EACH_LIST = f"""
    SELECT l.number, coalesce(sum(s.people), 0)::bigint
    FROM lists l LEFT JOIN (
        SELECT list, status, people FROM list_sizes
        UNION ALL
        SELECT s.list, s.status, -count(*)
        FROM recipients r JOIN subscriptions s ON s.recipient = r.number
        WHERE r.status IN ('disabled', 'blocklisted') GROUP BY s.list, s.status
    ) AS s ON s.list = l.number AND {IS_MAILABLE}
    GROUP BY l.number
"""  # noqa: S608 - of a constant

# People whose numbers follow one another, from many places. The LIMIT tells the planner how few they are.
PLACES, FROM_EACH = 400, 25
TOGETHER = f"""
    SELECT lists, count(*) FROM (
        SELECT array_agg(s.list ORDER BY s.list) AS lists
        FROM generate_series(0, %(places)s - 1) AS place
        CROSS JOIN (SELECT max(number)::bigint AS last FROM recipients) AS spread
        CROSS JOIN LATERAL (
            SELECT number FROM recipients
            WHERE status = 'enabled' AND number > last * place / %(places)s
              AND number <= last * place / %(places)s + %(each)s
              AND number <= last * (place + 1) / %(places)s
            ORDER BY number LIMIT %(each)s
        ) AS person
        JOIN subscriptions s ON s.recipient = person.number
        WHERE {IS_MAILABLE}
        GROUP BY person.number
    ) AS people
    GROUP BY lists
"""  # noqa: S608 - of a constant

Sample = Sequence[tuple[frozenset[int], int]]
"""Lists that somebody can be mailed through, and how many such people are in it."""


def audience_size(cursor: Any, lists: Sequence[int]) -> int:
    """How many people are mailable through the lists, each counted once. A million take a second."""
    counted = ALL_OF_ONE_LIST if len(set(lists)) == 1 else EACH_PERSON_ONCE
    cursor.execute(counted + AUDIENCE, (list(lists),))
    return int(cursor.fetchone()[0])


def has_audience(cursor: Any, lists: Sequence[int]) -> bool:
    """Whether anybody is mailable through the lists."""
    cursor.execute(f"SELECT EXISTS (SELECT {AUDIENCE})", (list(lists),))
    return bool(cursor.fetchone()[0])


def of_each_list(cursor: Any) -> dict[int, int]:
    """How many people are mailable through each list."""
    cursor.execute(OF_EACH_LIST)
    return {number: int(people) for number, people in cursor.fetchall()}


def sample(cursor: Any) -> Sample:
    cursor.execute(TOGETHER, {"places": PLACES, "each": FROM_EACH})
    return [(frozenset(lists), int(people)) for lists, people in cursor.fetchall()]


def about(sizes: Mapping[int, int], lists: Sequence[int], sample: Sample) -> int:
    """How many people are mailable through the lists, to three digits, from the sizes of each of them."""
    wanted = frozenset(lists)
    people = sum(n for on, n in sample if on & wanted)
    subscriptions = sum(n * len(on & wanted) for on, n in sample)
    of_each = [sizes.get(one, 0) for one in wanted]
    together, largest = sum(of_each), max(of_each)
    if not subscriptions:
        return together
    found = max(largest, together * people // subscriptions)
    step: int = 10 ** max(0, len(str(found)) - 3)
    return round(found / step) * step
