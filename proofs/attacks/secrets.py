"""Kept passwords go nowhere but where they were meant for."""

from __future__ import annotations

from collections.abc import Iterator

from postledger.sink.sink import Sink
from proofs.attacked.house import House
from proofs.finding import Finding

PASSWORD = "harbour-lights-62"
RELAY = {"host": "127.0.0.1", "tls_type": "none", "auth_protocol": "plain", "username": "news"}


def attack(house: House) -> Iterator[Finding]:
    yield from _kept_passwords(house)


def _kept_passwords(house: House) -> Iterator[Finding]:
    """An operator points a server elsewhere, to where it is heard what is said."""
    with Sink(users={"news": PASSWORD}) as right, Sink(users={"news": "another"}) as wrong:
        server = house.made("/api/servers", {
            "name": "with-password", "from_email": "News <news@kept.example.com>", "port": right.port,
            "password": PASSWORD, "enabled": False, **RELAY,
        })  # fmt: skip
        configuring = house.program("configure")
        moved = configuring.ask("PUT", f"/api/servers/{server['id']}", {"port": wrong.port})
        tested = configuring.ask(
            "POST", "/api/settings/smtp/test",
            {"uuid": server["uuid"], "port": wrong.port, "name": "with-password", "email": "a@example.com",
             "from_email": "News <news@kept.example.com>", **RELAY},
        )  # fmt: skip
        form = {
            "port": str(wrong.port), "name": "with-password", "from_email": "news@kept.example.com",
            "password": "", "number": str(server["id"]), **RELAY,
        }  # fmt: skip
        page = house.browser("otto").post("/servers/new", "/servers/test", **form)
        yield Finding(
            "passwords_told_elsewhere", wrong.connections, "connections to where the password is not for", 0,
            note=f"moved: {moved.status}, tested: {tested}, page: {page.status}",
        )  # fmt: skip
