"""What everybody may open does only what the e-mail that led there allows, and nothing else opens with it."""

from __future__ import annotations

from collections.abc import Iterator

from proofs.attacked.client import ask
from proofs.attacked.house import House
from proofs.finding import Finding

PREFIXES = ("SCRIPT_NAME", "Script-Name", "X-Script-Name", "X-Forwarded-Prefix")
EVERY_CAMPAIGN = "00000000-0000-0000-0000-000000000000"


def attack(house: House) -> Iterator[Finding]:
    number = house.people("Left alone", [("stays@attacked.example", "Stays")])
    found = house.program("read").ask("GET", f"/api/subscribers?list_id={number}").data["results"][0]
    ask(house.port, "POST", f"/subscription/{EVERY_CAMPAIGN}/{found.get('uuid')}", b"", {})
    after = house.ok("GET", f"/api/subscribers/{found['id']}").data["lists"]
    left = [one for one in after if one["subscription_status"] == "unsubscribed"]
    yield Finding("taken_off_by_number", len(left), "lists", 0)
    tries = {
        f"{name} {path}": ask(house.port, "GET", f"/unsubscribe{path}", None, {name: "/unsubscribe"})
        for name in PREFIXES
        for path in ("/servers", "/sign-in", "/api/policy")
    }
    passed = [f"{name}: {answer}" for name, answer in tries.items() if answer.status != 404]
    yield Finding("passed_path_limit", len(passed), "pages", 0, note="; ".join(passed))
