"""Who a campaign goes to, as ranges of recipient numbers that fit into the log a thousand people a fact."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from domain.audience import LARGEST_CHUNK

# Each list is read in the order of its key and no further than the limit, so that neither large lists
# nor a large directory make a small step slow. Numbers that follow one another have the same distance
# from their place in the chunk: they are one range.
NEXT = """
    WITH mailable AS (
        SELECT DISTINCT found.recipient
        FROM lists l CROSS JOIN LATERAL (
            SELECT s.recipient FROM subscriptions s JOIN recipients r ON r.number = s.recipient
            WHERE s.list = l.number AND s.recipient > %(after)s AND r.status = 'enabled'
              AND (s.status = 'confirmed' OR (s.status = 'unconfirmed' AND l.optin = 'single'))
            ORDER BY s.recipient LIMIT %(limit)s) AS found
        WHERE l.number = ANY (%(lists)s)
        ORDER BY found.recipient LIMIT %(limit)s
    ), placed AS (
        SELECT recipient, row_number() OVER (ORDER BY recipient) - 1 AS place FROM mailable
    ), ranges AS (
        SELECT place / %(chunk)s AS chunk, min(recipient) AS first, max(recipient) AS last
        FROM placed GROUP BY place / %(chunk)s, recipient - place
    )
    SELECT array_agg(ARRAY[first, last] ORDER BY first), sum(last - first + 1)
    FROM ranges GROUP BY chunk ORDER BY chunk
"""


def next_ranges(
    cursor: Any, lists: Sequence[int], after: int = 0, limit: int = 100 * LARGEST_CHUNK
) -> list[tuple[list[list[int]], int]]:
    """The next up to `limit` people above `after` in chunks of up to a thousand: ([[first, last], …],
    how many), closed ranges of recipient numbers, ascending, each person once.

    They are enabled, and confirmed on one of the lists or unconfirmed on one with single opt-in.
    """
    cursor.execute(NEXT, {"lists": list(lists), "after": after, "limit": limit, "chunk": LARGEST_CHUNK})
    return [(ranges, int(count)) for ranges, count in cursor.fetchall()]
