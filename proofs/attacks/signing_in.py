"""Nobody locks another out, nobody slows the others down, and no password that everybody knows is taken."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from proofs.attacked.client import Browser, HttpAnswer, ask
from proofs.attacked.house import PASSWORDS, House
from proofs.finding import Finding

GUESSES = 120
AT_ONCE = 64
COMMON = ("password1234", "qwertyuiop123", "123456789012", "iloveyou1234", "adaadaadaada")
NAMES = ("\0", "a\0b", "\x1b[31m", "\ud800".encode("utf-8", "surrogatepass").decode("latin-1"), "x" * 100_000)


def attack(house: House) -> Iterator[Finding]:
    yield from _many_at_once(house)
    yield _locked_out(house)
    taken = [password for n, password in enumerate(COMMON) if _is_taken(house, f"common{n}", password)]
    yield Finding("common_passwords", len(taken), "taken", 0, note=", ".join(taken))
    statuses = [house.browser().sign_in(name, "a password").status for name in NAMES]
    yield Finding("hostile_names", sum(status >= 500 for status in statuses), "internal errors", 0)


def guess(house: House, number: int, name: str) -> HttpAnswer:
    """Each from an address of its own, as attackers have them."""
    return Browser(house.port, source=f"127.0.1.{number + 1}").sign_in(name, f"guess {number}")


def _many_at_once(house: House) -> Iterator[Finding]:
    with ThreadPoolExecutor(AT_ONCE) as guessing:
        guesses = [guessing.submit(guess, house, n, f"nobody{n}") for n in range(AT_ONCE)]
        waits = []
        while not all(one.done() for one in guesses):
            waits.append(ask(house.port, "GET", "/healthz").seconds)
    yield Finding("health_while_signing_in", 1000 * max(waits, default=0), "ms, the longest", 1000)
    broken = [one.result() for one in guesses if one.result().status in (0, 500)]
    yield Finding("sign_ins_without_an_answer", len(broken), "of 64", 0, note=str(broken[:1]))


def _locked_out(house: House) -> Finding:
    """Wrong passwords for a name, then its own user, who has signed in from that browser before."""
    own = house.browser("otto")
    own.post("/", "/sign-out")
    with ThreadPoolExecutor(8) as guessing:
        list(guessing.map(lambda n: guess(house, n, "otto"), range(GUESSES)))
    own.sign_in("otto", PASSWORDS["otto"])
    return Finding("locked_out", float(not own.is_signed_in), "users", 0, note=f"{GUESSES} wrong passwords")


def _is_taken(house: House, name: str, password: str) -> bool:
    house.command(
        "user", "create", name, "--role", "auditor", "--password-file", "-", said=password, expects=None
    )
    return f'"{name}"' in house.command("user", "list", "--json")
