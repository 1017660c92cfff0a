"""How long a campaign will take, from the command line."""

from __future__ import annotations

from datetime import UTC, datetime

from tests.cli.command_line import Cli


def make_it_noon(cli: Cli) -> None:
    """Where the policy is: half an hour before midnight the next day's sending is soon enough, and no change
    is worth telling."""
    ahead = datetime.now(UTC).hour - 12
    cli("policy", "set", "--timezone", f"Etc/GMT{ahead:+d}")


def prepare(cli: Cli, daily_limit: int = 1) -> None:
    make_it_noon(cli)
    cli.add_people()
    cli(
        "server", "add", "alpha", "--host", "smtp.example.com", "--from-email", "news@example.com",
        "--daily-limit", daily_limit, "--no-password",
    )  # fmt: skip
    cli.add_campaign("Spring")


def test_the_estimate_tells_days_servers_and_what_would_change_it(cli: Cli) -> None:
    prepare(cli)
    told = cli.json("campaign", "estimate", "Spring")
    assert (told["recipients"], told["left"], told["bottleneck"]["code"]) == (2, 0, "daily")
    assert [(day["emails"], day["servers"]) for day in told["days"]] == [(1, {"alpha": 1})] * 2
    assert told["changes"][0]["amount"] == 1
    text = cli("campaign", "estimate", "Spring", "--servers").output
    for said in ("Completes tomorrow", "2 e-mails, the last one on", "alpha", "daily limits", "1 more a day"):
        assert said in text
    assert cli.json("campaign", "show", "Spring")["state"] == "draft"


def test_a_later_start_is_estimated_from_then_on(cli: Cli) -> None:
    prepare(cli)
    told = cli.json("campaign", "estimate", "Spring", "--send-at", "2099-03-06T07:00+00:00")
    assert told["finish"] is None
    assert told["left"] == 2


def test_without_a_server_it_says_so(cli: Cli) -> None:
    cli.add_people()
    cli.add_campaign("Spring")
    assert "There is no SMTP server" in cli("campaign", "estimate", "Spring").output


def test_starting_keeps_the_estimate(cli: Cli) -> None:
    prepare(cli)
    cli("campaign", "start", "Spring")
    event = cli.json("log", "tail", "--topic", "campaign.estimated")
    assert (event["state"]["recipients"], event["state"]["days"], event["state"]["by"]) == (2, 2, "cli")
