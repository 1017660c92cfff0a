"""Stepping in by hand: what can be done with a delivery, which fact does it, and why it cannot be done."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from domain.campaign.state import State
from domain.delivery.delivery import Cancelled, Requeued, Status, may_follow

Action = Literal["cancel", "retry", "send_now"]

FACT_OF: dict[Action, type[Cancelled] | type[Requeued]] = {
    "cancel": Cancelled,
    "retry": Requeued,
    "send_now": Requeued,
}
DONE: dict[Action, str] = {"cancel": "cancelled", "retry": "retried", "send_now": "sent now"}


def possible_in(action: Action) -> frozenset[Status]:
    """The states in which it can be done. To put back what is queued is to send it now, and no retry."""
    found = frozenset(status for status in Status if may_follow(status, FACT_OF[action]))
    match action:
        case "retry":
            return found - {Status.QUEUED}
        case "send_now":
            return found & {Status.QUEUED}
        case "cancel":
            return found


def is_possible_while(action: Action, campaign: State) -> bool:
    """Nothing of a cancelled campaign is put back: it would not be sent."""
    return FACT_OF[action] is not Requeued or not campaign.cancels_queued


def hindrance(action: Action, status: Status, campaign: State, due: datetime, now: datetime) -> str:
    """Why it cannot be done with a delivery; empty when it can. `due` is when it may be attempted next."""
    if status not in possible_in(action):
        *most, last = (state.value for state in Status if state in possible_in(action))
        states = f"{', '.join(most)} or {last}" if most else last
        return f"Only a {states} e-mail can be {DONE[action]}; this one is {status}."
    if not is_possible_while(action, campaign):
        return "Its campaign is cancelled, so it would not be sent."
    if action == "send_now" and due <= now:
        return "It is not deferred: it is sent as soon as a server has capacity."
    return ""
