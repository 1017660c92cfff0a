"""Single deliveries: which are meant, how each stands and why it waits, and what happened to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from application.installation import Installation
from application.queue.waits import WaitHistory, Waits
from domain.clock import instant
from domain.delivery.delivery import Status
from domain.delivery.waiting import CampaignState, Waiting
from domain.errors import Missing
from domain.streams import (
    LARGEST_NUMBER,
    Kind,
    campaign_stream,
    delivery_stream,
    kind_of,
    number_of,
    server_stream,
)
from projections import availability, campaign_progress
from projections.availability import SendingCapacity
from projections.campaign_progress import Progress
from projections.queue import deliveries as in_order
from projections.queue.items import QUEUED, Item, WantedItems, item, items, people_like
from storage.log import feed
from storage.log.feed import Recorded
from storage.people import directory


@dataclass(frozen=True, kw_only=True)
class DescribedDelivery:
    """`waiting` is None when it does not wait."""

    item: Item
    campaign: Progress
    waiting: Waiting | None

    @property
    def number(self) -> int:
        return (self.item.campaign << 32) | self.item.recipient

    @property
    def stream(self) -> UUID:
        return delivery_stream(self.item.campaign, self.item.recipient)

    @property
    def status(self) -> Status:
        return Status.of(self.item.status)

    def fields(self) -> dict[str, Any]:
        """For programs: the API's names, and values that JSON has."""
        one, waiting = self.item, self.waiting
        return {
            "id": self.number,
            "campaignId": one.campaign,
            "campaignName": self.campaign.name,
            "campaignUuid": str(campaign_stream(one.campaign)),
            "subscriberId": one.person,
            "subscriberEmail": one.email,
            "subscriberUuid": one.uuid,
            "status": str(self.status),
            "priority": self.campaign.priority,
            "scheduledAt": instant(one.due),
            "sentAt": instant(one.changed_at) if self.status is Status.SENT else None,
            "assignedSmtpServerUuid": str(server_stream(one.server)) if one.server else None,
            "attempts": one.attempts,
            "retryCount": max(0, one.attempts - 1),
            "errorMessage": one.error,
            "waitingFor": str(waiting) if waiting else None,
            "waitingCode": waiting.code if waiting else None,
            "waitingUntil": instant(waiting.until) if waiting else None,
            "createdAt": instant(one.queued_at),
            "updatedAt": instant(one.changed_at),
        }


class Deliveries:
    def __init__(self, installation: Installation) -> None:
        self._installation = installation

    def page(self, wanted: WantedItems, offset: int, limit: int) -> tuple[list[DescribedDelivery], int]:
        """Newest campaign first, and how many there are in all."""
        with self._installation.reading() as cursor:
            found, total = items(cursor, wanted, offset, limit)
            return described(cursor, found, self._installation.clock.now()), total

    def after(self, wanted: WantedItems, place: tuple[int, int], limit: int) -> list[DescribedDelivery]:
        """In an order that never changes: those after (campaign, recipient)."""
        with self._installation.reading() as cursor:
            found = in_order.deliveries(cursor, wanted, place, limit)
            return described(cursor, found, self._installation.clock.now())

    def one(self, number: int) -> DescribedDelivery:
        """As the whole log has it. Raises Missing, Behind."""
        self._installation.catch_up()
        campaign, recipient = number >> 32, number & 0xFFFFFFFF
        with self._installation.reading() as cursor:
            found = item(cursor, campaign, recipient) if max(campaign, recipient) <= LARGEST_NUMBER else None
            if found is None:
                raise Missing("There is no such e-mail in the queue.")
            return described(cursor, [found], self._installation.clock.now())[0]

    def waits(
        self, one: DescribedDelivery, history: Sequence[Recorded], most: int | None = None
    ) -> WaitHistory:
        """`history` is its own, from the first event on; `most` is as in `Waits.of`."""
        with self._installation.reading() as cursor:
            reader = Waits(self._installation, cursor)
            return reader.of(one.item.campaign, one.item.queued_at, history, most)

    def history(self, one: DescribedDelivery, most: int) -> list[Recorded]:
        """The first events of its own stream; that it was queued is in its campaign's audience."""
        with self._installation.reading() as cursor:
            return feed.of_stream(cursor, one.stream, most)


def wanted(
    cursor: Any,
    campaign: int | None,
    statuses: Sequence[str],
    server: UUID | None,
    subscriber: str | None,
) -> WantedItems:
    """Those to which everything that is given applies. `server` is the last one tried; `subscriber` a UUID, a
    number, an address or a part of addresses."""
    return WantedItems(
        campaign=campaign,
        statuses=[Status(status).number for status in sorted(set(statuses))],
        server=None if server is None else server_of(server),
        recipients=None if subscriber is None else people(cursor, subscriber),
        address=subscriber,
    )


def server_of(uuid: UUID) -> int:
    """The number of a server; -1, which none has, for a UUID that is no server's."""
    try:
        return number_of(uuid) if kind_of(uuid) is Kind.SERVER else -1
    except ValueError:
        return -1


def people(cursor: Any, search: str) -> list[int]:
    """Who is meant: the one with that address, UUID or number, else those whose address has it in it."""
    found = directory.find_recipient(cursor, search)
    return [found.number] if found else people_like(cursor, search)


def described(cursor: Any, found: Sequence[Item], now: datetime) -> list[DescribedDelivery]:
    campaigns = {number: progress_of(cursor, number) for number in {one.campaign for one in found}}
    capacity = availability.capacity(cursor, now) if any(one.status == QUEUED for one in found) else None
    return [
        DescribedDelivery(
            item=one,
            campaign=campaigns[one.campaign],
            waiting=waiting_for(one, campaigns[one.campaign], capacity),
        )
        for one in found
    ]


def progress_of(cursor: Any, campaign: int) -> Progress:
    """Raises Missing."""
    found = campaign_progress.progress(cursor, campaign)
    if found is None:
        raise Missing(f"there is no campaign {campaign}")
    return found


def waiting_for(one: Item, campaign: Progress, capacity: SendingCapacity | None) -> Waiting | None:
    if one.status != QUEUED or capacity is None:
        return None
    return capacity.why_it_waits(state_of(campaign), one.due)


def state_of(campaign: Progress) -> CampaignState:
    return CampaignState(
        state=campaign.state,
        messenger=campaign.messenger,
        priority=campaign.priority,
        send_at=campaign.send_at,
        reason=campaign.reason,
    )
