"""Why a delivery waits, as people and programs are told: the answer that the processor goes by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from domain.campaign.priority import Priority, rank_of
from domain.campaign.state import State
from domain.server.availability import RUNNING, Closed, Open, Reason, SendingState


@dataclass(frozen=True)
class Waiting(Closed):
    """`server` names the one that it waits for, where it is one."""

    server: str = ""

    @classmethod
    def of(cls, closed: Closed, server: str = "") -> Waiting:
        return cls(closed.reason, closed.until, closed.detail, server)

    @property
    def text(self) -> str:
        return f"{self.server}: {super().text}" if self.server else super().text


NEXT_IN_LINE = Waiting(Reason.NEXT_IN_LINE)
HIGHER_PRIORITY = Waiting(Reason.PRIORITY)


@dataclass(frozen=True, kw_only=True)
class Route:
    """A server as seen by whoever waits for it."""

    server: int
    name: str
    answer: Open | Closed


@dataclass(frozen=True, kw_only=True)
class CampaignState:
    """`messenger` is the one server that may send it, None for automatic."""

    state: State
    messenger: int | None = None
    priority: str = Priority.NORMAL.value
    send_at: datetime | None = None
    reason: str | None = None


@dataclass(frozen=True)
class DueCampaign:
    """One that may send and has deliveries that may be tried now; `messenger` as in CampaignState."""

    priority: str
    messenger: int | None = None

    def goes_before(self, campaign: CampaignState, server: int) -> bool:
        """There, before any delivery of the other's."""
        return self.messenger in (None, server) and rank_of(self.priority) < rank_of(campaign.priority)


def why_it_waits(
    campaign: CampaignState,
    *,
    now: datetime,
    again: datetime,
    opens: datetime | None,
    routes: Sequence[Route],
    sending: SendingState = RUNNING,
    due: Sequence[DueCampaign] = (),
) -> Waiting:
    """Of a queued delivery: the first thing that holds it. `again` is when it may be attempted next, as far
    as it is up to the delivery; `opens` is when the sending calendar next allows an attempt: `now` or earlier
    when it does, None for never; `due` are the campaigns that want the same servers."""
    held = held_by_campaign(campaign) or sending.held()
    if held is not None:
        return Waiting.of(held)
    if again > now:
        return Waiting(Reason.RETRY, again)
    if opens is None or opens > now:
        return Waiting(Reason.CALENDAR, opens)
    waiting = held_by_servers(campaign.messenger, routes)
    if waiting.reason is not Reason.NEXT_IN_LINE:
        return waiting
    if _comes_later(campaign, routes, due):
        return HIGHER_PRIORITY
    failing = sending.failing()
    return NEXT_IN_LINE if failing is None else Waiting.of(failing)


def held_by_campaign(campaign: CampaignState) -> Closed | None:
    if campaign.state.may_send:
        return None
    reason = Reason(f"campaign_{campaign.state}")
    match campaign.state:
        case State.DRAFT:
            return Closed(reason)
        case State.SCHEDULED:
            return Closed(reason, campaign.send_at)
        case _:
            return Closed(reason, detail=campaign.reason or "")


def held_by_servers(messenger: int | None, routes: Sequence[Route]) -> Waiting:
    usable = [route for route in routes if messenger in (None, route.server)]
    if not usable:
        return Waiting(Reason.NO_SERVER)
    closed = [(route.name, route.answer) for route in usable if isinstance(route.answer, Closed)]
    if len(closed) < len(usable):
        return NEXT_IN_LINE
    # What is disabled is waited for only when nothing else is there.
    closed = [(name, answer) for name, answer in closed if answer.reason is not Reason.DISABLED] or closed
    if len(closed) == 1:
        name, answer = closed[0]
        return Waiting.of(answer, f"server {name}")
    ends = [answer.until for _, answer in closed if answer.until is not None]
    until = min(ends, default=None)
    reasons = {answer.reason for _, answer in closed}
    if len(reasons) == 1 and Reason.DISABLED not in reasons:
        return Waiting(reasons.pop(), until, server="all servers")
    return Waiting(Reason.NO_CAPACITY, until)


def _comes_later(campaign: CampaignState, routes: Sequence[Route], due: Sequence[DueCampaign]) -> bool:
    """Whether each server that is open to it goes to campaigns of higher priority first."""
    return all(
        any(other.goes_before(campaign, route.server) for other in due)
        for route in routes
        if isinstance(route.answer, Open) and campaign.messenger in (None, route.server)
    )
