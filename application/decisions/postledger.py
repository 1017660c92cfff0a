"""What can be asked of Postledger."""

from __future__ import annotations

from application.decisions.campaigns import CampaignDecisions


class Postledger(CampaignDecisions):
    """Decides about campaigns, servers, templates and the sending policy."""
