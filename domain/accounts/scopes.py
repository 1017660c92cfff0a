"""Which scope each change takes, by what goes on record of it, whoever asks for it and by whichever way.

Whatever decides when something is sent, or whether, needs `send`, and so does every change of what goes out
by itself. Of a draft nothing does. What nobody has decided about takes the strictest.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

NEEDED: Mapping[str, str] = {
    "campaign.created": "write",
    "campaign.edited": "send",
    "campaign.scheduled": "send",
    "campaign.unscheduled": "send",
    "campaign.started": "send",
    "campaign.paused": "send",
    "campaign.resumed": "send",
    "campaign.cancelled": "send",
    "campaign.priority_changed": "send",
    "campaign.estimated": "send",
    "campaign.test_started": "send",
    "campaign.tried": "send",
    "audience.recipients_queued": "send",
    "policy.changed": "configure",
    "server.added": "configure",
    "server.changed": "configure",
    "server.enabled": "configure",
    "server.disabled": "configure",
    "server.suspended": "configure",
    "server.resumed": "configure",
    "server.password_changed": "configure",
    "template.created": "write",
    "template.edited": "write",
    "template.made_default": "write",
    "template.deleted": "write",
    "person.added": "write",
    "person.changed": "write",
    "person.enabled": "write",
    "person.disabled": "write",
    "person.blocklisted": "write",
    "person.erased": "write",
    "person.subscribed": "write",
    "person.unsubscribed": "write",
    "person.taken_off": "write",
    "people.imported": "write",
    "list.created": "write",
    "list.changed": "write",
    "list.deleted": "write",
}
"""Of what may be asked for, deliveries apart; users and keys too, which are for STRICTEST, and one's own
account."""

OF_DELIVERIES = "send"
"""Whatever the fact: what is on record of a delivery decides whether it is sent, or again."""

STRICTEST = "administer"

OF_DRAFTS: Mapping[str, str] = {
    "campaign.edited": "write",
    "campaign.cancelled": "write",
    "campaign.priority_changed": "write",
}

STEERING = frozenset({"queue_paused"})
"""Fields of the policy that stop and start all sending."""


def scopes_needed(topic: str, *, of_draft: bool = False, changes: Collection[str] = ()) -> frozenset[str]:
    """`changes` are the fields of the policy that change."""
    if topic == "policy.changed":
        steers, configures = STEERING & set(changes), set(changes) - STEERING
        return frozenset([*["send"] * bool(steers), *[NEEDED[topic]] * bool(configures)])
    if topic.startswith("delivery."):
        return frozenset([OF_DELIVERIES])
    return frozenset([OF_DRAFTS[topic] if of_draft and topic in OF_DRAFTS else NEEDED.get(topic, STRICTEST)])
