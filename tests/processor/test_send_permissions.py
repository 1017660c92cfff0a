"""Send permissions: what may be sent at a moment, by campaign, server, person and hour."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from application.decisions.postledger import Postledger
from domain.campaign.audience import RecipientsQueued
from domain.clock import VirtualClock
from domain.delivery.delivery import AttemptStarted
from domain.server.server import SmtpServer
from domain.streams import audience_stream, delivery_stream
from mail.message.compose import MessageRecipient
from processor import send_permissions
from processor.send_permissions import SendPermissions
from projections.following.runner import Runner
from storage import content
from storage.log.append import Log
from storage.log.factory import LogFactory
from storage.people import lists
from storage.postgres.pool import Pool
from storage.secrets import Secrets, new_key

NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
ADA = MessageRecipient(1, "5b2d1fd4-8f0e-4f2c-9d8a-30c1b1c2a001", "ada@example.org", "Ada", {})


class Scene:
    """One server, one campaign, and the permissions."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.clock = VirtualClock(NOON)
        self.application = Postledger(factory=LogFactory(pool=pool, clock=self.clock), clock=self.clock)
        self.add_server(1, "alpha")
        self.campaign = self.add_campaign(1)
        self.application.start(1, by="test")
        Runner(pool).catch_up()
        self.permissions = SendPermissions(pool, self.application, Secrets([new_key()]), "http://127.0.0.1")
        self.look()
        self.permissions.track([1], NOON)

    def add_server(self, number: int, name: str, **settings: Any) -> int:
        given = {"name": name, "host": "127.0.0.1", "from_email": f"news@{name}.example", **settings}
        return self.application.add_server(given, number=number, by="test")

    def add_campaign(self, number: int, text: str = "Hello") -> int:
        with self.pool.transaction() as cursor:
            kept, everybody = content.keep(cursor, text), lists.create(cursor, {"name": f"List {number}"})
        return self.application.create_campaign(
            number=number, name=f"No {number}", subject="News", text=kept, lists=[everybody], by="test"
        )

    def look(self) -> None:
        self.permissions.refresh(self.clock.now(), self.clock.seconds())

    def may_start(self, server: int = 1) -> bool:
        return self.permissions.view.may_start(1, server, self.clock.now().timestamp())


@pytest.fixture
def scene(pool: Pool) -> Scene:
    return Scene(pool)


def test_a_running_campaign_may_start_through_a_server_in_use(scene: Scene) -> None:
    assert scene.may_start()
    assert not scene.may_start(server=2)


def test_a_pause_and_a_cancel_close_it_at_the_next_look(scene: Scene) -> None:
    scene.application.pause(1, by="test")
    scene.look()
    assert not scene.may_start()
    scene.application.resume(1, by="test")
    scene.look()
    assert scene.may_start()
    scene.application.cancel(1, by="test")
    scene.look()
    assert not scene.may_start()
    assert scene.permissions.is_cancelled(1)


def test_a_server_added_disabled_or_suspended_counts_at_the_next_look(scene: Scene) -> None:
    scene.add_server(2, "beta")
    scene.look()
    assert scene.may_start(server=2)
    scene.application.disable_server(2, by="test")
    scene.application.suspend_server(1, reason="a look", until=NOON + timedelta(minutes=1), by="test")
    scene.look()
    assert not scene.may_start(server=1)
    assert not scene.may_start(server=2)
    scene.clock.advance_to(NOON + timedelta(minutes=1))
    scene.look()
    assert scene.may_start(server=1)


def test_a_window_that_closes_between_two_looks_is_closed(scene: Scene) -> None:
    scene.application.change_policy({"windows": "08:00-20:00"}, by="test")
    closes = NOON + timedelta(hours=8)
    scene.clock.advance_to(closes - timedelta(seconds=0.5))
    scene.look()
    scene.clock.advance_to(closes - timedelta(seconds=0.1))
    assert scene.may_start()
    scene.clock.advance_to(closes)
    assert not scene.may_start()


def test_permissions_that_are_nearly_a_second_old_permit_nothing(scene: Scene) -> None:
    scene.clock.advance_to(NOON + timedelta(seconds=0.8))
    assert scene.may_start()
    scene.clock.advance_to(NOON + timedelta(seconds=1))
    assert not scene.may_start()
    scene.look()
    assert scene.may_start()


def test_permissions_are_as_old_as_the_last_news_of_the_directory(scene: Scene) -> None:
    scene.clock.advance_to(NOON + timedelta(seconds=1))
    scene.permissions.refresh(scene.clock.now())
    assert not scene.may_start()


def test_permissions_read_before_the_clock_was_set_back_permit_nothing(scene: Scene) -> None:
    assert not scene.permissions.view.may_start(1, 1, (NOON - timedelta(seconds=1)).timestamp())


def test_a_server_rests_at_once_and_by_the_log_as_soon_as_that_says_so(scene: Scene) -> None:
    until = NOON + timedelta(minutes=10)
    scene.permissions.suspend(1, until, NOON)
    assert not scene.may_start()
    scene.look()
    assert not scene.may_start()
    scene.application.suspend_server(1, reason="421", until=until, by="processor:1")
    scene.look()
    scene.permissions.suspension_recorded(1, until)
    scene.look()
    assert not scene.may_start()
    scene.application.resume_server(1, by="test")
    scene.look()
    assert scene.may_start()


