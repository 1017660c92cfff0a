"""Campaigns from the command line, right at once even when no processor runs."""

from __future__ import annotations

import re

import pytest

from postledger.sink.sink import Sink
from tests.cli.command_line import Cli


def state(cli: Cli, name: str = "Spring") -> str:
    return str(cli.json("campaign", "show", name)["state"])


def test_a_new_campaign_is_in_the_list_at_once(cli: Cli) -> None:
    cli.add_people()
    number = cli.add_campaign("Spring", "--priority", "high", "--header", "X-Mailer: {{ campaign.name }}")
    (listed,) = cli.json("campaign", "list")
    assert (listed["number"], listed["name"], listed["state"], listed["priority"]) == (
        number,
        "Spring",
        "draft",
        "high",
    )
    assert "Spring" in cli("campaign", "list").output
    shown = cli.json("campaign", "show", number)
    assert (shown["subject"], shown["messenger"], shown["headers"]) == (
        "Hello", "automatic", [["X-Mailer", "{{ campaign.name }}"]],
    )  # fmt: skip
    assert [one["name"] for one in shown["lists"]] == ["Friends"]


def test_subject_and_bodies_come_from_files(cli: Cli) -> None:
    cli.add_people()
    subject = cli.file("subject.txt", "\ufeffFür {{ subscriber.name }}\n")
    html = cli.file("letter.html", "<p>Dear {{ subscriber.name }}</p>")
    cli("campaign", "create", "--name", "Spring", "--list", "Friends", "--subject", subject, "--html", html)
    preview = cli.json("campaign", "preview", "Spring", "--to", "ada@example.com")
    assert ["Subject", "Für Ada"] in preview["headers"]
    assert preview["html"].strip() == "<p>Dear Ada</p>"
    assert "plain" not in preview


def test_a_preview_shows_what_a_recipient_would_get_from_a_server(cli: Cli) -> None:
    cli.add_people()
    cli.add_server("alpha")
    cli.add_campaign(body="Dear {{ subscriber.name }}\n.\n.. bye")
    text = cli("campaign", "preview", "Spring", "--to", "bob@example.com", "--server", "alpha").output
    assert "From: news@alpha.example" in text
    assert "Dear Bob\n.\n.. bye" in text
    assert "\r\n.\r\n..\x20bye" in cli("campaign", "preview", "Spring", "--raw").stdout_bytes.decode()


def test_a_test_e_mail_goes_to_addresses_from_a_file(cli: Cli) -> None:
    cli.add_people()
    cli.add_campaign(body="Dear {{ subscriber.name }}")
    with Sink() as sink:
        cli.add_server("alpha", "--port", sink.port, "--tls-type", "none")
        addresses = cli.file("addresses", "ada@example.com\nboss@example.org\n")
        sent = cli.json("campaign", "test", "Spring", "--addresses", addresses, "--like", "bob@example.com")
        assert [(one["address"], one["outcome"], one["server"]) for one in sent] == [
            ("ada@example.com", "accepted", "alpha"), ("boss@example.org", "accepted", "alpha"),
        ]  # fmt: skip
        cli("campaign", "test", "Spring", "--addresses", "-", stdin="boss@example.org")
        letters = [one.message for one in sink.messages]
    assert [b"Dear Ada" in letters[0], b"Dear Bob" in letters[1], len(letters)] == [True, True, 3]


def test_a_test_e_mail_that_is_not_accepted_is_a_failure(cli: Cli) -> None:
    cli.add_people()
    cli.add_campaign()
    assert "is not an e-mail address" in cli.error(
        "campaign", "test", "Spring", "--addresses", cli.file("wrong", "ada")
    )
    told = cli("campaign", "test", "Spring", "--addresses", cli.file("one", "a@example.org"), exit_code=1)
    assert "no server has capacity left for it" in told.stdout
    assert "1 of 1 test e-mails were not accepted" in told.stderr


def test_a_campaign_is_shown_with_how_its_texts_begin(cli: Cli) -> None:
    cli.add_people()
    cli.add_campaign(body="Dear {{ subscriber.name }},\n\n" + "all the news of spring. " * 10)
    shown = cli("campaign", "show", "Spring").output
    assert "Dear {{ subscriber.name }}, all the news of spring. all the … (269 characters)" in shown
    (hash,) = {cli.json("campaign", "show", "Spring")["text"]}
    assert re.fullmatch("[0-9a-f]{64}", hash)
    assert hash not in shown


def test_names_that_are_not_defined_are_found_before_the_start(cli: Cli) -> None:
    cli.add_people()
    cli.add_campaign(body="Greetings to {{ subscriber.attributes.city }}")
    error = cli.error("campaign", "start", "Spring")
    assert "city" in error
    assert "London" not in error
    assert state(cli) == "draft"
    cli("campaign", "start", "Spring", "--skip-check")
    assert state(cli) == "running"


def test_a_campaign_goes_through_its_life(cli: Cli) -> None:
    cli.add_people()
    cli.add_campaign()
    for command, becomes in [("start", "running"), ("pause", "paused"), ("resume", "running")]:
        assert cli.json("campaign", command, "Spring")["state"] == becomes
    error = cli.error("campaign", "resume", "Spring")
    assert "a running campaign cannot be resumed" in error
    cli("campaign", "cancel", "Spring", stdin="n\n", exit_code=1)
    cancelled = cli.json("campaign", "cancel", "Spring", "--yes", "--reason", "rain")
    assert (cancelled["state"], cancelled["reason"]) == ("cancelled", "rain")
    assert "cancelled" in cli.error("campaign", "start", "Spring")


