"""Campaigns that are poison to whoever composes them: theirs fail, and all others go out."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from proofs.attacked.house import House
from proofs.finding import Finding
from tests.installation import wait_until

PATIENCE = 90.0
POISONED, SPARED = "poisoned@attacked.example", "spared{}@attacked.example"
DEEP = "(" * 300
INJECTING = "é <a@b.example>,é,Bcc: victim@attacked.example, é"
OPEN = ("queued", "sending")


def attack(house: House) -> Iterator[Finding]:
    yield from _deep_names(house)
    yield _injected_headers(house)
    yield from _slow_campaign(house)


def _deep_names(house: House) -> Iterator[Finding]:
    spared = [(SPARED.format(n), f"Reader {n}") for n in range(20)]
    people = house.people("Deep", [(POISONED, DEEP), *spared])
    campaign = _start(house, "Deep", people, headers=[{"Reply-To": "{{ subscriber.name }} <r@example.com>"}])
    left = _left_open(house, campaign)
    sent = {item["subscriberEmail"] for item in house.items(campaign, "sent")}
    yield Finding("held_up_by_a_name", left, "deliveries left open", 0)
    missing = [address for address, _ in spared if address not in sent]
    yield Finding("not_sent_for_a_name", len(missing), "of 20 others", 0)


def _injected_headers(house: House) -> Finding:
    address = "injecting@attacked.example"
    people = house.people("Injecting", [(address, INJECTING)])
    campaign = _start(
        house, "Injecting", people, headers=[{"Reply-To": "{{ subscriber.name }} <r@example.com>"}]
    )
    _left_open(house, campaign)
    lines = [
        line
        for message in house.mail.messages_to(address)
        for line in message.partition(b"\r\n\r\n")[0].split(b"\r\n")
        if line.lower().startswith((b"bcc:", b"cc:"))
    ]
    return Finding("injected_headers", len(lines), "on the wire", 0, note=str(lines[:1]))


def _slow_campaign(house: House) -> Iterator[Finding]:
    """What it costs to send to ten people the most expensive text that is accepted, beside another."""
    for number, text in enumerate(SLOW):
        people = house.people(
            f"Slow {number}", [(f"slow{number}-{n}@attacked.example", "R") for n in range(5)]
        )
        given = {"name": f"Slow {number}", "lists": [people], "subject": "s", "content_type": "plain"}
        if house.everything.ask("POST", "/api/campaigns", {**given, "body": text}).status not in (200, 201):
            continue  # refused when it was written, which is as good
        campaign = house.ok("GET", "/api/campaigns?per_page=1&order_by=created_at&order=desc").data[
            "results"
        ][0]["id"]
        if house.everything.ask(
            "PUT", f"/api/campaigns/{campaign}/status", {"status": "running"}
        ).status not in (200, 201):
            continue
        before, began = house.accepted(), time.monotonic()
        _left_open(house, campaign)
        speed = (house.accepted() - before) / (time.monotonic() - began)
        yield Finding(f"others_beside_slow_{number}", speed, "e-mails a second", 100, "at least", text[:60])


SLOW = (
    "{{ range(99999)|list|unique|list|length }}",
    "{% for a in range(999) %}{% for b in range(999) %}{{ a * b }}{% endfor %}{% endfor %}",
    "{{ (range(99999)|list)|sort|length }}",
)


def _start(house: House, name: str, people: int, **fields: Any) -> int:
    campaign = house.draft(name, lists=[people], priority="high", **fields)
    house.ok("PUT", f"/api/campaigns/{campaign}/status", {"status": "running"})
    return campaign


def _left_open(house: House, campaign: int) -> int:
    """Deliveries that have not ended, and are held by nothing that was meant to hold them, when patience is
    at its end."""

    def has_ended() -> bool:
        found = house.ok("GET", f"/api/campaigns/{campaign}").data
        counts = found["counts"]
        return (found["status"] in ("finished", "paused", "cancelled") and not counts["sending"]) or (
            found["queueing_finished_at"] is not None and not any(counts[status] for status in OPEN)
        )

    try:
        wait_until(has_ended, PATIENCE)
    except AssertionError:
        return sum(len(house.items(campaign, status)) for status in OPEN)
    return 0
