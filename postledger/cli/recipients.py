"""`postledger recipients …` and `postledger lists …`: people, from a file or one by one."""

from __future__ import annotations

import os
from typing import BinaryIO

import click

from application.people.imports import Imports
from application.people.lists import Lists
from application.people.people import LEFT_BEHIND, People
from domain.people.statuses import ERASED, SUBSCRIBED, Optin, PersonStatus, SubscriptionStatus
from postledger.cli.context import ACTOR, Settings, pass_settings
from postledger.cli.lookup import list_named, recipient
from postledger.cli.output import choice, json_option, print_fields, print_json, print_rows, progress
from postledger.terminal import harmless, write
from storage.people import directory, statistics
from storage.people.recipients_import import Options, Summary

MANY = 1000


@click.group("recipients")
def recipients() -> None:
    """People: import, look up, take off."""


@recipients.command("import")
@click.argument("file", type=click.File("rb"))
@click.option("--list", "list_name", required=True, help="The list to subscribe them to; created if new.")
@click.option(
    "--status", type=choice(SUBSCRIBED), default=SubscriptionStatus.UNCONFIRMED.value, show_default=True,
    help="Of the new subscriptions. A double opt-in list mails confirmed ones only.",
)  # fmt: skip
@click.option("--update", is_flag=True, help="Overwrite name and attributes of existing subscribers.")
@click.option("--resubscribe", is_flag=True, help="Resubscribe those who had unsubscribed from the list.")
@click.option("--strict", is_flag=True, help="Change nothing and exit with 1 when any row is refused.")
@json_option
@pass_settings
def import_(
    settings: Settings, file: BinaryIO, list_name: str, status: str, update: bool, resubscribe: bool,
    strict: bool, as_json: bool,
) -> None:  # fmt: skip
    """Import people from FILE (- for standard input): CSV with the header email,name,attributes.

    Attributes are a JSON object. Bad rows are refused by line number; good ones are kept.
    """
    with settings.session() as session:
        with progress("Importing", _size(file), hidden=as_json) as advance:
            options = Options(subscription=SubscriptionStatus(status), update=update, resubscribe=resubscribe)
            summary = Imports(session).at_once(
                file, options, advance, into=list_name, strict=strict, by=ACTOR
            )
        if summary.imported >= MANY and not (strict and summary.refused):
            with session.pool.transaction() as cursor:
                statistics.refresh(cursor)
    _print_summary(summary, list_name, as_json)
    if strict and summary.refused:
        raise click.ClickException(f"{summary.refused} rows are not acceptable; nothing was imported")


def _size(file: BinaryIO) -> int | None:
    try:
        return os.fstat(file.fileno()).st_size or None
    except OSError:
        return None


def _print_summary(summary: Summary, list_name: str, as_json: bool) -> None:
    if as_json:
        print_json({"list": list_name, **summary.as_dict()})
        return
    values = summary.as_dict()
    values.pop("refusals")
    print_fields({name.replace("_", " "): value for name, value in values.items()})
    if summary.refusals:
        shown = f"first {len(summary.refusals)} of {summary.refused}"
        print_rows(["line", "reason"], summary.refusals, title=f"Refused rows ({shown})")


