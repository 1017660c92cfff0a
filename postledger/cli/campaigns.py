"""`postledger campaign …`: write, start and steer campaigns."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click

from domain.campaign import Campaign, State
from domain.errors import Refused
from domain.priority import Priority
from domain.streams import campaign_stream
from postledger.cli.context import ACTOR, Settings, pass_settings
from postledger.cli.estimate import estimate, keep_estimate
from postledger.cli.lookup import AUTOMATIC, campaign_number, list_named, messenger
from postledger.cli.output import choice, json_option, print_fields, print_json, print_rows
from postledger.cli.preview import preview, refuse_faulty
from postledger.cli.values import Moment, Text, instant
from postledger.session import Session
from projections import campaign_progress
from projections.campaign_progress import Progress
from storage import content, directory
from storage.audience_size import audience_size
from storage.numbers import next_campaign

_CONTENT = (
    click.option(
        "--header", "headers", multiple=True, help="'Name: value', may be repeated; a template too."
    ),
    click.option("--priority", type=choice(Priority)),
    click.option("--messenger", help="automatic (all servers, the default), or the name of one server."),
    click.option("--html", type=Text(), help="File with the HTML body."),
    click.option("--text", type=Text(), help="File with the text body."),
    click.option("--subject-line", help="The subject itself, instead of a file."),
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
    """The fields of a campaign that were given, as the domain takes them; bodies are kept."""
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
    with session.pool.transaction() as cursor:
        if lists:
            fields["lists"] = [list_named(cursor, name).number for name in lists]
        for name, body in (("text", text), ("html", html)):
            if body is not None:
                fields[name] = content.keep(cursor, body) if body else None
    return fields


def _header(text: str) -> list[str]:
    name, colon, value = text.partition(":")
    if not colon:
        raise click.UsageError(f"--header {text!r}: a header is 'Name: value'")
    return [name.strip(), value.strip()]


@click.group("campaign")
def campaign() -> None:
    """Campaigns: write, start, steer, look at."""


campaign.add_command(preview)
campaign.add_command(estimate)


@campaign.command()
@click.option("--name", required=True)
@content_options
@click.option("--send-at", type=Moment(), help="Start by itself then (in the policy's time zone).")
@json_option
@pass_settings
def create(
    settings: Settings, /, name: str, messenger: str | None, send_at: datetime | None, as_json: bool,
    **options: Any,
) -> None:  # fmt: skip
    """A new campaign, as a draft; with --send-at it starts by itself."""
    with settings.session() as session:
        fields = given_content(session, messenger_name=messenger, **options)
        with session.pool.transaction() as cursor:
            number = next_campaign(cursor)
        fields = {"subject": "", "text": None, "html": None, "lists": [], **fields}
        session.application.create_campaign(number=number, name=name, **fields, by=ACTOR)
        if send_at is not None:
            try:
                _schedule(session, number, send_at)
            except (Refused, click.ClickException) as error:
                raise click.ClickException(f"campaign {number} is a draft, not scheduled: {error}") from None
        _report(session, number, as_json)


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
            session.application.change_priority(number, priority=changes["priority"], reason=reason, by=ACTOR)
        elif reason:
            raise click.UsageError("--reason goes with --priority alone")
        else:
            session.application.edit_campaign(number, changes, by=ACTOR)
        _report(session, number, as_json)


@campaign.command()
@click.argument("name", metavar="CAMPAIGN")
@click.option("--skip-check", is_flag=True, help="Start although the templates do not work for everybody.")
@json_option
@pass_settings
def start(settings: Settings, /, name: str, skip_check: bool, as_json: bool) -> None:
    """Start now. First the templates are tried with some of the recipients."""
    with settings.session() as session:
        number = campaign_number(session, name)
        if not skip_check:
            refuse_faulty(session, number)
        aggregate = session.application.campaign(number)
        _refuse_empty_audience(session, aggregate)
        if not aggregate.is_started():
            keep_estimate(session, number)
        session.application.start(number, by=ACTOR)
        _report(session, number, as_json)


@campaign.command()
@click.argument("name", metavar="CAMPAIGN")
@click.argument("send_at", type=Moment())
@json_option
@pass_settings
def schedule(settings: Settings, /, name: str, send_at: datetime, as_json: bool) -> None:
    """Start by itself at SEND_AT, such as 2026-03-06T07:00 (in the policy's time zone)."""
    with settings.session() as session:
        number = campaign_number(session, name)
        _schedule(session, number, send_at)
        _report(session, number, as_json)


def _schedule(session: Session, number: int, send_at: datetime) -> None:
    refuse_faulty(session, number)
    at = instant(send_at, session.application.policy().timezone)
    session.application.schedule(number, send_at=at, by=ACTOR)
    keep_estimate(session, number)


def _refuse_empty_audience(session: Session, aggregate: Campaign) -> None:
    if aggregate.is_started():
        return
    with session.pool.transaction() as cursor:
        if audience_size(cursor, aggregate.lists) == 0:
            raise click.ClickException("nobody on the campaign's lists can be mailed; see `postledger lists`")


@campaign.command()
@click.argument("name", metavar="CAMPAIGN")
@json_option
@pass_settings
def unschedule(settings: Settings, /, name: str, as_json: bool) -> None:
    """Make a scheduled campaign a draft again."""
    with settings.session() as session:
        number = campaign_number(session, name)
        session.application.unschedule(number, by=ACTOR)
        _report(session, number, as_json)


@campaign.command()
@click.argument("name", metavar="CAMPAIGN")
@click.option("--reason", default="", help="Why, for the record.")
@json_option
@pass_settings
def pause(settings: Settings, /, name: str, reason: str, as_json: bool) -> None:
    """Send nothing more until resumed; e-mails in flight finish."""
    with settings.session() as session:
        number = campaign_number(session, name)
        session.application.pause(number, reason=reason, by=ACTOR)
        _report(session, number, as_json)


@campaign.command()
@click.argument("name", metavar="CAMPAIGN")
@click.option("--reason", default="", help="Why, for the record.")
@json_option
@pass_settings
def resume(settings: Settings, /, name: str, reason: str, as_json: bool) -> None:
    """Go on with a paused campaign."""
    with settings.session() as session:
        number = campaign_number(session, name)
        session.application.resume(number, reason=reason, by=ACTOR)
        _report(session, number, as_json)


@campaign.command()
@click.argument("name", metavar="CAMPAIGN")
@click.option("--reason", default="", help="Why, for the record.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@pass_settings
def cancel(settings: Settings, /, name: str, reason: str, yes: bool, as_json: bool) -> None:
    """Cancel for good everything that is not sent yet."""
    with settings.session() as session:
        number = campaign_number(session, name)
        if not yes:
            click.confirm(f"Cancel campaign {number}? What is unsent will not be sent.", abort=True, err=True)
        session.application.cancel(number, reason=reason, by=ACTOR)
        _report(session, number, as_json)


@campaign.command("list")
@click.option("--state", multiple=True, type=choice(State), help="May be repeated.")
@click.option("--transactional", is_flag=True, help="Those of transactional messages instead.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
@click.option("--before", type=click.IntRange(1), help="Only numbers below this one, to page on.")
@json_option
@pass_settings
def list_(
    settings: Settings,
    /,
    state: tuple[str, ...],
    transactional: bool,
    limit: int,
    before: int | None,
    as_json: bool,
) -> None:
    """Campaigns and how far they are, the newest first."""
    with settings.session() as session:
        session.catch_up()
        with session.pool.transaction() as cursor:
            found = campaign_progress.campaigns(
                cursor, list(state) or None, limit, before, transactional=transactional
            )
    if as_json:
        print_json([_summary(one) for one in found])
        return
    print_rows(
        ["number", "name", "state", "priority", "waiting", "sending", "sent", "failed", "other"],
        [(one.campaign, one.name, one.state, one.priority, *_figures(one)) for one in found],
    )


def _figures(one: Progress) -> tuple[int, int, int, int, int]:
    counts = one.counts
    other = counts["cancelled"] + counts["unknown"] + counts["suppressed"]
    return counts["queued"], counts["sending"], counts["sent"], counts["failed"], other


def _summary(one: Progress) -> dict[str, Any]:
    return {
        "number": one.campaign,
        "uuid": campaign_stream(one.campaign),
        "name": one.name,
        "state": one.state,
        "priority": one.priority,
        "send_at": one.send_at,
        "reason": one.reason,
        "counts": dict(one.counts),
    }


@campaign.command()
@click.argument("name", metavar="CAMPAIGN")
@json_option
@pass_settings
def show(settings: Settings, /, name: str, as_json: bool) -> None:
    """One campaign: its content by hash, its lists, its state and counts."""
    with settings.session() as session:
        _report(session, campaign_number(session, name), as_json, everything=True)


def _report(session: Session, number: int, as_json: bool, *, everything: bool = False) -> None:
    """The campaign as it is after what was just done."""
    session.catch_up()
    with session.pool.transaction() as cursor:
        progress = campaign_progress.progress(cursor, number)
        assert progress is not None
        named = {one.number: one.name for one, _ in directory.lists(cursor)} if everything else {}
    aggregate = session.application.campaign(number)
    values = _summary(progress)
    if everything:
        values |= {
            **aggregate.content,
            "lists": [{"number": one, "name": named.get(one)} for one in aggregate.lists],
            "messenger": _messenger_name(session, aggregate),
            "recipients": aggregate.recipients,
        }
    if as_json:
        print_json(values)
    elif everything:
        counts = values.pop("counts")
        lists = [one["name"] for one in values.pop("lists")]
        print_fields({**values, "lists": lists, **counts})
    else:
        click.echo(f"campaign {number}: {progress.name} is {progress.state}")


def _messenger_name(session: Session, aggregate: Campaign) -> str:
    if aggregate.messenger is None:
        return AUTOMATIC
    return session.application.server(aggregate.messenger).settings.name
