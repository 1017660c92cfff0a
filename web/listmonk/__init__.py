"""listmonk's contract (v6): what its clients ask for, in its words and forms, on top of our own commands.

Bodies may have fields that we do not know, as listmonk's may; where we differ otherwise docs/api.md says how.
"""

from __future__ import annotations

from web.listmonk import (
    campaign_messages,
    campaigns,
    dashboard,
    health,
    imports,
    lists,
    many_subscribers,
    settings,
    subscribers,
    subscription,
    templates,
    transactional,
)

RESOURCES = (
    health,
    lists,
    subscribers,
    many_subscribers,
    imports,
    templates,
    campaigns,
    campaign_messages,
    settings,
    subscription,
    dashboard,
    transactional,
)