@recipients.command("list")
@click.option("--list", "list_name", help="Only subscribers of this list (its name or number).")
@click.option("--status", type=choice([*PersonStatus, ERASED]), help="Only subscribers with this status.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
@click.option("--after", type=click.IntRange(0), default=0, help="Only numbers above this one, to page on.")
@json_option
@pass_settings
def list_(
    settings: Settings, list_name: str | None, status: str | None, limit: int, after: int, as_json: bool
) -> None:
    """People in the order of their numbers."""
    with settings.session() as session, session.pool.transaction() as cursor:
        number = None if list_name is None else list_named(cursor, list_name).number
        found = directory.recipients(cursor, number, status, after, limit)
    if as_json:
        print_json([person._asdict() for person in found])
        return
    print_rows(
        ["number", "e-mail", "name", "status", "since"],
        [(person.number, person.email, person.name, person.status, person.created_at) for person in found],
    )


@recipients.command()
@click.argument("who")
@json_option
@pass_settings
def show(settings: Settings, who: str, as_json: bool) -> None:
    """One person, by number, UUID or e-mail address, with their lists."""
    with settings.session() as session, session.pool.transaction() as cursor:
        person = recipient(cursor, who)
        subscriptions = directory.subscriptions_of(cursor, person.number)
    if as_json:
        print_json({**person._asdict(), "lists": [one._asdict() for one in subscriptions]})
        return
    print_fields(person._asdict())
    print_rows(["list", "name", "status", "since"], subscriptions)


@recipients.command()
@click.argument("who", nargs=-1, required=True)
@pass_settings
def blocklist(settings: Settings, who: tuple[str, ...]) -> None:
    """Never mail these people again, in running campaigns too. An unknown address is kept for the future."""
    with settings.session() as session:
        for one in who:
            People(session).blocklist(one, by=ACTOR)
    write(f"blocklisted: {len(who)}")


@recipients.command()
@click.argument("who")
@pass_settings
def enable(settings: Settings, who: str) -> None:
    """Let a disabled or blocklisted person be mailed again."""
    _set_status(settings, who, PersonStatus.ENABLED)


@recipients.command()
@click.argument("who")
@pass_settings
def disable(settings: Settings, who: str) -> None:
    """Mail this person nothing until enabled again."""
    _set_status(settings, who, PersonStatus.DISABLED)


def _set_status(settings: Settings, who: str, status: str) -> None:
    with settings.session() as session:
        people = People(session)
        number = people.named(who).number
        people.change(number, {"status": status}, by=ACTOR)
    write(f"recipient {number} is {status}")


@recipients.command()
@click.argument("who")
@click.option(
    "--list", "list_names", multiple=True, help="From this list; may be repeated. Default: from all."
)
@pass_settings
def unsubscribe(settings: Settings, who: str, list_names: tuple[str, ...]) -> None:
    """End a person's subscriptions; running campaigns skip them from now on."""
    with settings.session() as session:
        people = People(session)
        number = people.named(who).number
        with session.pool.transaction() as cursor:
            lists = [list_named(cursor, name).number for name in list_names] or None
        ended = people.unsubscribe([number], lists, by=ACTOR)
    write(f"recipient {number} left {ended} lists")


@recipients.command()
@click.argument("who")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@pass_settings
def erase(settings: Settings, who: str, yes: bool) -> None:
    """Erase a person's address, name, attributes and lists for good, and what single messages said to them;
    also to an address that nobody has. Counts and the log stay as they are."""
    with settings.session() as session:
        people = People(session)
        meant = who if people.is_only_written_to(who) else f"recipient {people.named(who).number}"
        if not yes:
            click.confirm(f"Erase {harmless(meant)}? This cannot be undone.", abort=True)
        number = people.erase_named(who, by=ACTOR)
    write(f"recipient {number} is erased. {LEFT_BEHIND}")


@click.group("lists", invoke_without_command=True)
@json_option
@click.pass_context
def lists(context: click.Context, as_json: bool) -> None:
    """Lists of people, with their subscribers."""
    if context.invoked_subcommand is None:
        _print_lists(context.ensure_object(Settings), as_json)


@lists.command("list")
@json_option
@pass_settings
def list_lists(settings: Settings, /, as_json: bool) -> None:
    """As `postledger lists` alone."""
    _print_lists(settings, as_json)


def _print_lists(settings: Settings, as_json: bool) -> None:
    with settings.session() as session, session.pool.transaction() as cursor:
        found = directory.lists(cursor)
    if as_json:
        print_json([{**one._asdict(), "subscribers": count} for one, count in found])
        return
    print_rows(
        ["number", "name", "opt-in", "subscribers"],
        [(one.number, one.name, one.optin, count) for one, count in found],
    )


@lists.command("create")
@click.argument("name")
@click.option("--optin", type=choice(Optin), default=Optin.SINGLE.value, show_default=True)
@json_option
@pass_settings
def create_list(settings: Settings, name: str, optin: str, as_json: bool) -> None:
    """A new list. With double opt-in only confirmed subscribers are mailed."""
    with settings.session() as session:
        number = Lists(session).create({"name": name, "optin": optin}, by=ACTOR)
    if as_json:
        print_json({"number": number, "name": name, "optin": optin})
    else:
        write(f"list {number}: {name}")
