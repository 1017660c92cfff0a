"""Every event there is has words of its own, and leads to what it is about."""

from __future__ import annotations

import json

import pytest
from eventsourcing.utils import get_topic

from domain.streams import (
    Kind,
    audience_stream,
    campaign_stream,
    capacity_stream,
    delivery_stream,
    policy_stream,
    server_stream,
)
from domain.topics import EVENT_CLASSES
from tests.domain.test_events import sample
from web.pages.log.event_descriptions import DESCRIPTIONS, describe
from web.pages.log.subjects import subject


@pytest.mark.parametrize("kind", EVENT_CLASSES, ids=get_topic)
def test_every_event_says_something_of_its_own(kind: type) -> None:
    topic = get_topic(kind)
    values = {name: value for name, value in vars(sample(kind)).items() if not name.startswith("originator_")}
    state = json.loads(json.dumps(values, default=str))
    for instant in ("until", "send_at"):
        if instant in state and topic in ("server.suspended", "campaign.scheduled"):
            state[instant] = "2026-03-04T12:00:00+00:00"
    if topic == "server.added":
        state["settings"] = {"name": "alpha"}
    said = describe(topic, state, {3: "alpha"})
    assert topic in DESCRIPTIONS
    assert said.text
    assert "…" not in said.text


def test_an_event_of_a_later_version_is_told_by_its_topic() -> None:
    assert describe("campaign.sung_aloud", {"by": "x"}, {}).text == "Campaign: sung aloud"


def test_each_stream_leads_somewhere() -> None:
    paths = {
        subject(stream, {4: "alpha"}).path
        for stream in (
            campaign_stream(7), audience_stream(7), delivery_stream(7, 9), server_stream(4),
            capacity_stream(4), policy_stream(),
        )
    }  # fmt: skip
    assert paths == {"/campaigns/7", f"/queue/{7 << 32 | 9}", "/servers/4", "/settings"}
    assert {kind.name for kind in Kind} >= {"USER", "KEY"}
