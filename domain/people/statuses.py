"""What a person, a subscription and a list can be: fields of the API, filters, options and checks follow from
here."""

from __future__ import annotations

from enum import StrEnum

ERASED = "erased"
"""What a person is whose data is gone. Nothing but erasing leads there, and nothing back."""


class PersonStatus(StrEnum):
    """What somebody can be made; only who is enabled is mailed."""

    ENABLED = "enabled"
    DISABLED = "disabled"
    BLOCKLISTED = "blocklisted"


class SubscriptionStatus(StrEnum):
    UNCONFIRMED = "unconfirmed"
    CONFIRMED = "confirmed"
    UNSUBSCRIBED = "unsubscribed"


SUBSCRIBED = (SubscriptionStatus.UNCONFIRMED, SubscriptionStatus.CONFIRMED)
"""On the list. A double opt-in list mails confirmed ones only."""


class Optin(StrEnum):
    SINGLE = "single"
    DOUBLE = "double"


class ListType(StrEnum):
    PRIVATE = "private"
    PUBLIC = "public"


class ListStatus(StrEnum):
    ACTIVE = "active"
    ARCHIVED = "archived"
