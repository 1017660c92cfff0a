"""A processor that does not get its work done is told of wherever people and programs look."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask.testing import FlaskClient

from domain.failing_jobs import ENOUGH, FailingJob
from storage import processors
from tests.web.pages.reading import seen
from tests.web.world import World

pytestmark = pytest.mark.usefixtures("planning_fails")


def note(world: World, failures: int) -> None:
    """As the heartbeat of a processor does whose planning has failed so often."""
    with world.pool.transaction() as cursor:
        now = processors.database_time(cursor)
        number = processors.register(cursor, "here", 1, now)
        job = FailingJob("send", failures, "ValueError", now - timedelta(minutes=2))
        assert processors.seen(cursor, number, now, [job])


@pytest.fixture
def planning_fails(world: World) -> None:
    world.server("alpha", daily_limit=10)
    world.queued(world.campaign(), world.people(1))
    world.shown()
    note(world, ENOUGH)


def test_an_e_mail_that_is_next_in_line_waits_for_the_processor(client: FlaskClient) -> None:
    (item,) = client.get("/api/queue/items").json["data"]["results"]
    assert item["waitingCode"] == "job_failing"
    assert item["waitingFor"].startswith(
        "a job of the processor keeps failing: planning failed 3 times since 20"
    )
    assert item["waitingFor"].endswith("(ValueError)")


def test_the_dashboard_says_it_first(client: FlaskClient) -> None:
    assert "A processor reports a failing job: planning failed 3 times since" in seen(client.get("/").text)


def test_readiness_is_degraded_and_stays_for_pages_and_links_work(client: FlaskClient) -> None:
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json["data"]["status"] == "degraded"
    (job,) = answer.json["data"]["failing"]
    assert (job["job"], job["failures"], job["error"]) == ("send", 3, "ValueError")


def test_one_failure_is_an_accident_and_told_to_nobody(client: FlaskClient, world: World) -> None:
    with world.pool.transaction() as cursor:
        cursor.execute("DELETE FROM processors")
    note(world, ENOUGH - 1)
    assert client.get("/readyz").json["data"]["status"] == "ready"
    (item,) = client.get("/api/queue/items").json["data"]["results"]
    assert item["waitingFor"] == "next in line"


def test_readiness_is_degraded_while_no_processor_lives(client: FlaskClient, world: World) -> None:
    with world.pool.transaction() as cursor:
        cursor.execute("UPDATE processors SET seen_at = clock_timestamp() - interval '33 s'")
    answer = client.get("/readyz")
    assert answer.status_code == 200
    told = answer.json["data"]
    assert (told["status"], told["processors"], told["failing"]) == ("degraded", 0, [])
