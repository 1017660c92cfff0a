"""The queue from the command line: what waits and why, what happened, and stepping in."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from application.queue import waits
from domain.campaign.audience import RecipientsQueued
from domain.capacity.capacity import Reserved
from domain.delivery.delivery import Accepted, AttemptStarted, Deferred, Failed
from domain.fact import Fact
from domain.streams import audience_stream, capacity_stream, delivery_stream
from storage import processors
from storage.log.append import Log
from storage.postgres.pool import Pool
from tests.cli.command_line import Cli


class Past:
    """What a processor would have recorded: ada's e-mail failed, bob's still waits."""

    def __init__(self, cli: Cli, pool: Pool) -> None:
        self._log = Log(pool)
        self._pool = pool
        self.start_processor()
        cli.add_server("alpha")
        cli.add_people()
        self.campaign = cli.add_campaign()
        cli("campaign", "start", self.campaign)
        self.ada = int(cli.json("recipients", "show", "ada@example.com")["number"])
        self.bob = int(cli.json("recipients", "show", "bob@example.com")["number"])
        self.queued(self.campaign)
        self.attempt(self.ada, 1)
        self.failed(self.ada, 2)

    def queued(self, campaign: int) -> None:
        ranges = [[number, number] for number in sorted((self.ada, self.bob))]
        self._happened(RecipientsQueued, audience_stream(campaign), 1, ranges=ranges, count=2)

    def start_processor(self) -> None:
        with self._pool.transaction() as cursor:
            self._processor = processors.register(cursor, "here", 1, processors.database_time(cursor))

    def stop_processor(self) -> None:
        with self._pool.transaction() as cursor:
            processors.fence(cursor, self._processor)

    def attempt(self, recipient: int, version: int) -> None:
        self._to(recipient, AttemptStarted, version, server=1, reservation=1)

    def failed(self, recipient: int, version: int) -> None:
        reply = "550 5.1.1 no such user <recipient>"
        self._to(recipient, Failed, version, server=1, reply=reply, about="recipient")

    def deferred(self, recipient: int, version: int) -> None:
        again = datetime.now(UTC).timestamp() + 3600
        self._to(
            recipient, Deferred, version, server=1, reply="450 4.2.0 later", about="recipient", again=again
        )

    def accepted(self, recipient: int, version: int) -> None:
        self._to(recipient, Accepted, version, server=1, reply="250 ok")

    def reserved(self, version: int) -> None:
        today = datetime.now(UTC)
        self._happened(
            Reserved, capacity_stream(1), version, n=1, day=today.date().isoformat(), until=today.timestamp()
        )

    def _to(self, recipient: int, kind: type[Fact], version: int, **fields: Any) -> None:
        self._happened(kind, delivery_stream(self.campaign, recipient), version, **fields)

    def _happened(self, kind: type[Fact], stream: UUID, version: int, **fields: Any) -> None:
        fact = kind(originator_id=stream, originator_version=version, by="test", **fields)
        self._log.append([fact.stored()])


@pytest.fixture
def past(cli: Cli, pool: Pool) -> Past:
    return Past(cli, pool)


def counts(cli: Cli) -> dict[str, int]:
    return {name: n for name, n in cli.json("queue", "stats").items() if n and name != "nextScheduledAt"}


def test_counts_and_items_show_what_the_log_says(cli: Cli, past: Past) -> None:
    assert counts(cli) == {"queued": 1, "failed": 1}
    found = cli.json("queue", "items")
    assert found["total"] == 2
    (failed,) = cli.json("queue", "items", "--status", "failed", "--server", "alpha", "--campaign", "Spring")[
        "results"
    ]
    assert (failed["subscriberEmail"], failed["attempts"]) == ("ada@example.com", 1)
    assert failed["errorMessage"] == "550 5.1.1 no such user <recipient>"
    table = cli("queue", "items", "--subscriber", "bob@example.com").output
    assert f"{past.campaign}/{past.bob}" in table
    assert "ada@" not in table
    assert cli.json("queue", "items", "--subscriber", "example.com")["total"] == 2
    assert cli.json("queue", "items", "--recipient", past.ada)["total"] == 1


def test_why_says_what_an_email_waits_for(cli: Cli, past: Past) -> None:
    email = f"{past.campaign}/bob@example.com"
    assert cli("queue", "why", email).output == "queued: next in line\n"
    past.stop_processor()
    assert cli("queue", "why", email).output == "queued: no processor is running\n"
    past.start_processor()
    cli("server", "disable", "alpha")
    assert cli.json("queue", "why", email)["waitingFor"] == "server alpha: disabled"
    cli("campaign", "pause", past.campaign, "--reason", "lunch")
    assert "the campaign is paused: lunch" in cli("queue", "why", (past.campaign << 32) + past.bob).output
    assert "no such user" in cli("queue", "why", f"Spring/{past.ada}").output


def test_why_names_campaigns_of_higher_priority(cli: Cli, past: Past) -> None:
    urgent = cli.add_campaign("Alarm", "--priority", "high")
    cli("campaign", "start", urgent)
    past.queued(urgent)
    waiting = cli("queue", "why", f"{past.campaign}/bob@example.com").output
    assert waiting == "queued: campaigns of higher priority go first\n"
    assert cli("queue", "why", f"{urgent}/bob@example.com").output == "queued: next in line\n"


def test_a_failed_email_is_tried_again_and_its_story_told(cli: Cli, past: Past) -> None:
    email = f"{past.campaign}/ada@example.com"
    assert cli.json("queue", "retry", email) == {"changed": 1, "outrun": 0}
    assert counts(cli) == {"queued": 2}
    story = cli.json("delivery", "show", email)
    assert [event["topic"] for event in story["events"]] == [
        "delivery.attempt_started", "delivery.failed", "delivery.requeued",
    ]  # fmt: skip
    assert story["events"][2]["by"] == "cli"
    assert [wait["code"] for wait in story["waits"]][-1] == "next_in_line"
    text = cli("delivery", "show", email).output
    assert "no such user" in text
    assert "delivery.requeued" in text
    assert "waited" in text


def test_a_story_tells_what_happened_before_what_was_waited_for_then(cli: Cli, past: Past) -> None:
    """And leaves out that an e-mail was next in line for a moment, as the page does."""
    past.attempt(past.bob, 1)
    past.deferred(past.bob, 2)
    email = f"{past.campaign}/bob@example.com"
    waits = cli.json("delivery", "show", email)["waits"]
    assert [wait["code"] for wait in waits] == ["retry"]
    text = cli("delivery", "show", email).output
    assert "next in line" not in text
    assert text.index("delivery.deferred") < text.index("waited")


def test_a_story_says_what_it_cannot_tell(cli: Cli, past: Past, monkeypatch: pytest.MonkeyPatch) -> None:
    email = f"{past.campaign}/bob@example.com"
    cli("server", "edit", "alpha", "--daily-limit", 1000)
    past.reserved(1)
    assert "Too much" not in cli("delivery", "show", email).output
    monkeypatch.setattr(waits, "MOST_RESERVATIONS", 1)
    past.reserved(2)
    told = cli.json("delivery", "show", email)
    assert told["waits"]
    assert told["waitsNotTold"].startswith("Too much happened meanwhile to tell what it waited for after 20")
    assert cli("delivery", "show", email).output.endswith(f"{told['waitsNotTold']}\n")


def test_all_failed_emails_of_a_campaign_are_tried_again_together(cli: Cli, past: Past) -> None:
    past.attempt(past.bob, 1)
    past.failed(past.bob, 2)
    assert counts(cli) == {"failed": 2}
    assert cli.json("queue", "retry", "--campaign", "Spring")["changed"] == 2
    assert counts(cli) == {"queued": 2}
    assert cli.json("queue", "retry", "--campaign", "Spring", "--status", "unknown")["changed"] == 0


def test_an_email_that_waits_can_be_cancelled_and_one_on_its_way_cannot(cli: Cli, past: Past) -> None:
    email = f"{past.campaign}/{past.bob}"
    cli("queue", "cancel", email)
    assert counts(cli) == {"failed": 1, "cancelled": 1}
    cli("queue", "retry", email)
    past.attempt(past.bob, 3)
    assert "is sending" in cli.error("queue", "cancel", email)
    past.accepted(past.bob, 4)
    assert "is sent" in cli.error("queue", "retry", email)
    assert counts(cli) == {"failed": 1, "sent": 1}


def test_of_a_cancelled_campaign_nothing_is_tried_again(cli: Cli, past: Past) -> None:
    cli("campaign", "cancel", past.campaign, "--yes")
    assert counts(cli) == {"failed": 1, "cancelled": 1}
    assert "cancelled" in cli.error("queue", "retry", "--campaign", past.campaign)
    assert "cancelled" in cli.error("queue", "retry", f"{past.campaign}/{past.ada}")


def test_what_names_no_email_is_refused(cli: Cli, past: Past) -> None:
    assert "CAMPAIGN/RECIPIENT" in cli.error("queue", "why", "nonsense")
    assert "there is no subscriber" in cli.error("queue", "why", f"{past.campaign}/nobody@example.com")
    assert "no such e-mail" in cli.error("queue", "why", "1")
    assert "name e-mails" in cli.error("queue", "retry", exit_code=2)