def test_a_rest_that_the_log_never_heard_of_ends_by_itself(scene: Scene) -> None:
    scene.permissions.suspend(1, NOON + timedelta(minutes=10), NOON)
    scene.clock.advance_to(NOON + timedelta(minutes=10))
    scene.look()
    assert scene.may_start()


def test_news_of_a_person_make_what_was_read_before_stale_and_not_what_is_read_after(scene: Scene) -> None:
    before = scene.permissions.about_to_read()
    assert not scene.permissions.is_stale(7, before)
    scene.permissions.became_stale(7)
    assert scene.permissions.is_stale(7, before)
    assert not scene.permissions.is_stale(8, before)
    assert not scene.permissions.is_stale(7, scene.permissions.about_to_read())


def test_reading_a_person_anew_does_not_freshen_what_somebody_else_has_read(scene: Scene) -> None:
    """Two campaigns wait for one person: each goes by what it has read itself."""
    one = scene.permissions.about_to_read()
    scene.permissions.became_stale(7)
    other = scene.permissions.about_to_read()
    assert not scene.permissions.is_stale(7, other)
    assert scene.permissions.is_stale(7, one)


def test_news_of_many_make_everybody_stale(scene: Scene) -> None:
    before = scene.permissions.about_to_read()
    scene.permissions.became_stale(None)
    assert scene.permissions.is_stale(7, before)
    assert not scene.permissions.is_stale(7, scene.permissions.about_to_read())


def test_news_of_too_many_to_remember_make_everybody_stale(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(send_permissions, "MOST_STALE", 3)
    before = scene.permissions.about_to_read()
    for person in range(1, 5):
        scene.permissions.became_stale(person)
    after = scene.permissions.about_to_read()
    assert scene.permissions.is_stale(1, before)
    assert scene.permissions.is_stale(99, before)
    assert not scene.permissions.is_stale(1, after)


def test_a_changed_sender_shows_in_the_next_message(scene: Scene) -> None:
    skeleton = scene.permissions.skeleton(1, 1)
    assert skeleton is not None
    assert skeleton.envelope_from == "news@alpha.example"
    scene.application.change_server(1, {"from_email": "new@alpha.example"}, by="test")
    scene.look()
    skeleton = scene.permissions.skeleton(1, 1)
    assert skeleton is not None
    assert b"new@alpha.example" in skeleton.message(ADA, NOON)


def test_links_lead_to_the_address_that_the_policy_has_now(scene: Scene) -> None:
    def link() -> bytes:
        scene.look()
        scene.permissions.track([1], NOON)
        skeleton = scene.permissions.skeleton(1, 1)
        assert skeleton is not None
        found = re.search(rb"List-Unsubscribe: <(.*)/unsubscribe/", skeleton.message(ADA, NOON))
        assert found is not None
        return found[1]

    configured = link()
    scene.application.change_policy({"public_address": "https://links.example.com"}, by="test")
    assert link() == b"https://links.example.com" != configured
    scene.application.change_policy({"public_address": ""}, by="test")
    assert link() == configured


def test_a_campaign_that_cannot_be_composed_is_broken_and_others_are_not(scene: Scene) -> None:
    scene.add_campaign(2, "Dear {{ subscriber.name")
    scene.application.start(2, by="test")
    scene.permissions.track([1, 2], NOON)
    assert scene.permissions.closed_campaigns().keys() == {2}
    assert scene.permissions.view.campaigns == {1}


def test_a_campaign_whose_last_email_is_on_its_way_is_not_forgotten(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(send_permissions, "MOST_CAMPAIGNS", 1)
    log = Log(scene.pool, scene.clock)
    queued = RecipientsQueued(
        originator_id=audience_stream(1), originator_version=1, by="test", ranges=[[7, 7]], count=1
    )
    started = AttemptStarted(
        originator_id=delivery_stream(1, 7), originator_version=1, by="test", server=1, reservation=1
    )
    log.append([queued.stored(), started.stored()])
    scene.add_campaign(2)
    Runner(scene.pool).catch_up()
    scene.look()
    scene.permissions.track([2], NOON)
    assert not scene.permissions.is_cancelled(1)
    assert scene.permissions.skeleton(1, 1) is not None
    assert scene.permissions.skeleton(2, 1) is None, "nothing of it waits"


def test_only_its_messenger_may_send_a_direct_campaign(scene: Scene) -> None:
    scene.add_server(2, "beta")
    scene.add_server(3, "gamma", enabled=False)
    scene.add_campaign(2)
    scene.application.edit_campaign(2, {"messenger": 2}, by="test")
    scene.application.start(2, by="test")
    scene.look()
    scene.permissions.track([1, 2], NOON)
    assert scene.permissions.servers_for(1) == {1, 2}
    assert scene.permissions.servers_for(2) == {2}


def test_a_look_reads_each_event_once_however_many_e_mails_came_between(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[int] = []
    load = scene.application.server

    def noted(number: int) -> SmtpServer:
        loaded.append(number)
        return load(number)

    monkeypatch.setattr(scene.application, "server", noted)
    scene.application.disable_server(1, by="test")
    loaded.clear()
    scene.look()
    scene.look()
    assert loaded == [1]
