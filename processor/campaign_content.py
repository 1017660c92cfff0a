"""What a campaign's messages are made of, as it was started."""

from __future__ import annotations

from typing import Any

from domain.campaign.campaign import Campaign
from domain.streams import campaign_stream
from mail.message.compose import CampaignContent
from storage import content


def campaign_content(cursor: Any, campaign: Campaign) -> CampaignContent:
    parts = (campaign.text, campaign.html)
    text, html = (content.text_of(cursor, part) if part else None for part in parts)
    return CampaignContent(
        number=campaign.number,
        uuid=str(campaign_stream(campaign.number)),
        name=campaign.rendered_name,
        subject=campaign.subject,
        text=text,
        html=html,
        headers=[(name, value) for name, value in campaign.headers],
        attributes=campaign.attributes,
        transactional=campaign.transactional,
    )
