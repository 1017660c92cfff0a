"""A campaign's life against the table of the issue, whatever is tried in whatever order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from domain.campaign.campaign import Campaign
from domain.errors import Refused

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
BODY = "a" * 64
DRAFT = {"name": "Autumn", "subject": "Hello", "text": BODY, "lists": [1]}

ALLOWED = {
    "schedule": {"draft": "scheduled"},
    "unschedule": {"scheduled": "draft"},
    "start": {"draft": "running", "scheduled": "running", "paused": "running"},
    "pause": {"running": "paused"},
    "resume": {"paused": "running"},
    "cancel": {"running": "cancelled", "paused": "cancelled"},
    "finish": {"running": "finished"},
}
ARGUMENTS = {"schedule": (NOW + timedelta(hours=1),), "pause": ("by hand",), "cancel": ("by hand",)}


def draft(**changes: object) -> Campaign:
    return Campaign.create(7, {**DRAFT, **changes}, by="test", at=NOW)


def running() -> Campaign:
    campaign = draft()
    campaign.start(by="test", at=NOW)
    return campaign


class Life(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.campaign = draft()
        self.expected = "draft"
        self.queueing_finished = False

    @rule(command=st.sampled_from(sorted(ALLOWED)))
    def command(self, command: str) -> None:
        becomes = ALLOWED[command].get(self.expected)
        if command == "finish" and not self.queueing_finished:
            becomes = None
        before = self.campaign.version
        if becomes is None:
            with pytest.raises(Refused):
                self.give(command)
            assert self.campaign.version == before
        else:
            self.give(command)
            assert self.campaign.version == before + 1
            self.expected = becomes

    def give(self, command: str) -> None:
        getattr(self.campaign, command)(*ARGUMENTS.get(command, ()), by="test", at=NOW)

    @rule()
    def finish_queueing(self) -> None:
        if self.expected in ("running", "paused") or self.queueing_finished:
            self.campaign.finish_queueing(10, by="test", at=NOW)
            self.queueing_finished = True
        else:
            with pytest.raises(Refused, match="not queueing"):
                self.campaign.finish_queueing(10, by="test", at=NOW)

    @rule(name=st.sampled_from(["Winter", "Spring"]))
    def rename(self, name: str) -> None:
        if self.expected in ("draft", "scheduled", "paused"):
            self.campaign.edit({"name": name}, by="test", at=NOW)
            assert self.campaign.name == name
        else:
            with pytest.raises(Refused, match="cannot be edited"):
                self.campaign.edit({"name": name}, by="test", at=NOW)

    @rule(subject=st.sampled_from(["Ho", "Hi"]))
    def reword(self, subject: str) -> None:
        if self.expected in ("draft", "scheduled") or subject == self.campaign.subject:
            return
        with pytest.raises(Refused):
            self.campaign.edit({"subject": subject}, by="test", at=NOW)
        assert self.campaign.subject == "Hello"

    @rule(priority=st.sampled_from(["high", "normal", "low"]))
    def change_priority(self, priority: str) -> None:
        if self.expected in ("finished", "cancelled"):
            with pytest.raises(Refused, match="no priority to change"):
                self.campaign.change_priority(priority, by="test", at=NOW)
        else:
            self.campaign.change_priority(priority, by="test", at=NOW)
            assert self.campaign.priority == priority

    @precondition(lambda self: self.campaign.pending_events)
    @rule()
    def replay(self) -> None:
        again = None
        for event in self.campaign.pending_events:
            again = event.mutate(again)
        assert again is not None
        ours, theirs = ({**vars(one), "_pending_events": []} for one in (self.campaign, again))
        assert ours == theirs

    @invariant()
    def questions_are_answered_as_the_state_is(self) -> None:
        assert self.campaign.state == self.expected
        assert self.campaign.state.may_send == (self.expected in ("running", "finished"))
        assert self.campaign.state.is_started == (self.expected in ("running", "paused"))
        assert self.campaign.state.is_over == (self.expected in ("finished", "cancelled"))
        assert self.campaign.is_queueing() == (self.campaign.state.is_started and not self.queueing_finished)
        assert self.campaign.has_finished_queueing() == self.queueing_finished


TestLife = Life.TestCase
TestLife.settings = settings(deadline=None, max_examples=100, stateful_step_count=30)


def test_a_refusal_says_what_is_and_what_would_have_to_be() -> None:
    with pytest.raises(Refused, match="a draft campaign cannot be paused, only one that is running"):
        draft().pause("", by="test", at=NOW)


def test_a_scheduled_campaign_is_unscheduled_rather_than_cancelled() -> None:
    campaign = draft()
    campaign.schedule(NOW + timedelta(days=1), by="test", at=NOW)
    with pytest.raises(Refused, match="unschedule it first"):
        campaign.cancel("", by="test", at=NOW)


def test_a_scheduled_campaign_is_due_at_its_time() -> None:
    campaign = draft()
    campaign.schedule("2026-11-24T14:00:00+01:00", by="test", at=NOW)
    assert campaign.send_at == NOW + timedelta(hours=1)
    assert not campaign.is_due(NOW + timedelta(minutes=59))
    assert campaign.is_due(NOW + timedelta(hours=1))
    campaign.unschedule(by="test", at=NOW)
    assert not campaign.is_due(NOW + timedelta(hours=1))
    assert campaign.send_at is None


@pytest.mark.parametrize("send_at", [NOW, NOW - timedelta(days=1), "2026-11-24T14:00:00", "tomorrow", 5])
def test_a_start_is_scheduled_for_a_known_instant_in_the_future(send_at: object) -> None:
    with pytest.raises(Refused) as refused:
        draft().schedule(send_at, by="test", at=NOW)  # type: ignore[arg-type]
    assert refused.value.field == "send_at"


def test_a_campaign_that_is_still_queueing_is_not_finished() -> None:
    with pytest.raises(Refused, match="still queueing"):
        running().finish(by="test", at=NOW)


def test_a_cancelled_campaign_that_was_still_queueing_stops() -> None:
    campaign = running()
    campaign.cancel("wrong text", by="test", at=NOW)
    assert not campaign.is_queueing()
    assert campaign.reason == "wrong text"


def test_queueing_is_finished_once_with_one_number() -> None:
    campaign = running()
    campaign.finish_queueing(10, by="test", at=NOW)
    campaign.finish_queueing(10, by="test", at=NOW)
    assert campaign.version == 3
    with pytest.raises(Refused):
        campaign.finish_queueing(11, by="test", at=NOW)


def test_an_edit_records_only_what_differs() -> None:
    campaign = draft()
    campaign.edit({"name": "Autumn", "subject": "Ho", "headers": []}, by="test", at=NOW)
    assert campaign.pending_events[-1].changes == {"subject": "Ho"}  # type: ignore[attr-defined]
    campaign.edit({"subject": "Ho", "lists": [1]}, by="test", at=NOW)
    assert campaign.version == 2


def test_the_content_of_a_started_campaign_is_fixed() -> None:
    campaign = running()
    campaign.pause("", by="test", at=NOW)
    with pytest.raises(Refused) as refused:
        campaign.edit({"name": "New", "text": "b" * 64, "lists": [2]}, by="test", at=NOW)
    assert refused.value.fields.keys() == {"text", "lists"}
    assert campaign.name == "Autumn"
    campaign.edit({"name": "New", "priority": "high"}, by="test", at=NOW)
    assert (campaign.name, campaign.priority) == ("New", "high")
