"""listmonk's contract (v6): what its clients ask for, in its words and forms, on top of our own commands.

Bodies may have fields that we do not know, as listmonk's may; where we differ otherwise docs/api.md says how.
"""

from __future__ import annotations

from web.listmonk import bounces, dashboard, health, settings, transactional
from web.listmonk.campaigns import campaigns, messages, templates
from web.listmonk.people import imports, lists, many_subscribers, subscribers

RESOURCES = (
    health,
    lists,
    subscribers,
    many_subscribers,
    imports,
    templates,
    campaigns,
    messages,
    settings,
    dashboard,
    transactional,
    bounces,
)
