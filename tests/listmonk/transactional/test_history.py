"""Transactional messages in histories, lists and projections."""

from __future__ import annotations

from flask import Flask

from postledger.sink.sink import Sink
from projections.following.check import check
from tests.listmonk.client import Listmonk
from tests.listmonk.transactional.messages import arrived, campaigns
from tests.sending.world import World


def test_a_message_has_a_story_like_any_other(
    world: World, listmonk: Listmonk, sink: Sink, app: Flask, order: int, ann: int
) -> None:
    listmonk.post("/api/tx", {"subscriber_id": ann, "template_id": order})
    arrived(world, sink)
    (item,) = listmonk.get("/api/queue/items", subscriber=ann)["results"]
    assert (item["priority"], item["subscriberEmail"], item["status"]) == ("high", "ann@example.com", "sent")
    story = listmonk.get(f"/api/deliveries/{item['id']}")
    assert [event["type"].split(".", 2)[2] for event in story["events"]] == [
        "delivery.attempt_started.v1",
        "delivery.accepted.v1",
    ]
    client = app.test_client()
    page = client.get(f"/queue/{item['id']}").text
    assert f'href="/subscribers/{ann}"' in page
    assert "Queued" in page
    assert "1 of 1" in client.get("/campaigns?kind=transactional").text
    assert client.get(f"/campaigns/{item['campaignId']}").status_code == 200
    assert (
        "Your order" in client.get(f"/subscribers/{ann}").text
        or "Order" in client.get(f"/subscribers/{ann}").text
    )


def test_lists_of_campaigns_do_not_show_them(
    world: World, listmonk: Listmonk, app: Flask, order: int, ann: int
) -> None:
    for _ in range(3):
        listmonk.post("/api/tx", {"subscriber_id": ann, "template_id": order})
    world.runner.catch_up()
    assert listmonk.get("/api/campaigns")["total"] == 0
    assert listmonk.get("/api/campaigns/running/stats") == []
    assert listmonk.get("/api/dashboard/counts")["campaigns"]["total"] == 0
    assert "No campaign yet" in app.test_client().get("/campaigns").text
    assert len(campaigns(world)) == 1
    assert world.counts() == {"queued": 3}


def test_a_pause_holds_messages_and_a_cancel_is_for_those_that_were_asked_for(
    world: World, listmonk: Listmonk, sink: Sink, order: int, ann: int
) -> None:
    body = {"subscriber_id": ann, "template_id": order}
    listmonk.post("/api/tx", body)
    (first,) = campaigns(world)
    world.application.pause(first, by="test", reason="wait")
    listmonk.post("/api/tx", body)
    assert world.counts() == {"queued": 2}
    world.application.cancel(first, by="test", reason="never mind")
    listmonk.post("/api/tx", body)
    assert len(arrived(world, sink)) == 1
    assert world.counts() == {"sent": 1, "cancelled": 2}
    assert len(campaigns(world)) == 2


def test_projections_are_the_same_when_made_again(
    world: World, listmonk: Listmonk, sink: Sink, order: int, ann: int
) -> None:
    for _ in range(60):
        listmonk.post("/api/tx", {"subscriber_id": ann, "template_id": order})
    arrived(world, sink, 60)
    world.runner.catch_up()
    assert check(world.pool) == []
