"""A key does what its scope says, and an open session alone does not change what it was opened with."""

from __future__ import annotations

from collections.abc import Iterator

from proofs.attacked.house import PASSWORDS, House
from proofs.finding import Finding

LATER = "2099-03-06T08:00:00Z"


def attack(house: House) -> Iterator[Finding]:
    writing = house.program("read", "write")
    campaign = house.draft("Later", lists=[house.list], send_at=LATER)
    path = f"/api/campaigns/{campaign}"
    house.ok("PUT", f"{path}/status", {"status": "scheduled", "send_at": LATER})
    tries = {
        "moved": writing.ask("PUT", path, {"send_at": "2098-03-06T08:00:00Z"}),
        "rescheduled": writing.ask("PUT", f"{path}/status", {"status": "scheduled", "send_at": LATER}),
        "unscheduled": writing.ask("PUT", f"{path}/status", {"status": "draft"}),
        "deleted": writing.ask("DELETE", path),
        "cancelled": writing.ask("PUT", f"/api/campaigns/{house.campaign}/status", {"status": "cancelled"}),
        "paused": writing.ask("PUT", "/api/queue/pause", {"paused": True}),
    }
    done = [f"{name}: {answer}" for name, answer in tries.items() if answer.status != 403]
    yield Finding("write_without_send", len(done), "changes to what is sent", 0, note="; ".join(done))
    reading = house.program("read")
    tries = {
        "preview": reading.fill_in("/api/templates/preview", template_type="tx", body="x"),
        "campaign preview": reading.fill_in(f"/api/campaigns/{house.campaign}/preview", body="x"),
    }
    done = [f"{name}: {answer}" for name, answer in tries.items() if answer.status != 403]
    yield Finding("read_renders", len(done), "templates rendered", 0, note="; ".join(done))
    yield _without_a_password(house)


def _without_a_password(house: House) -> Finding:
    """Who finds the session of an admin open cannot make it their own."""
    browser = house.browser("ada")
    number = 1
    browser.post(f"/users/{number}", f"/users/{number}/password", password="mine from now on 77")
    browser.post(f"/users/{number}", f"/users/{number}/second-factor/remove")
    is_changed = house.browser().sign_in("ada", PASSWORDS["ada"]).status != 303
    return Finding("credentials_without_password", float(is_changed), "passwords changed", 0)
