"""The application in memory: commands, refusals, and two people at once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from eventsourcing.persistence import IntegrityError

from application.decisions.postledger import Postledger
from domain.clock import VirtualClock
from domain.errors import Missing, Outrun, Refused

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
IN_MEMORY = {"PERSISTENCE_MODULE": "eventsourcing.popo"}
SERVER = {"name": "mail2", "host": "smtp.example.com", "from_email": "news@mail2.example.com"}


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(NOW)


@pytest.fixture
def application(clock: VirtualClock) -> Iterator[Postledger]:
    with Postledger(IN_MEMORY, clock=clock) as application:
        yield application


def create(application: Postledger, number: int = 1, **changes: Any) -> int:
    content = {"name": "Autumn", "subject": "Hello", "text": "a" * 64, "lists": [1], **changes}
    return application.create_campaign(number=number, by="test", **content)


def topics(application: Postledger) -> list[str]:
    return [each.topic for each in application.recorder.select_notifications(1, 100)]


def test_a_campaign_is_created_edited_and_run_to_its_end(application: Postledger) -> None:
    assert create(application) == 1
    assert application.edit_campaign(1, {"subject": "Ho"}, by="test") == 2
    application.start(1, by="test")
    application.pause(1, reason="lunch", by="test")
    application.finish_queueing(1, 10, by="processor:1")
    application.change_priority(1, "high", by="test")
    application.resume(1, by="test")
    application.finish(1, by="processor:1")
    assert topics(application) == [
        "campaign.created",
        "campaign.edited",
        "campaign.started",
        "campaign.paused",
        "campaign.queueing_finished",
        "campaign.priority_changed",
        "campaign.resumed",
        "campaign.finished",
    ]
    assert application.campaign(1).state == "finished"


def test_events_bear_the_clocks_time_and_who_did_it(application: Postledger, clock: VirtualClock) -> None:
    create(application)
    clock.advance_to(NOW + timedelta(hours=1))
    application.start(1, by="somebody")
    campaign = application.campaign(1)
    assert (campaign.created_on, campaign.modified_on) == (NOW, NOW + timedelta(hours=1))
    started: Any = list(application.events.get(campaign.id))[-1]
    assert started.by == "somebody"


def test_a_refused_command_changes_nothing(application: Postledger) -> None:
    create(application)
    with pytest.raises(Refused):
        application.pause(1, by="test")
    with pytest.raises(Refused):
        application.edit_campaign(1, {"subject": ""}, by="test")
    assert topics(application) == ["campaign.created"]


def test_a_number_is_taken_once(application: Postledger) -> None:
    create(application)
    with pytest.raises(Refused, match="there is a campaign 1 already"):
        create(application)
    application.add_server(SERVER, number=1, by="test")
    with pytest.raises(Refused, match="there is a server 1 already"):
        application.add_server(SERVER, number=1, by="test")


@pytest.mark.parametrize("number", [5, 0, -1, 2**40])
def test_what_is_not_there_is_missing(application: Postledger, number: int) -> None:
    with pytest.raises(Missing, match=f"there is no campaign {number}"):
        application.start(number, by="test")
    with pytest.raises(Missing, match=f"there is no server {number}"):
        application.enable_server(number, by="test")


def test_the_one_server_of_a_campaign_has_to_be_there(application: Postledger) -> None:
    with pytest.raises(Refused, match="there is no server 9") as refused:
        create(application, messenger=9)
    assert refused.value.field == "messenger"
    application.add_server(SERVER, number=9, by="test")
    create(application, messenger=9)
    with pytest.raises(Refused, match="there is no server 8"):
        application.edit_campaign(1, {"messenger": 8}, by="test")
    assert application.campaign(1).messenger == 9


def test_a_scheduled_campaign_starts_once_when_it_is_due(
    application: Postledger, clock: VirtualClock
) -> None:
    create(application)
    application.schedule(1, NOW + timedelta(hours=1), by="test")
    assert application.start_due(1, by="processor:1") is None
    clock.advance_to(NOW + timedelta(hours=2))
    assert application.start_due(1, by="processor:1") == 3
    assert application.start_due(1, by="processor:2") is None
    application.pause(1, by="test")
    assert application.start_due(1, by="processor:2") is None
    assert application.campaign(1).state == "paused"


def test_a_server_is_added_changed_and_suspended(application: Postledger) -> None:
    assert application.add_server(SERVER, number=2, by="test") == 2
    application.change_server(2, {"daily_limit": 10, "enabled": False}, by="test")
    application.enable_server(2, by="test")
    assert application.enable_server(2, by="test") is None
    application.suspend_server(2, reason="535", until=None, by="processor:1")
    assert application.server(2).suspension is not None
    application.resume_server(2, by="test")
    application.disable_server(2, by="test")
    server = application.server(2)
    assert (server.settings.daily_limit, server.is_enabled(), server.suspension) == (10, False, None)


def test_the_policy_is_what_its_changes_make_it(application: Postledger) -> None:
    assert application.policy().version == 0
    assert application.change_policy({"batch": 50}, by="test") == 1
    assert application.change_policy({"batch": 50}, by="test") is None
    application.change_policy({"timezone": "Europe/Berlin"}, by="test")
    policy = application.policy()
    assert (policy.batch, policy.timezone, policy.version) == (50, "Europe/Berlin", 2)


class Interrupted(Postledger):
    """Somebody else's command comes between deciding and appending, `times` times."""

    times = 0

    def save(self, *objects: Any, **kwargs: Any) -> Any:
        if self.times:
            self.times -= 1
            self.interrupt()
        return super().save(*objects, **kwargs)

    def interrupt(self) -> None:
        raise IntegrityError


class Cancelled(Interrupted):
    def interrupt(self) -> None:
        self.cancel(1, by="somebody else")


def test_who_was_outrun_decides_again(clock: VirtualClock) -> None:
    application = Interrupted(IN_MEMORY, clock=clock)
    create(application)
    application.times = 2
    application.start(1, by="test")
    assert topics(application) == ["campaign.created", "campaign.started"]


def test_a_decision_is_taken_on_what_the_other_one_left(clock: VirtualClock) -> None:
    application = Cancelled(IN_MEMORY, clock=clock)
    create(application)
    application.start(1, by="test")
    application.times = 1
    with pytest.raises(Refused, match="a cancelled campaign cannot be paused"):
        application.pause(1, by="test")


def test_who_is_outrun_again_and_again_is_told(clock: VirtualClock) -> None:
    application = Interrupted(IN_MEMORY, clock=clock)
    create(application)
    application.times = 100
    with pytest.raises(Outrun, match="try again"):
        application.start(1, by="test")
    with pytest.raises(Outrun):
        application.change_policy({"batch": 5}, by="test")
