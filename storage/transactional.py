"""Transactional messages: to whom, and what each says of its own. Beside the directory, personal data too.

Every function takes a cursor of an open transaction.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from domain.campaign.transactional import Particulars
from storage.people.directory import Addressee

FIND = "SELECT campaign FROM transactional_campaigns WHERE shape = %s"

# Both lock the row until the transaction ends, so numbers and facts follow one another in the log.
TAKE_PLACES = """
    UPDATE transactional_campaigns SET messages = messages + %(count)s, facts = facts + 1
    WHERE shape = %(shape)s AND campaign = %(campaign)s AND messages <= 2147483647 - %(count)s
    RETURNING campaign, messages - %(count)s + 1, facts
"""
OPEN = """
    INSERT INTO transactional_campaigns AS known (shape, campaign, messages, facts)
    VALUES (%(shape)s, nextval('campaign_numbers'), %(count)s, 1)
    ON CONFLICT (shape) DO UPDATE SET campaign = excluded.campaign, messages = excluded.messages, facts = 1
    WHERE known.campaign = %(instead_of)s
    RETURNING campaign, 1, 1
"""

KEEP = """
    WITH request AS (
        INSERT INTO transactional_requests (data, subject, altbody, headers, made_at)
        VALUES (%(data)s, %(subject)s, %(altbody)s, %(headers)s, %(at)s) RETURNING number
    )
    INSERT INTO transactional_messages (campaign, number, request, recipient, email)
    SELECT %(campaign)s, %(first)s + place - 1, request.number, recipient, email
    FROM request, unnest(%(recipients)s::integer[], %(emails)s::text[])
         WITH ORDINALITY AS told (recipient, email, place)
"""

MAILABLE = """
    SELECT asked.number, coalesce(r.uuid, m.uuid)::text, coalesce(m.email, r.email),
           CASE WHEN m.email IS NULL THEN coalesce(r.name, '') ELSE '' END,
           CASE WHEN m.email IS NULL THEN coalesce(r.attributes, '{}') ELSE '{}' END,
           CASE WHEN coalesce(m.email, r.email) IS NULL THEN 'erased'
                WHEN coalesce(r.status, same.status, 'enabled') <> 'enabled'
                    THEN coalesce(r.status, same.status) END,
           coalesce(r.number, same.number, 0), q.data, q.subject, q.altbody, q.headers
    FROM unnest(%(numbers)s::integer[]) WITH ORDINALITY AS asked (number, place)
    LEFT JOIN transactional_messages m ON m.campaign = %(campaign)s AND m.number = asked.number
    LEFT JOIN transactional_requests q ON q.number = m.request
    LEFT JOIN recipients r ON r.number = m.recipient
    LEFT JOIN recipients same ON m.recipient IS NULL AND lower(same.email) = lower(m.email)
    ORDER BY asked.place
"""

FORGET = """
    WITH emptied AS (
        UPDATE transactional_messages SET email = NULL WHERE recipient = ANY (%(numbers)s)
           OR lower(email) IN (SELECT lower(email) FROM recipients WHERE number = ANY (%(numbers)s))
        RETURNING campaign, number, request
    )
    UPDATE transactional_requests q SET data = '{}', subject = '', altbody = '', headers = '[]'
    WHERE q.number IN (SELECT request FROM emptied)
      AND NOT EXISTS (
          SELECT FROM transactional_messages m LEFT JOIN recipients r ON r.number = m.recipient
          WHERE m.request = q.number AND (m.email IS NOT NULL OR r.status <> 'erased')
            AND (m.campaign, m.number) NOT IN (SELECT campaign, number FROM emptied))
"""


BY_EMAIL = """
    SELECT r.number, r.uuid::text, r.email, r.name, r.attributes
    FROM unnest(%s::text[]) WITH ORDINALITY AS asked (email, place)
    LEFT JOIN recipients r ON lower(r.email) = lower(asked.email) ORDER BY asked.place
"""
BY_NUMBER = """
    SELECT r.number, r.uuid::text, r.email, r.name, r.attributes
    FROM unnest(%s::integer[]) WITH ORDINALITY AS asked (number, place)
    LEFT JOIN recipients r ON r.number = asked.number AND r.status <> 'erased' ORDER BY asked.place
