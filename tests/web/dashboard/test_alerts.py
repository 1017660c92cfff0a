"""What the dashboard says somebody should look at, and how much was sent on which day."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask.testing import FlaskClient

from domain.server.availability import Closed, Reason
from projections.availability import Availability
from tests.web.dashboard.dashboard_models import model, server
from tests.web.pages.reading import seen
from tests.web.world import NOON, World
from web.pages.dashboard.overview import overview

SUSPENDED = Closed(Reason.SUSPENDED, NOON + timedelta(hours=1), "421 later")


def texts(counts: dict[str, int], *servers: Availability) -> list[str]:
    shown = overview(model(counts, *servers))
    return [alert.text for alert in shown.alerts]


def test_nothing_is_said_while_all_is_well() -> None:
    assert texts({"queued": 100, "sent": 500}, server(used=500)) == []
    assert texts({"sent": 500}, server(limit=0, used=500)) == []


@pytest.mark.parametrize(
    ("counts", "servers", "text"),
    [
        ({"queued": 600}, [server(used=500)], "600 e-mails wait and 500 can go out today"),
        ({"queued": 1}, [server(used=1000)], "1 e-mail waits and 0 can go out today"),
        ({}, [server(used=950)] * 3 + [server()], "3 of 4 servers have used 90 % of their day or more"),
        ({}, [server(used=900)], "alpha has used 90 % of its day"),
        ({}, [server(used=20, failed=2)], "alpha: 10 % failed today"),
        ({"unknown": 1}, [], "1 e-mail may or may not have gone out: decide what happens to them"),
    ],
)
def test_what_needs_somebody_is_said(counts: dict[str, int], servers: list[Availability], text: str) -> None:
    assert text in texts(counts, *servers)


def test_few_failures_and_servers_without_a_limit_give_no_alarm() -> None:
    assert texts({"queued": 9000}, server(used=19, failed=19), server(limit=0)) == []


def test_a_suspended_server_tells_why_and_comes_before_what_can_wait() -> None:
    shown = overview(model({"unknown": 2}, server(closed=SUSPENDED), queue_paused=True))
    assert [(alert.tone, alert.path) for alert in shown.alerts] == [
        ("bad", "/servers/1"), ("warn", "/queue"), ("warn", "/queue?status=unknown"),
    ]  # fmt: skip
    assert shown.alerts[0].waiting == SUSPENDED


def test_e_mails_that_wait_while_no_processor_runs_are_told_of(client: FlaskClient, world: World) -> None:
    world.server("alpha", daily_limit=10)
    world.queued(world.campaign(), world.people(4))
    world.shown()
    world.without_processor()
    assert "No processor runs, so nothing is sent" in seen(client.get("/").text)


def test_that_no_processor_runs_is_told_of_before_something_waits(client: FlaskClient, world: World) -> None:
    world.server("alpha", daily_limit=10)
    world.shown()
    world.without_processor()
    assert "No processor runs, so nothing is sent" in seen(client.get("/").text)


def none_has_ever_run(world: World) -> None:
    with world.pool.transaction() as cursor:
        cursor.execute("DELETE FROM processors")


def test_a_new_installation_is_calm(client: FlaskClient, world: World) -> None:
    world.server("alpha", daily_limit=10)
    world.shown()
    none_has_ever_run(world)
    assert "No processor runs" not in seen(client.get("/").text)


def test_a_campaign_that_is_scheduled_wants_a_processor(client: FlaskClient, world: World) -> None:
    none_has_ever_run(world)
    world.server("alpha", daily_limit=10)
    world.people(1)
    world.application.schedule(world.campaign(), NOON + timedelta(days=1), by="test")
    world.shown()
    assert "No processor runs, so nothing is sent" in seen(client.get("/").text)


def test_a_processor_that_runs_is_no_matter(client: FlaskClient, world: World) -> None:
    world.server("alpha", daily_limit=10)
    world.queued(world.campaign(), world.people(4))
    world.shown()
    assert "Needs attention" not in seen(client.get("/").text)


def test_what_was_sent_today_and_in_thirty_days_is_shown_for_all_servers_together(
    client: FlaskClient, world: World
) -> None:
    servers, people = [world.server(name) for name in ("alpha", "bravo")], world.people(4)
    campaign = world.campaign()
    world.queued(campaign, people)
    for person, number in zip(people, servers * 2, strict=True):
        world.reserve(number, 1)
        world.accepted(campaign, person, number)
    world.shown()
    page = client.get("/").text
    assert "Now 4 per minute; today 4 accepted" in seen(page)
    assert "Last 30 days: 4 accepted, 0 deferred, 0 failed." in page
    assert "<title>Wed 4 Mar: 4 accepted</title>" in page