def test_why_a_campaign_goes_on_or_is_moved_up_is_in_the_log(cli: Cli) -> None:
    cli.add_people()
    cli.add_campaign()
    for command in ("start", "pause"):
        cli("campaign", command, "Spring")
    assert cli.json("campaign", "resume", "Spring", "--reason", "all is well")["reason"] is None
    cli("campaign", "edit", "Spring", "--priority", "high", "--reason", "it is late")
    told = cli("log", "tail", "--json").stdout
    assert "all is well" in told
    assert "it is late" in told
    misplaced = ("campaign", "edit", "Spring", "--name", "Summer", "--reason", "why not")
    assert "--reason goes with --priority alone" in cli.error(*misplaced, exit_code=2)


def test_a_draft_can_be_edited_and_a_running_campaign_only_be_moved_up(cli: Cli) -> None:
    cli.add_people()
    cli.add_campaign()
    cli("campaign", "edit", "Spring", "--name", "Summer", "--subject-line", "Hot")
    assert cli.json("campaign", "show", "Summer")["subject"] == "Hot"
    cli("campaign", "start", "Summer")
    assert "running campaign cannot be edited" in cli.error(
        "campaign", "edit", "Summer", "--subject-line", "Cold"
    )
    assert cli.json("campaign", "edit", "Summer", "--priority", "low")["priority"] == "low"
    assert "nothing to change" in cli.error("campaign", "edit", "Summer", exit_code=2)


def test_a_time_without_offset_is_in_the_policys_time_zone(cli: Cli) -> None:
    cli("policy", "set", "--timezone", "America/New_York")
    cli.add_people()
    cli.add_campaign("Spring", "--send-at", "2099-07-01T07:00")
    shown = cli.json("campaign", "show", "Spring")
    assert (shown["state"], shown["send_at"]) == ("scheduled", "2099-07-01T11:00:00+00:00")
    cli("campaign", "unschedule", "Spring")
    cli("campaign", "schedule", "Spring", "2099-07-01T07:00+02:00")
    assert cli.json("campaign", "show", "Spring")["send_at"] == "2099-07-01T05:00:00+00:00"


def test_a_time_that_is_past_leaves_a_draft_and_says_so(cli: Cli) -> None:
    cli.add_people()
    text = cli.file("letter.txt", "Hello")
    error = cli.error("campaign", "create", "--name", "Spring", "--list", "Friends", "--subject-line", "Hi",
                      "--text", text, "--send-at", "2001-01-01T00:00")  # fmt: skip
    assert "is a draft, not scheduled" in error
    assert state(cli) == "draft"


def test_a_campaign_can_go_through_one_server_alone(cli: Cli) -> None:
    cli.add_people()
    cli.add_server("alpha")
    cli.add_campaign("Spring", "--messenger", "alpha")
    assert cli.json("campaign", "show", "Spring")["messenger"] == "alpha"
    cli("campaign", "edit", "Spring", "--messenger", "automatic")
    assert cli.json("campaign", "show", "Spring")["messenger"] == "automatic"
    assert "there is no server" in cli.error("campaign", "edit", "Spring", "--messenger", "beta")


def test_what_nobody_would_get_is_neither_started_nor_scheduled(cli: Cli) -> None:
    cli("lists", "create", "Friends")
    cli.add_campaign()
    for command in (["start", "Spring"], ["start", "Spring", "--skip-check"],
                    ["schedule", "Spring", "2099-03-06T07:00"]):  # fmt: skip
        assert "none of the subscribers on its lists can be mailed" in cli.error("campaign", *command)
    assert cli.json("campaign", "show", "Spring")["state"] == "draft"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--list", "Friends"], "subject: is missing"),
        (["--list", "Nolist", "--subject-line", "Hi"], "there is no list"),
        (["--list", "Friends", "--subject-line", "Hi"], "a text or an HTML body is needed"),
        (["--list", "Friends", "--subject-line", "Hi\r\nBcc: x@example.com", "--text", "-"], "subject"),
        (
            ["--list", "Friends", "--subject-line", "Hi", "--text", "-", "--header", "X-A: b\nBcc: c"],
            "header",
        ),
    ],
)
def test_what_cannot_be_a_campaign_is_refused_and_changes_nothing(
    cli: Cli, arguments: list[str], told: str
) -> None:
    cli.add_people()
    result = cli("campaign", "create", "--name", "Spring", *arguments, stdin="Hello", exit_code=1)
    assert told in result.stderr
    assert cli.json("campaign", "list") == []


def test_a_file_that_cannot_be_read_is_a_usage_error(cli: Cli) -> None:
    cli.add_people()
    (cli.folder / "latin.txt").write_bytes("Grüße".encode("latin-1"))
    for file, told in [("gone.txt", "No such file"), ("latin.txt", "not UTF-8")]:
        error = cli.error(
            "campaign", "create", "--name", "S", "--list", "Friends", "--text", file, exit_code=2
        )
        assert told in error


def test_a_name_that_two_campaigns_have_names_neither(cli: Cli) -> None:
    cli.add_people()
    first = cli.add_campaign("Twin")
    cli.add_campaign("Twin")
    assert "2 campaigns have that name" in cli.error("campaign", "show", "Twin")
    assert cli.json("campaign", "show", first)["name"] == "Twin"
    assert "there is no campaign" in cli.error("campaign", "show", "99")
    assert "there is no campaign" in cli.error("campaign", "start", "Nix")
    assert [one["number"] for one in cli.json("campaign", "list", "--before", first + 1)] == [first]
