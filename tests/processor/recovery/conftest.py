"""A campaign that several processors work on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from application.decisions.postledger import Postledger
from domain.campaign.audience import RecipientsQueued
from domain.streams import audience_stream
from storage import content
from storage.log import LogFactory
from storage.log.append import Log
from storage.people import lists
from storage.postgres.pool import Pool
from tests.processor.recovery.members import CAMPAIGN, Members


@pytest.fixture
def members(pool: Pool, tmp_path: Path) -> Iterator[Members]:
    with ExitStack() as stack:
        yield Members(pool, stack, tmp_path)


@pytest.fixture(autouse=True)
def campaign(pool: Pool) -> None:
    """Ten people are queued in a campaign that runs."""
    application = Postledger(factory=LogFactory(pool=pool))
    with pool.transaction() as cursor:
        everybody, text = lists.create(cursor, {"name": "Everybody"}), content.keep(cursor, "Hello")
    application.create_campaign(
        number=CAMPAIGN, by="test", name="Spring", subject="News", text=text, lists=[everybody]
    )
    application.start(CAMPAIGN, by="test")
    audience = RecipientsQueued(
        originator_id=audience_stream(CAMPAIGN), originator_version=1, by="test", ranges=[[1, 10]], count=10
    )
    Log(pool).append([audience.stored()])
