"""Every delivery once, in a fixed order, from any place on: by campaign, then by recipient. Whatever
changes meanwhile, none is left out and none comes twice."""

from __future__ import annotations

from typing import Any

from projections.following.batch import NUMBERS
from projections.queue.items import CANCELLED, COLUMNS, QUEUED, Item, WantedItems

CAMPAIGNS = """
    SELECT q.campaign, q.state = 'cancelled', q.transactional, array_agg(DISTINCT c.status)
    FROM queue_campaigns q JOIN queue_counts c ON c.campaign = q.campaign AND c.n > 0
    WHERE q.campaign >= %(after)s AND (%(campaign)s::integer IS NULL OR q.campaign = %(campaign)s)
      AND (%(server)s::integer IS NULL OR c.server = %(server)s)
    GROUP BY q.campaign ORDER BY q.campaign
"""

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
    cursor.execute(CAMPAIGNS, {**wanted._asdict(), "after": campaign})
    found: list[Item] = []
    for number, is_cancelled, is_transactional, present in cursor.fetchall():
        statuses = [status for status in present if is_wanted(wanted, status, is_cancelled)]
        if not statuses:
            continue
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


def is_wanted(wanted: WantedItems, status: int, is_cancelled: bool) -> bool:
    """By the status as it is shown: what waits in a cancelled campaign is cancelled."""
    shown = CANCELLED if status == QUEUED and is_cancelled else status
    return not wanted.statuses or shown in wanted.statuses
