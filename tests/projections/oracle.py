"""The plainest way to say what the projections are to show: one event after the other, in dictionaries."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from domain.delivery.reply import with_code
from tests.projections.histories import Recorded

STATUS_AFTER = {
    "attempt_started": "sending",
    "accepted": "sent",
    "deferred": "queued",
    "failed": "failed",
    "cancelled": "cancelled",
    "outcome_unknown": "unknown",
    "suppressed": "suppressed",
    "requeued": "queued",
}

STATE_AFTER = {
    "created": "draft",
    "unscheduled": "draft",
    "scheduled": "scheduled",
    "started": "running",
    "paused": "paused",
    "resumed": "running",
    "cancelled": "cancelled",
    "finished": "finished",
}


def said(state: dict[str, Any]) -> str:
    return with_code(state.get("code"), state["reply"]) if "reply" in state else str(state["reason"])


@dataclass
class Delivery:
    due: datetime
    queued_at: datetime
    changed_at: datetime
    version: int = 0
    server: int = 0
    status: str = "queued"
    attempts: int = 0
    interruptions: int = 0
    first_failed_at: datetime | None = None
    error: str | None = None
    reservation: tuple[int, int] | None = None


@dataclass
class Oracle:
    deliveries: dict[tuple[int, int], Delivery] = field(default_factory=dict)
    campaigns: dict[int, dict[str, Any]] = field(default_factory=dict)
    reservations: dict[tuple[int, int], dict[str, Any]] = field(default_factory=dict)
    usage: defaultdict[tuple[int, str], Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    health: defaultdict[int, dict[str, Any]] = field(
        default_factory=lambda: defaultdict(
            lambda: {"failures": 0, "success": None, "error": None, "error_at": None}
        )
    )
    hours: defaultdict[tuple[datetime, int], Counter[str]] = field(
        default_factory=lambda: defaultdict(Counter)
    )

    def apply(self, event: Recorded) -> None:
        kind, _, what = event.topic.partition(".")
        {
            "campaign": self._campaign,
            "audience": self._audience,
            "delivery": self._delivery,
            "capacity": self._capacity,
            "server": lambda *_: None,
        }[kind](event, what)

    def _campaign(self, event: Recorded, what: str) -> None:
        campaign = self.campaigns.setdefault(event.campaign, {"finished_queueing": False, "reason": None})
        campaign["state"] = STATE_AFTER.get(what, campaign.get("state"))
        if what in STATE_AFTER:
            campaign["reason"] = event.state.get("reason")
        for name in ("priority", "messenger", "name"):
            for source in (event.state, event.state.get("changes", {})):
                if name in source:
                    campaign[name] = source[name]
        if what == "queueing_finished":
            campaign["finished_queueing"] = True

    def _audience(self, event: Recorded, what: str) -> None:
        for first, last in event.state["ranges"]:
            for recipient in range(first, last + 1):
                self.deliveries[event.campaign, recipient] = Delivery(event.at, event.at, event.at)

    def _delivery(self, event: Recorded, what: str) -> None:
        delivery, state = self.deliveries[event.campaign, event.number], event.state
        was = delivery.status
        delivery.status, delivery.version, delivery.changed_at = STATUS_AFTER[what], event.version, event.at
        if what == "attempt_started":
            delivery.attempts += 1
            delivery.server = state["server"]
            delivery.reservation = (state["server"], state["reservation"])
            self.reservations[delivery.reservation]["used"] += 1
        elif what == "deferred":
            delivery.due = datetime.fromtimestamp(state["again"], UTC)
            delivery.error = said(state)
            if state["about"] in ("server", "processor"):
                delivery.attempts -= 1
                delivery.interruptions += state["about"] == "processor"
            else:
                delivery.first_failed_at = delivery.first_failed_at or event.at
        elif what == "requeued":
            again = state.get("again")
            delivery.due = event.at if again is None else datetime.fromtimestamp(again, UTC)
            delivery.attempts, delivery.first_failed_at = 0, None
            if again is None:
                delivery.interruptions = 0
        elif what == "accepted":
            delivery.error = None
        else:
            delivery.error = said(state)
            delivery.interruptions += what == "outcome_unknown"
        if "server" in state:
            self._count(event, what, delivery, was)

    def _count(self, event: Recorded, what: str, delivery: Delivery, was: str) -> None:
        name = {"attempt_started": "attempts", "outcome_unknown": "unknown"}.get(what, what)
        assert delivery.reservation is not None
        server = event.state["server"]
        day = self.usage[server, self.reservations[delivery.reservation]["day"]]
        day[name] += 1
        if was == "unknown":
            day["unknown"] -= 1
        self.hours[event.at.replace(minute=0, second=0, microsecond=0), server][name] += 1
        if what != "attempt_started":
            self._judge(event, what, self.health[server])

    def _judge(self, event: Recorded, what: str, health: dict[str, Any]) -> None:
        if what == "accepted":
            health["failures"], health["success"] = 0, event.at
        elif event.state.get("about") in ("server", "network"):
            health["failures"] += 1
            health["error"], health["error_at"] = said(event.state), event.at

    def _capacity(self, event: Recorded, what: str) -> None:
        if what == "reserved":
            state = event.state
            until = datetime.fromtimestamp(state["until"], UTC)
            self.reservations[event.number, event.version] = {
                "n": state["n"], "used": 0, "unused": 0, "refused": 0, "day": state["day"], "until": until,
                "returned_at": None,
            }  # fmt: skip
            self.usage[event.number, state["day"]]["reserved"] += state["n"]
            return
        reservation = self.reservations[event.number, event.state["reservation"]]
        reservation["returned_at"] = datetime.fromtimestamp(event.state["at"], UTC)
        for name in ("unused", "refused"):
            units = event.state.get(name, 0)
            reservation[name] = units
            self.usage[event.number, reservation["day"]][name] += units

    def shown(self, key: tuple[int, int]) -> str:
        """The status as people see it: what waits in a cancelled campaign is cancelled."""
        status = self.deliveries[key].status
        cancelled = self.campaigns[key[0]]["state"] == "cancelled"
        return "cancelled" if status == "queued" and cancelled else status