"""


class Known(NamedTuple):
    """Somebody whom the directory has."""

    number: int
    uuid: str
    email: str
    name: str
    attributes: dict[str, Any]


class Places(NamedTuple):
    """Numbers for messages from `first` on; `fact` is the version of the fact that queues them."""

    campaign: int
    first: int
    fact: int


class Target(NamedTuple):
    """`recipient` is None when nobody has the address; with an `email` nothing but that is said of them."""

    recipient: int | None
    email: str | None


class Addressed(NamedTuple):
    """Who is mailed, at the moment of sending. `person` is the number in the directory, 0 for an address that
    nobody has; `addressee.number` that of the message, if it has particulars."""

    addressee: Addressee
    person: int
    particulars: Particulars | None = None


def by_email(cursor: Any, emails: Sequence[str]) -> list[Known | None]:
    """Who has them, in that order; None for one that nobody has."""
    cursor.execute(BY_EMAIL, (list(emails),))
    return [None if row[0] is None else Known(*row) for row in cursor.fetchall()]


def by_number(cursor: Any, numbers: Sequence[int]) -> list[Known | None]:
    """In that order; None for nobody's."""
    cursor.execute(BY_NUMBER, (list(numbers),))
    return [None if row[0] is None else Known(*row) for row in cursor.fetchall()]


def campaign_of(cursor: Any, shape: bytes) -> int | None:
    cursor.execute(FIND, (shape,))
    row = cursor.fetchone()
    return None if row is None else int(row[0])


def take_places(cursor: Any, shape: bytes, campaign: int, count: int) -> Places | None:
    """None when the shape has another campaign by now, or this one is full."""
    cursor.execute(TAKE_PLACES, {"shape": shape, "campaign": campaign, "count": count})
    row = cursor.fetchone()
    return None if row is None else Places(*row)


def open_campaign(cursor: Any, shape: bytes, instead_of: int | None, count: int) -> Places | None:
    """Places in a new campaign, whose number is in them; None when somebody else opened one first."""
    cursor.execute(OPEN, {"shape": shape, "instead_of": instead_of, "count": count})
    row = cursor.fetchone()
    return None if row is None else Places(*row)


def keep(
    cursor: Any, places: Places, targets: Sequence[Target], particulars: Particulars, at: datetime
) -> None:
    cursor.execute(
        KEEP,
        {
            "campaign": places.campaign,
            "first": places.first,
            "recipients": [target.recipient for target in targets],
            "emails": [target.email for target in targets],
            "data": json.dumps(particulars.data),
            "subject": particulars.subject,
            "altbody": particulars.altbody,
            "headers": json.dumps(particulars.headers),
            "at": at,
        },
    )


def mailable(cursor: Any, campaign: int, numbers: Sequence[int]) -> list[Addressed]:
    """One for each number asked for, in that order; one that is not kept counts as erased. Whoever is
    disabled or blocklisted is not mailable, under an address that was given as well."""
    cursor.execute(MAILABLE, {"campaign": campaign, "numbers": list(numbers)})
    return [
        Addressed(Addressee(*row[:6]), row[6], _particulars(*row[7:]) if row[7] is not None else None)
        for row in cursor.fetchall()
    ]


def _particulars(
    data: dict[str, Any], subject: str, altbody: str, headers: Sequence[Sequence[str]]
) -> Particulars:
    return Particulars(data, subject, altbody, tuple((name, value) for name, value in headers))


def is_known(cursor: Any, email: str) -> bool:
    """Whether a message was for this address, whoever has it."""
    cursor.execute(
        "SELECT EXISTS (SELECT FROM transactional_messages WHERE lower(email) = lower(%s))",
        (email.replace("\0", ""),),
    )
    return bool(cursor.fetchone()[0])


def forget(cursor: Any, numbers: Sequence[int]) -> None:
    """What was said to people who are about to be erased, unless it was said to others too. Call before
    their addresses go."""
    cursor.execute(FORGET, {"numbers": list(numbers)})
