"""People who are poison to whoever composes for them: their e-mails fail, and all others go out.

What would be refused by the checks before a start comes in after them, as it does when people change their
data while a campaign waits.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from proofs.attacked.house import House
from proofs.finding import Finding
from tests.installation import wait_until

PATIENCE = 90.0
SOON = timedelta(seconds=6)
OPEN = ("queued", "sending")
ENDED = ("finished", "paused", "cancelled")
REPLY_TO = [{"Reply-To": "{{ subscriber.name }} <r@example.com>"}]
DEEP = "(" * 300
INJECTING = "é <a@b.example>,é,Bcc: victim@attacked.example, é"
SLOW = (
    "{% for a in range(n) %}{% for b in range(n) %}{{ a * b }}{% endfor %}{% endfor %}",
    "{{ range(n)|list|unique|list|sort|list|length }}{{ ('ab' * n * 9)|trim('ab' * n) }}",
    "{% for a in range(n) %}{{ ('f' * n)|int(0, 16) % 7 }}{% endfor %}",
)


def attack(house: House) -> Iterator[Finding]:
    yield from _deep_names(house)
    yield _injected_headers(house)
    for number, text in enumerate(SLOW):
        yield _slow_campaign(house, f"slow{number}", text)


def _deep_names(house: House) -> Iterator[Finding]:
    campaign = _poisoned(house, "deep", {"name": DEEP}, headers=REPLY_TO)
    yield Finding("held_up_by_a_name", _left_open(house, campaign), "deliveries left open", 0)
    sent = {item["subscriberEmail"] for item in house.items(campaign, "sent")}
    missing = [address for address in _spared("deep") if address not in sent]
    yield Finding("not_sent_for_a_name", len(missing), "of 20 others", 0)
    failed = [item["errorMessage"] or "" for item in house.items(campaign, "failed")]
    yield Finding("failed_with_a_reason", sum(map(bool, failed)), "of 1", 1, "at least", "; ".join(failed))


def _injected_headers(house: House) -> Finding:
    campaign = _poisoned(house, "injecting", {"name": INJECTING}, headers=REPLY_TO)
    _left_open(house, campaign)
    lines = [
        line
        for address in (_poison("injecting"), *_spared("injecting"))
        for message in house.mail.messages_to(address)
        for line in message.partition(b"\r\n\r\n")[0].split(b"\r\n")
        if line.lower().startswith((b"bcc:", b"cc:"))
    ]
    return Finding("injected_headers", len(lines), "on the wire", 0, note=str(lines[:1]))


def _slow_campaign(house: House, name: str, text: str) -> Finding:
    body = "{% set n = subscriber.attributes.n|int %}" + text
    campaign = _poisoned(house, name, {"attribs": {"n": 9999}}, everybody=True, body=body)
    left = _left_open(house, campaign)
    status = house.ok("GET", f"/api/campaigns/{campaign}").data["status"]
    return Finding(f"held_up_by_{name}", left, "deliveries left open", 0, note=f"{status}: {text[:60]}")


def _poisoned(
    house: House, name: str, poison: dict[str, Any], *, everybody: bool = False, **fields: Any
) -> int:
    """A campaign to 21 people that will begin, one or all of whom change as it is about to."""
    people = house.people(name, [(_poison(name), "R"), *((each, "R") for each in _spared(name))])
    found = house.ok("GET", f"/api/subscribers?list_id={people}&per_page=all").data["results"]
    for each in found:
        house.ok("PATCH", f"/api/subscribers/{each['id']}", {"attribs": {"n": 1}})
    campaign = house.draft(name, lists=[people], priority="high", **fields)
    at = (datetime.now(UTC) + SOON).isoformat()
    house.ok("PUT", f"/api/campaigns/{campaign}/status", {"status": "scheduled", "send_at": at})
    for each in found:
        if everybody or each["email"] == _poison(name):
            house.ok("PATCH", f"/api/subscribers/{each['id']}", poison)
    return campaign


def _poison(name: str) -> str:
    return f"{name}@attacked.example"


def _spared(name: str) -> list[str]:
    return [f"{name}-spared{n}@attacked.example" for n in range(20)]


def _left_open(house: House, campaign: int) -> int:
    """Deliveries that have not ended when patience has, of a campaign that did not pause itself."""

    def has_ended() -> bool:
        found = house.ok("GET", f"/api/campaigns/{campaign}").data
        counts = found["counts"]
        is_queued = found["queueing_finished_at"] is not None
        return (found["status"] in ENDED and not counts["sending"]) or (
            is_queued and not any(counts[status] for status in OPEN)
        )

    try:
        wait_until(has_ended, PATIENCE)
    except AssertionError:
        return sum(len(house.items(campaign, status)) for status in OPEN)
    return 0
