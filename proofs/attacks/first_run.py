"""Before there are users: whoever comes through a proxy on the same machine is not this machine."""

from __future__ import annotations

from collections.abc import Iterator

from proofs.attacked.client import Browser
from proofs.attacked.house import House
from proofs.finding import Finding

SIGNS = {
    "X-Forwarded-For": "203.0.113.9",
    "Forwarded": "for=203.0.113.9",
    "Via": "1.1 proxy.example.com",
    "X-Real-IP": "203.0.113.9",
    "X-Forwarded-Host": "post.example.com",
    "X-Forwarded-Proto": "https",
    "X_Forwarded_For": "203.0.113.9",
    "X-Azure-ClientIP": "203.0.113.9",
    "CDN-Loop": "cloudflare",
    "CF-Visitor": '{"scheme":"https"}',
    "Tailscale-User-Login": "someone@example.com",
    "X-Not-Invented-Yet": "1",
}
PATHS = ("/users", "/servers", "/settings", "/api/servers", "/api/policy")


def attack(house: House) -> Iterator[Finding]:
    opened = [
        f"{sign} {path}"
        for sign, value in SIGNS.items()
        for path in PATHS
        if Browser(house.port, headers={sign: value}).get(path).status == 200
    ]
    yield Finding("admin_by_proxy", len(opened), "pages shown", 0, note=", ".join(opened[:3]))
    at_this_machine = Browser(house.port).get("/servers").status
    yield Finding("admin_at_this_machine", float(at_this_machine == 200), "pages shown", 1, "at least")
