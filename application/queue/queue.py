"""Stepping into the queue: one e-mail, or all that match, cancelled, tried again or sent now.

Nothing is ever taken out of the log: each step is an event in the delivery's stream, with its actor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from typing import Any, Literal

from domain.delivery.delivery import Cancelled, Requeued, Status
from domain.fact import Fact
from domain.streams import delivery_stream
from projections.campaign_progress import Progress
from projections.following.schema import log_head
from projections.queue.items import Item, Wanted, item, items
from projections.queue.queue import STATUSES
from storage.log.append import Conflict
from web.api.queue_items import described, progress_of
from web.http.errors import Refusal
from web.http.services import reading, services, wait_until_shown

Action = Literal["cancel", "retry", "send_now"]

RETRIED = frozenset({Status.FAILED, Status.CANCELLED, Status.SUPPRESSED, Status.UNKNOWN})
POSSIBLE: dict[Action, frozenset[Status]] = {
    "cancel": frozenset({Status.QUEUED}),
    "retry": RETRIED,
    "send_now": frozenset({Status.QUEUED}),
}
"""In which states of an e-mail each can be done."""

REASON = "asked for"
CHUNK = 500
MOST_AT_ONCE = 5000
"""How many one request steps into; the rest takes another one."""

SECONDS = 8.0


def cancel_one(number: int, *, by: str, reason: str = REASON) -> dict[str, Any]:
    """These three answer with the e-mail as it is then. They raise Refusal: 404, and 409 when its state
    forbids it."""
    return step_in("cancel", number, by, reason)


def retry_one(number: int, *, by: str, reason: str = REASON) -> dict[str, Any]:
    return step_in("retry", number, by, reason)


def send_now_one(number: int, *, by: str, reason: str = REASON) -> dict[str, Any]:
    """One that waits for another try waits no more; what was counted against it is forgotten."""
    return step_in("send_now", number, by, reason)


def step_in(action: Action, number: int, by: str, reason: str) -> dict[str, Any]:
    one, campaign = current(number)
    why_not = hindrance(action, one, campaign.state, services().clock.now())
    if why_not:
        raise Refusal(409, why_not)
    if not appended(fact_of(action, one, by, reason)):
        raise Refusal(409, "It changed at this very moment. Look again, then try again.")
    one, _ = current(number)
    with reading() as cursor:
        return described(cursor, [one], services().clock.now())[0]


def current(number: int) -> tuple[Item, Progress]:
    """The delivery as the whole log has it. Raises Refusal 404."""
    with reading() as cursor:
        wait_until_shown(log_head(cursor))
    campaign, recipient = number >> 32, number & 0xFFFFFFFF
    with reading() as cursor:
        one = item(cursor, campaign, recipient) if max(campaign, recipient) < 2**31 else None
        if one is None:
            raise Refusal(404, "There is no such e-mail in the queue.")
        return one, progress_of(cursor, campaign)


def hindrance(action: Action, one: Item, campaign_state: str, now: datetime) -> str:
    """Why this cannot be done with the e-mail; empty when it can."""
    status = STATUSES[one.status]
    if status not in POSSIBLE[action]:
        return f"{WHAT_CAN_BE[action]}; this one is {status}."
    if action != "cancel" and campaign_state == "cancelled":
        return "Its campaign is cancelled, so it would not be sent."
    if action == "send_now" and one.due <= now:
        return "It does not wait for another try: it goes as soon as there is room for it."
    return ""


WHAT_CAN_BE: dict[Action, str] = {
    "cancel": "Only a queued e-mail can be cancelled",
    "retry": "Only a failed, cancelled, suppressed or unknown e-mail can be tried again",
    "send_now": "Only an e-mail that waits can be sent now",
}


def fact_of(action: Action, one: Item, by: str, reason: str) -> Fact:
    kind = Cancelled if action == "cancel" else Requeued
    return kind(
        originator_id=delivery_stream(one.campaign, one.recipient),
        originator_version=one.version + 1,
        by=by,
        reason=reason,
    )


def appended(fact: Fact) -> bool:
    """False when the delivery changed at this very moment."""
    try:
        services().log.append([fact.stored()])
    except Conflict:
        return False
    return True


@dataclass(frozen=True)
class Done:
    """What became of a request about all that match: `left` match still."""

    changed: int
    left: int


def matching(action: Action, wanted: Wanted) -> Wanted | None:
    """Of what is wanted, that with which this can be done; None when there can be nothing."""
    possible = {STATUSES.index(status) for status in POSSIBLE[action]}
    chosen = possible & set(wanted.statuses) if wanted.statuses else possible
    if not chosen:
        return None
    due_after = services().clock.now() if action == "send_now" else None
    return wanted._replace(statuses=sorted(chosen), in_cancelled=action == "cancel", due_after=due_after)


def how_many(action: Action, wanted: Wanted) -> int:
    found = matching(action, wanted)
    if found is None:
        return 0
    with reading() as cursor:
        wait_until_shown(log_head(cursor))
        return items(cursor, found, 0, 1)[1]


def step_into_all(action: Action, wanted: Wanted, *, by: str, reason: str = REASON) -> Done:
    """At most MOST_AT_ONCE, in appends of CHUNK. What changes at the same moment is left as it is then."""
    found = matching(action, wanted)
    changed, skipped, started = 0, 0, monotonic()
    while found is not None:
        with reading() as cursor:
            wait_until_shown(log_head(cursor))
            page, left = items(cursor, found, skipped, max(1, min(CHUNK, MOST_AT_ONCE - changed)))
        if not page or changed >= MOST_AT_ONCE or monotonic() - started > SECONDS:
            return Done(changed, left)
        done = append(action, page, by, reason)
        changed += done
        skipped += len(page) - done
    return Done(changed, 0)


def append(action: Action, found: Sequence[Item], by: str, reason: str) -> int:
    """All at once; one by one when one of them has changed at this very moment. How many were appended."""
    facts = [fact_of(action, one, by, reason) for one in found]
    try:
        services().log.append([fact.stored() for fact in facts])
    except Conflict:
        return sum(appended(fact) for fact in facts)
    return len(facts)
