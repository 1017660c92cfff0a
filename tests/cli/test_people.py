"""People and lists from the command line."""

from __future__ import annotations

from domain.campaign.transactional import Particulars
from storage import transactional
from storage.postgres.pool import Pool
from storage.transactional import Target
from tests.cli.command_line import Cli
from tests.web.world import NOON


def test_an_import_says_what_it_did_and_which_rows_it_refused(cli: Cli) -> None:
    file = cli.file(
        "people.csv", "email,name,attributes\nada@example.com,Ada,\nno-at,X,\nbob@example.com,Bob,{\n"
    )
    summary = cli.json("recipients", "import", file, "--list", "Friends")
    assert (summary["rows"], summary["imported"], summary["new"], summary["refused"]) == (3, 1, 1, 2)
    assert [refusal["line"] for refusal in summary["refusals"]] == [3, 4]
    table = cli("recipients", "import", file, "--list", "Friends").output
    assert "exactly one @" in table
    assert "example.com" not in table
    assert [(one["name"], one["subscribers"]) for one in cli.json("lists")] == [("Friends", 1)]
    assert cli.json("lists", "list") == cli.json("lists")


def test_a_strict_import_with_a_bad_row_changes_nothing(cli: Cli) -> None:
    file = cli.file("people.csv", "email\nada@example.com\nno-at\n")
    assert "nothing was imported" in cli.error("recipients", "import", file, "--list", "Friends", "--strict")
    assert cli.json("recipients", "list") == []
    assert cli.json("lists") == []


def test_a_file_without_header_is_refused_without_being_quoted(cli: Cli) -> None:
    file = cli.file("people.csv", "ada@example.com,Ada\n")
    error = cli.error("recipients", "import", file, "--list", "Friends")
    assert "email,name,attributes" in error
    assert "ada@" not in error


def test_an_import_can_come_from_standard_input(cli: Cli) -> None:
    cli("recipients", "import", "-", "--list", "Friends", stdin="email\nada@example.com\n")
    assert [person["email"] for person in cli.json("recipients", "list")] == ["ada@example.com"]


def test_people_are_shown_with_their_lists(cli: Cli) -> None:
    cli.add_people()
    shown = cli.json("recipients", "show", "ADA@example.com")
    assert (shown["name"], shown["attributes"], shown["status"]) == ("Ada", {"city": "London"}, "enabled")
    assert [(one["name"], one["status"]) for one in shown["lists"]] == [("Friends", "unconfirmed")]
    assert "London" in cli("recipients", "show", shown["number"]).output
    assert "there is no subscriber" in cli.error("recipients", "show", "nobody@example.com")


def test_the_ways_of_saying_no(cli: Cli) -> None:
    cli.add_people()
    cli("recipients", "blocklist", "ada@example.com", "never@example.com")
    cli("recipients", "unsubscribe", "bob@example.com", "--list", "Friends")
    cli.add_people()
    people = {person["email"]: person["status"] for person in cli.json("recipients", "list")}
    assert people == {
        "ada@example.com": "blocklisted",
        "never@example.com": "blocklisted",
        "bob@example.com": "enabled",
    }
    assert cli.json("recipients", "show", "bob@example.com")["lists"][0]["status"] == "unsubscribed"
    cli("recipients", "enable", "ada@example.com")
    assert cli.json("recipients", "list", "--status", "blocklisted")[0]["email"] == "never@example.com"


def test_erasing_asks_first_and_leaves_only_a_number(cli: Cli) -> None:
    cli.add_people()
    number = cli.json("recipients", "show", "ada@example.com")["number"]
    cli("recipients", "erase", "ada@example.com", stdin="n\n", exit_code=1)
    cli("recipients", "erase", "ada@example.com", stdin="y\n")
    shown = cli.json("recipients", "show", number)
    assert (shown["email"], shown["name"], shown["status"]) == (None, "", "erased")
    assert "there is no subscriber" in cli.error("recipients", "erase", "ada@example.com", "--yes")


def test_an_address_that_only_messages_know_can_be_erased(cli: Cli, pool: Pool) -> None:
    with pool.transaction() as cursor:
        places = transactional.open_campaign(cursor, b"a form", None, 2)
        assert places is not None
        nobody, other = Target(None, "zoe@example.com"), Target(None, "other@example.com")
        for place, target in enumerate((nobody, other)):
            one = places._replace(first=places.first + place)
            transactional.keep(cursor, one, [target], Particulars({"order": target.email}), NOON)
    assert "Erase Zoe@example.com?" in cli("recipients", "erase", "Zoe@example.com", stdin="y\n").output
    with pool.transaction() as cursor:
        cursor.execute(
            "SELECT m.email, q.data FROM transactional_messages m"
            " JOIN transactional_requests q ON q.number = m.request ORDER BY m.number"
        )
        assert cursor.fetchall() == [(None, {}), ("other@example.com", {"order": "other@example.com"})]
    assert "there is no subscriber" in cli.error("recipients", "erase", "zoe@example.com", "--yes")


def test_lists_can_want_a_double_opt_in(cli: Cli) -> None:
    made = cli.json("lists", "create", "Club", "--optin", "double")
    assert made["optin"] == "double"
    assert "exists already" in cli.error("lists", "create", "Club")
    assert "there is no list" in cli.error("recipients", "list", "--list", "Nolist")


def test_names_cannot_steer_the_terminal(cli: Cli) -> None:
    cli.file("people.csv", "email,name\nada@example.com,[red]Ada[/red]\n")
    cli("recipients", "import", "people.csv", "--list", "Friends")
    assert "[red]Ada[/red]" in cli("recipients", "list").output
