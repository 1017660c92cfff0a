"""Every delivery once, in a fixed order, from any place on: by campaign, then by recipient. Whatever
changes meanwhile, none is left out and none comes twice."""

from __future__ import annotations

from typing import Any

from projections.following.batch import NUMBERS
from projections.queue.fold import SHOWN
from projections.queue.items import COLUMNS, Item, WantedItems

CAMPAIGNS = f"""
    SELECT c.campaign, c.transactional, array_agg(DISTINCT q.status)
    FROM queue_campaigns c JOIN queue_counts q ON q.campaign = c.campaign AND q.n > 0
    WHERE c.campaign >= %(after)s AND (%(campaign)s::integer IS NULL OR c.campaign = %(campaign)s)
      AND (%(server)s::integer IS NULL OR q.server = %(server)s)
      AND (%(statuses)s::smallint[] IS NULL OR {SHOWN} = ANY (%(statuses)s))
    GROUP BY c.campaign ORDER BY c.campaign
"""  # noqa: S608 - of a constant

MESSAGES = """
    SELECT number FROM transactional_messages
    WHERE campaign = %(campaign)s
      AND (recipient = ANY (%(recipients)s) OR recipient IS NULL AND lower(email) = lower(%(address)s))
"""

IN_ORDER = """
    WHERE (q.campaign, q.recipient) IN (
        SELECT campaign, recipient FROM queue
        WHERE campaign = %(campaign)s AND recipient > %(after)s AND status = ANY (%(statuses)s)
          AND (%(server)s::integer IS NULL OR server = %(server)s)
          AND (%(recipients)s::integer[] IS NULL OR recipient = ANY (%(recipients)s))
        ORDER BY recipient LIMIT %(limit)s)
    ORDER BY q.recipient
"""


def deliveries(cursor: Any, wanted: WantedItems, after: tuple[int, int], limit: int) -> list[Item]:
    """At most `limit` after (campaign, recipient)."""
    campaign, recipient = after
    cursor.execute(CAMPAIGNS, {**wanted.parameters(), "after": campaign})
    found: list[Item] = []
    for number, is_transactional, statuses in cursor.fetchall():
        about = {
            **NUMBERS,
            "campaign": number,
            "after": recipient if number == campaign else 0,
            "statuses": statuses,
            "server": wanted.server,
            "recipients": _numbers(cursor, wanted, number if is_transactional else None),
            "limit": limit - len(found),
        }
        cursor.execute(COLUMNS + IN_ORDER, about)
        found += [Item(*row) for row in cursor.fetchall()]
        if len(found) >= limit:
            break
    return found


def _numbers(cursor: Any, wanted: WantedItems, transactional: int | None) -> list[int] | None:
    """Of the people who are meant, or of the messages to them in a transactional campaign."""
    if wanted.recipients is None or transactional is None:
        return None if wanted.recipients is None else list(wanted.recipients)
    about = {
        "campaign": transactional, "recipients": list(wanted.recipients), "address": wanted.address,
    }  # fmt: skip
    cursor.execute(MESSAGES, about)
    return [number for (number,) in cursor.fetchall()]
