"""Attacks on a running `postledger serve` that is sending: each has failed once, and must fail again.

What is attacked, with what and by whom is in `docs/security.md`. Everything here stands outside: it speaks
HTTP, SMTP and PostgreSQL's protocol, and uses no code of the product but its command line.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator

from proofs.attacked.house import house
from proofs.finding import Finding

NAMES = (
    "first_run",
    "secrets",
    "scopes",
    "signing_in",
    "public_links",
    "hostile_input",
    "connections",
    "templates",
    "composing",
    "database",
    "queries",
    "erasure",
    "exports",
    "readiness",
)
BEFORE_THE_FIRST_USER = ("first_run",)
LEAST_SPEED = 0.9
"""Of the speed without attacks."""


def run(names: list[str]) -> Iterator[Finding]:
    """All attacks, or those that are named."""
    wanted = names or list(NAMES)
    with house() as here:
        for name in BEFORE_THE_FIRST_USER:
            if name in wanted:
                yield from importlib.import_module(f"proofs.attacks.{name}").attack(here)
        here.settle_in()
        usual = here.speed_undisturbed()
        for name in wanted:
            if name not in BEFORE_THE_FIRST_USER:
                with here.attacked(name):
                    yield from importlib.import_module(f"proofs.attacks.{name}").attack(here)
        speed = here.speed_under_attack() / usual
        least = min(here.speeds, key=lambda name: here.speeds[name])
        yield Finding(
            "speed", speed, "of the usual speed", LEAST_SPEED, "at least",
            f"{usual:.0f} e-mails a second without attacks; least during {least}: {here.speeds[least]:.0f}",
        )  # fmt: skip
        yield Finding("still_running", here.restarts(), "restarts of a part of serve", 0)
