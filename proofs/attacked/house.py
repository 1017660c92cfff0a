"""What is attacked: `postledger serve` with users, keys of each scope and a campaign that is being sent."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import psycopg2

from proofs.attacked.client import Browser, HttpAnswer, Program
from proofs.attacked.mail_servers import MailServers
from tests.installation import Running, processes_of, wait_until

PEOPLE = 200_000
CONNECTIONS = 10
LATENCY = 0.05
"""Seconds that the servers take for each answer: they, not this machine, decide how fast e-mail goes out, as
it is with relays elsewhere. What an attack takes away shows all the same."""

UNDISTURBED = 15.0
SETTLING = 8.0
SCOPES = ("read", "write", "send", "configure", "administer")
PASSWORDS = {
    "ada": "a quiet harbour of 1843",
    "otto": "nine lamps on the pier",
    "aude": "grey owls read late",
}
ROLES = {"ada": "admin", "otto": "operator", "aude": "auditor"}

DATABASE = b"POSTLEDGER_DATABASE_URL="
ACCEPTED = """
    SELECT count(*) FILTER (WHERE topic = 'delivery.accepted'), coalesce(max(position), %(after)s)
    FROM events WHERE position > %(after)s
"""


class House:
    def __init__(self, running: Running, mail: MailServers) -> None:
        self.running = running
        self.mail = mail
        self.port = int(running.environment["POSTLEDGER_PORT"])
        self.keys: dict[str, str] = {}
        self.list = 0
        self.campaign = 0
        self.speeds: dict[str, float] = {}
        self._sent, self._seconds = 0, 0.0
        self._watch: Any = None
        self._position = self._accepted = 0

    @property
    def folder(self) -> Path:
        return self.running.folder

    @cached_property
    def database_url(self) -> str:
        """As the service itself signs in: what its pages were told when they were started."""
        for number, command in processes_of(self.folder).items():
            if " web" in command:
                told = Path(f"/proc/{number}/environ").read_bytes().split(b"\0")
                return next(one.partition(b"=")[2].decode() for one in told if one.startswith(DATABASE))
        raise LookupError("no process serves pages")

    @cached_property
    def owner_url(self) -> str:
        """For looking at what there is, which the service may not everywhere."""
        return (self.folder / "var" / "postgresql" / "url").read_text().strip()

    def command(self, *arguments: str, said: str = "", expects: int | None = 0) -> str:
        """What a `postledger` command prints. Raises RuntimeError when it ends with another code."""
        done = self._ran(arguments, said)
        if expects is not None and done.returncode != expects:
            raise RuntimeError(f"postledger {arguments[0]}: {done.stdout[-500:]} {done.stderr[-500:]}")
        return done.stdout

    def shown(self, *arguments: str) -> str:
        """All that a `postledger` command writes to a terminal, errors too, however it ends."""
        done = self._ran(arguments)
        return done.stdout + done.stderr

    def _ran(self, arguments: tuple[str, ...], said: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "postledger", *arguments],
            input=said, capture_output=True, text=True, cwd=self.folder, env=self.running.environment,
        )  # fmt: skip

    def anybody(self) -> Program:
        return Program(self.port)

    def program(self, *scopes: str) -> Program:
        """With a key of these scopes alone; one key each, since a key may ask only so often."""
        name = "-".join(scopes)
        if name not in self.keys:
            options = [part for scope in scopes for part in ("--scope", scope)]
            made = json.loads(self.command("api-key", "create", f"key{len(self.keys)}", *options, "--json"))
            self.keys[name] = made["key"]
        return Program(self.port, self.keys[name])

    @property
    def everything(self) -> Program:
        return self.program(*SCOPES)

    def browser(self, name: str | None = None) -> Browser:
        """Signed in as `name`. Raises RuntimeError when that is refused."""
        made = Browser(self.port)
        if name is not None:
            answer = made.sign_in(name, PASSWORDS[name])
            if not made.is_signed_in:
                raise RuntimeError(f"{name} could not sign in: {answer}")
        return made

    def settle_in(self) -> None:
        """Users, servers, people, and a campaign that is being sent."""
        for name, password in PASSWORDS.items():
            self.command("user", "create", name, "--role", ROLES[name], "--password-file", "-", said=password)
        for number, port in enumerate(self.mail.ports, 1):
            self.made("/api/servers", {
                "name": f"relay{number}", "host": "127.0.0.1", "port": port, "tls_type": "none",
                "from_email": f"News <news@relay{number}.example.com>", "max_conns": CONNECTIONS,
            })  # fmt: skip
        rows = "".join(f"reader{n}@example.com,Reader {n},{{}}\n" for n in range(PEOPLE))
        self.command(
            "recipients", "import", "-", "--list", "Everybody", "--status", "confirmed",
            said="email,name,attributes\n" + rows,
        )  # fmt: skip
        self.list = self.ok("GET", "/api/lists").data["results"][0]["id"]
        self.campaign = self.draft("Steady", lists=[self.list])
        self.ok("PUT", f"/api/campaigns/{self.campaign}/status", {"status": "running"})
        self._watch = psycopg2.connect(self.owner_url)
        self._watch.autocommit = True
        wait_until(lambda: self.accepted() > CONNECTIONS * len(self.mail.ports))

    def draft(self, name: str, **fields: Any) -> int:
        """The number of a new campaign."""
        given = {
            "name": name, "subject": "Hello", "body": "Hello", "content_type": "plain", **fields,
        }  # fmt: skip
        return int(self.made("/api/campaigns", given)["id"])

    def made(self, path: str, given: Any) -> Any:
        return self.ok("POST", path, given).data

    def ok(self, method: str, path: str, given: Any = None) -> HttpAnswer:
        answer = self.everything.ask(method, path, given)
        if answer.status not in (200, 201):
            raise RuntimeError(f"{method} {path}: {answer}")
        return answer

    def people(self, list_name: str, rows: list[tuple[str, str]]) -> int:
        """The number of a new list with these (address, name)."""
        number = int(self.made("/api/lists", {"name": list_name, "type": "private", "optin": "single"})["id"])
        for address, name in rows:
            person = {"email": address, "name": name, "status": "enabled", "lists": [number]}
            self.made("/api/subscribers", {**person, "preconfirm_subscriptions": True})
        return number

    def items(self, campaign: int, status: str) -> list[dict[str, Any]]:
        path = f"/api/queue/items?campaign_id={campaign}&status={status}&per_page=all"
        return list(self.ok("GET", path).data["results"])

    def deferred(self, campaign: int) -> list[dict[str, Any]]:
        """Those that a server has put off."""
        return [one for one in self.items(campaign, "queued") if one["errorMessage"]]

    def accepted(self) -> int:
        """E-mails that servers have taken so far, by the log."""
        with self._watch.cursor() as cursor:
            cursor.execute(ACCEPTED, {"after": self._position})
            more, self._position = cursor.fetchone()
        self._accepted += more
        return self._accepted

    def speed_undisturbed(self) -> float:
        """E-mails a second, once queueing is over."""
        time.sleep(SETTLING)
        before, began = self.accepted(), time.monotonic()
        time.sleep(UNDISTURBED)
        return (self.accepted() - before) / (time.monotonic() - began)

    @contextmanager
    def attacked(self, name: str) -> Iterator[None]:
        before, began = self.accepted(), time.monotonic()
        yield
        sent, seconds = self.accepted() - before, time.monotonic() - began
        self.speeds[name] = sent / seconds
        self._sent += sent
        self._seconds += seconds

    def speed_under_attack(self) -> float:
        return self._sent / self._seconds

    def restarts(self) -> int:
        return sum("start" in line and "again" in line for line in self.running.said)


@contextmanager
def house() -> Iterator[House]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="postledger-proof-")))
        mail = stack.enter_context(MailServers(folder / "mail", LATENCY))
        running = stack.enter_context(Running(folder, "serve"))
        running.wait_until_ready()
        yield House(running, mail)
