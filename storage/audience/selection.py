"""Who a campaign goes to, as ranges of recipient numbers that fit into the log a thousand people a fact."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from domain.campaign.audience import LARGEST_CHUNK
from domain.streams import LARGEST_NUMBER
from storage.people.directory import IS_MAILABLE

# How far a step reaches: as many subscriptions of one list as the limit. With both ends of the step
# known, large lists and a large directory cost no more than what lies between them.
REACH = """
    SELECT recipient FROM subscriptions WHERE list = %s AND recipient > %s
    ORDER BY recipient OFFSET %s LIMIT 1
"""

# Numbers that follow one another have the same distance from their place in the order: one range.
RANGES = f"""
    WITH mailable AS MATERIALIZED (
        SELECT DISTINCT s.recipient
        FROM subscriptions s JOIN recipients r ON r.number = s.recipient
        WHERE s.list = ANY (%(lists)s) AND s.recipient > %(after)s AND s.recipient <= %(upto)s
          AND r.number > %(after)s AND r.number <= %(upto)s AND r.status = 'enabled'
          AND {IS_MAILABLE}
        ORDER BY s.recipient LIMIT %(limit)s
    ), placed AS (
        SELECT recipient, row_number() OVER (ORDER BY recipient) - 1 AS place FROM mailable
    ), ranges AS (
        SELECT place / %(chunk)s AS chunk, min(recipient) AS first, max(recipient) AS last
        FROM placed GROUP BY place / %(chunk)s, recipient - place
    )
    SELECT array_agg(ARRAY[first, last] ORDER BY first), sum(last - first + 1)
    FROM ranges GROUP BY chunk ORDER BY chunk
"""  # noqa: S608 - of a constant


def next_ranges(
    cursor: Any, lists: Sequence[int], after: int = 0, limit: int = 100 * LARGEST_CHUNK
) -> list[tuple[list[list[int]], int]]:
    """The next up to `limit` people above `after` in chunks of up to a thousand: ([[first, last], …],
    how many), closed ranges of recipient numbers, ascending, each person once. Empty when there are
    no more; that there are fewer than `limit` means nothing.

    They are enabled, and confirmed on one of the lists or unconfirmed on one with single opt-in.
    """
    while after < LARGEST_NUMBER:
        upto = _reach(cursor, lists, after, limit)
        cursor.execute(
            RANGES,
            {"lists": list(lists), "after": after, "upto": upto, "limit": limit, "chunk": LARGEST_CHUNK},
        )
        if found := cursor.fetchall():
            return [(ranges, int(count)) for ranges, count in found]
        after = upto
    return []


def _reach(cursor: Any, lists: Sequence[int], after: int, limit: int) -> int:
    upto = LARGEST_NUMBER
    for number in lists:
        cursor.execute(REACH, (number, after, limit - 1))
        if row := cursor.fetchone():
            upto = min(upto, row[0])
    return upto
