"""All that can happen to a campaign, and what it is after that."""

from __future__ import annotations

from domain.campaign.campaign import Campaign

EVENT_CLASSES: tuple[type[Campaign.Event], ...] = (
    Campaign.Created,
    Campaign.Edited,
    Campaign.Scheduled,
    Campaign.Unscheduled,
    Campaign.Started,
    Campaign.QueueingFinished,
    Campaign.Paused,
    Campaign.Resumed,
    Campaign.Cancelled,
    Campaign.Finished,
    Campaign.PriorityChanged,
)

STATE_AFTER = {event.TOPIC: event.STATE for event in EVENT_CLASSES if event.STATE is not None}
"""What a campaign is after an event of that topic, whatever it was before."""
