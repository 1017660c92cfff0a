"""What the dashboard of a busy house costs the network, and that it keeps to its own server."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from tests.web.world import World

if TYPE_CHECKING:
    from playwright.sync_api import Page

MOST = 100_000
"""Bytes, headers and all, as they come over the wire."""


def weighed(page: Page) -> tuple[dict[str, str], dict[str, int], dict[str, int]]:
    """Addresses, bytes so far, and bytes of what has ended, by request, as they come to be known."""
    asked: dict[str, str] = {}
    received: defaultdict[str, int] = defaultdict(int)
    ended: dict[str, int] = {}
    network = page.context.new_cdp_session(page)
    network.send("Network.enable")
    network.send("Network.setCacheDisabled", {"cacheDisabled": True})

    def hear_end(event: dict[str, Any]) -> None:
        ended[event["requestId"]] = event["encodedDataLength"]

    def hear_part(event: dict[str, Any]) -> None:
        received[event["requestId"]] += event["encodedDataLength"]

    def ask(event: dict[str, Any]) -> None:
        asked[event["requestId"]] = event["request"]["url"]

    network.on("Network.requestWillBeSent", ask)
    network.on("Network.dataReceived", hear_part)
    network.on("Network.loadingFinished", hear_end)
    return asked, received, ended


def fill(world: World) -> None:
    """A hundred servers and twenty campaigns, with something of every kind to tell."""
    servers = [world.server(f"server-{n}", daily_limit=1000) for n in range(1, 101)]
    people = world.people(60)
    for number in range(20):
        campaign = world.campaign(f"The letter of the reading circle, number {number + 1}")
        world.queued(campaign, people)
        for place, person in enumerate(people[:3]):
            world.failed(campaign, person, servers[place], f"550 5.1.{place} No such user here")
        for place, person in enumerate(people[3:33]):
            world.accepted(campaign, person, servers[place])
    world.shown()


def test_the_first_look_at_the_dashboard_takes_less_than_a_hundred_kilobytes(
    page: Page, address: str, world: World, complaints: list[str]
) -> None:
    fill(world)
    asked, received, ended = weighed(page)
    page.goto("/")
    page.wait_for_selector('#link[data-state="live"]')
    assert page.locator("#live-servers li").count() == 100
    ending = {request for request, url in asked.items() if "/live?" not in url}
    while not ending <= ended.keys():
        page.evaluate("new Promise((done) => requestAnimationFrame(done))")
    sizes = {asked[request]: size for request, size in {**received, **ended}.items()}
    assert len(sizes) >= 6
    assert all(url.startswith(address) for url in asked.values())
    assert 10_000 < sum(sizes.values()) < MOST, sizes
    assert complaints == [], "an error in the console, or something that the page's own policy forbids"
