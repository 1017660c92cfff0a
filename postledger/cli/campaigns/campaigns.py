"""`postledger campaign …`: write campaigns; what else there is to do with them is in files of its own."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click

from application.campaigns.campaigns import Campaigns
from domain.campaign.priority import Priority
from domain.errors import Refused
from postledger.cli.campaigns.course import (
    cancel,
    pause,
    resume,
    schedule,
    schedule_at,
    start,
    unschedule,
)
from postledger.cli.campaigns.estimate import estimate
from postledger.cli.campaigns.preview import preview
from postledger.cli.campaigns.reports import list_, report, show
from postledger.cli.campaigns.test_emails import test_emails
from postledger.cli.context import ACTOR, Settings, pass_settings
from postledger.cli.lookup import campaign_number, list_named, messenger
from postledger.cli.output import choice, json_option
from postledger.cli.values import Moment, Text
from postledger.session import Session

_CONTENT = (
    click.option(
        "--header", "headers", multiple=True, help="'Name: value', may be repeated; a template too."
    ),
    click.option("--priority", type=choice(Priority)),
    click.option("--messenger", help="automatic (all servers, the default), or the name of one server."),
    click.option("--html", type=Text(), help="File with the HTML body."),
    click.option("--text", type=Text(), help="File with the text body."),
    click.option("--subject-line", help="The subject itself instead of a file."),
    click.option("--subject", "subject_file", type=Text(), help="File with the subject."),
    click.option("--list", "lists", multiple=True, help="A list of recipients; may be repeated."),
)


def content_options(command: Any) -> Any:
    for option in _CONTENT:
        command = option(command)
    return command


def given_content(
    session: Session, *, lists: tuple[str, ...], subject_file: str | None, subject_line: str | None,
    text: str | None, html: str | None, messenger_name: str | None, priority: str | None,
    headers: tuple[str, ...],
) -> dict[str, Any]:  # fmt: skip
    """The fields of a campaign that were given, as the domain takes them; bodies as texts."""
    fields: dict[str, Any] = {}
    if subject_file is not None and subject_line is not None:
        raise click.UsageError("either --subject or --subject-line")
    if subject_file is not None or subject_line is not None:
        fields["subject"] = subject_line if subject_file is None else subject_file.strip()
    if headers:
        fields["headers"] = [_header(header) for header in headers]
    if priority is not None:
        fields["priority"] = priority
    if messenger_name is not None:
        fields["messenger"] = messenger(session, messenger_name)
    if lists:
        with session.reading() as cursor:
            fields["lists"] = [list_named(cursor, name).number for name in lists]
    given = {"text": text, "html": html}
    return fields | {name: body for name, body in given.items() if body is not None}


def _header(text: str) -> list[str]:
    name, colon, value = text.partition(":")
    if not colon:
        raise click.UsageError(f"--header {text!r}: a header is 'Name: value'")
    return [name.strip(), value.strip()]


@click.group("campaign")
def campaign() -> None:
    """Campaigns: write, start, steer, look at."""


for command in (
    preview, test_emails, estimate, start, schedule, unschedule, pause, resume, cancel, list_, show,
):  # fmt: skip
    campaign.add_command(command)


@campaign.command()
@click.option("--name", required=True)
@content_options
@click.option(
    "--send-at", type=Moment(), help="Start automatically at this time (in the policy's time zone)."
)
@json_option
@pass_settings
def create(
    settings: Settings, /, name: str, messenger: str | None, send_at: datetime | None, as_json: bool,
    **options: Any,
) -> None:  # fmt: skip
    """A new campaign, as a draft; with --send-at it starts by itself."""
    with settings.session() as session:
        fields = given_content(session, messenger_name=messenger, **options)
        number = Campaigns(session).create({"name": name, "subject": "", "lists": [], **fields}, by=ACTOR)
        if send_at is not None:
            try:
                schedule_at(session, number, send_at)
            except (Refused, click.ClickException) as error:
                raise click.ClickException(f"campaign {number} is a draft, not scheduled: {error}") from None
        report(session, number, as_json)


@campaign.command()
@click.argument("name", metavar="CAMPAIGN")
@click.option("--name", "new_name", help="Rename it.")
@click.option("--reason", default="", help="Why the priority changes, for the record.")
@content_options
@json_option
@pass_settings
def edit(
    settings: Settings,
    /,
    name: str,
    new_name: str | None,
    reason: str,
    messenger: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Change a draft or scheduled campaign. What was started keeps its content; its priority can change."""
    with settings.session() as session:
        number = campaign_number(session, name)
        changes = given_content(session, messenger_name=messenger, **options)
        if new_name is not None:
            changes["name"] = new_name
        if not changes:
            raise click.UsageError("nothing to change")
        if changes.keys() == {"priority"}:
            Campaigns(session).change_priority(number, changes["priority"], reason, by=ACTOR)
        elif reason:
            raise click.UsageError("--reason goes with --priority alone")
        else:
            Campaigns(session).edit(number, changes, by=ACTOR)
        report(session, number, as_json)
