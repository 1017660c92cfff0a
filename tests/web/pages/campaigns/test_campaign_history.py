"""What projections say of one campaign: replies counted together, its split by server, its history."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from projections import campaign_history, campaign_refusals
from projections.following import check
from projections.following.rebuild import rebuild
from tests.web.world import NOON, World


def ask(world: World, question: Any, *about: Any) -> Any:
    world.shown()
    with world.pool.transaction() as cursor:
        return question(cursor, *about)


def troubled(world: World) -> tuple[int, int]:
    """(alpha, beta): campaign 1 with replies of three wordings, campaign 2 with one of them."""
    alpha, beta, people = world.server("alpha"), world.server("beta"), world.people(5)
    for _ in range(2):
        world.queued(world.campaign(), people)
    world.failed(1, people[0], alpha, "550 5.1.1 No such user u17")
    world.failed(1, people[1], beta, "550 5.1.1 No such user u18")
    world.deferred(1, people[2], alpha, NOON + timedelta(hours=1))
    world.unknown(1, people[3], beta)
    world.accepted(1, people[4], alpha)
    world.failed(2, people[0], alpha, "550 5.1.1 No such user u19")
    return alpha, beta


def test_replies_that_are_alike_are_counted_together_for_each_campaign(world: World) -> None:
    troubled(world)
    told = [(one.n, one.outcome, one.wording) for one in ask(world, campaign_refusals.replies, 1)]
    assert told[0] == (2, "failed", "550 5.1.1 No such user …")
    assert sorted(told[1:]) == [(1, "queued", "450 4.2.1 Try later"), (1, "unknown", "the processor died")]
    assert [one.n for one in ask(world, campaign_refusals.replies, 2)] == [1]


def test_a_rebuild_comes_to_the_same_replies(world: World) -> None:
    troubled(world)
    before = ask(world, campaign_refusals.replies, 1)
    assert check.check(world.pool) == []
    rebuild(world.pool, ["campaign_refusals"])
    assert ask(world, campaign_refusals.replies, 1) == before


def test_the_split_by_server_counts_by_the_last_one_tried(world: World) -> None:
    alpha, beta = troubled(world)
    split = ask(world, campaign_history.by_server, 1)
    of = {server: {status: n for status, n in counts.items() if n} for server, counts in split.items()}
    assert of == {alpha: {"queued": 1, "sent": 1, "failed": 1}, beta: {"failed": 1, "unknown": 1}}


def test_the_history_is_newest_first_and_says_who(world: World) -> None:
    world.campaign()
    world.application.start(1, by="user:ines")
    world.application.pause(1, reason="A wrong link", by="user:tom")
    events = ask(world, campaign_history.history, 1)
    assert [(event.topic, event.by) for event in events] == [
        ("campaign.paused", "user:tom"), ("campaign.started", "user:ines"), ("campaign.created", "test"),
    ]  # fmt: skip
    assert events[0].state["reason"] == "A wrong link"
    assert ask(world, campaign_history.last_estimate, 1) is None
