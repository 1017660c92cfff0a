"""`postledger queue …` and `postledger delivery …`: what waits and why, what happened, and stepping in."""

from __future__ import annotations

import json
from operator import itemgetter
from typing import Any

import click

from application.queue.deliveries import Deliveries, DescribedDelivery, wanted
from application.queue.queue import Queue, SteppedInto
from domain.delivery.delivery import Status
from domain.delivery.stepping_in import possible_in
from domain.streams import server_stream
from postledger.cli.context import ACTOR, Settings, pass_settings
from postledger.cli.lookup import campaign_number, server_number
from postledger.cli.lookup import delivery as named_delivery
from postledger.cli.output import choice, json_option, print_fields, print_json, print_rows
from postledger.session import Session
from postledger.terminal import write
from projections.queue import queue as projection
from projections.queue.items import WantedItems

MOST_EVENTS = 10_000

status_choice = choice(Status)
retried_choice = choice(status for status in Status if status in possible_in("retry"))


@click.group("queue")
def queue() -> None:
    """E-mails: how many, which, why they wait; try again or cancel."""


@queue.command()
@json_option
@pass_settings
def stats(settings: Settings, /, as_json: bool) -> None:
    """How many e-mails are in which state."""
    with settings.session() as session:
        session.catch_up()
        with session.pool.transaction() as cursor:
            counts = projection.counts(cursor)
            values = {**counts, "nextScheduledAt": projection.next_scheduled_at(cursor)}
    if as_json:
        print_json(values)
    else:
        print_fields(values)


@queue.command("items")
@click.option("--campaign", help="Its number, or its name.")
@click.option("--status", "statuses", multiple=True, type=status_choice, help="May be repeated.")
@click.option("--server", help="Last tried through this server (name or number).")
@click.option(
    "--subscriber", "--recipient", "who",
    help="To this person: number, UUID, e-mail address or a part of addresses.",
)  # fmt: skip
@click.option("--page", type=click.IntRange(1), default=1, show_default=True)
@click.option("--per-page", type=click.IntRange(1, 1000), default=50, show_default=True)
@json_option
@pass_settings
def items_(
    settings: Settings, /, campaign: str | None, statuses: tuple[str, ...], server: str | None,
    who: str | None, page: int, per_page: int, as_json: bool,
) -> None:  # fmt: skip
    """E-mails with filters; a page at a time."""
    with settings.session() as session:
        filters = _wanted(session, campaign, statuses, server, who)
        session.catch_up()
        found, total = Deliveries(session).page(filters, (page - 1) * per_page, per_page)
    if as_json:
        results = [one.fields() for one in found]
        print_json({"results": results, "total": total, "page": page, "per_page": per_page})
        return
    print_rows(
        ["e-mail", "campaign", "to", "status", "attempts", "reason / last response"],
        [
            (f"{one.item.campaign}/{one.item.recipient}", one.campaign.name, one.item.email, one.status,
             one.item.attempts, one.waiting or one.item.error)
            for one in found
        ],
        title=f"{total} e-mails, page {page}",
    )  # fmt: skip


def _wanted(
    session: Session, campaign: str | None, statuses: tuple[str, ...], server: str | None, who: str | None
) -> WantedItems:
    number = campaign_number(session, campaign) if campaign else None
    through = server_stream(server_number(session, server)) if server else None
    with session.pool.transaction() as cursor:
        return wanted(cursor, number, statuses, through, who)


@queue.command()
@click.argument("email", metavar="E-MAIL")
@json_option
@pass_settings
def why(settings: Settings, /, email: str, as_json: bool) -> None:
    """What one e-mail waits for. E-MAIL is CAMPAIGN/RECIPIENT, or its number in the API."""
    with settings.session() as session:
        one = _delivery(session, email)
    if as_json:
        print_json(one.fields())
        return
    because = one.waiting or one.item.error
    write(f"{one.status}: {because}" if because else str(one.status))


@queue.command()
@click.argument("emails", metavar="E-MAIL", nargs=-1)
@click.option("--campaign", help="All of this campaign that have one of the --status.")
@click.option(
    "--status", "statuses", multiple=True, type=retried_choice, default=[Status.FAILED.value],
    show_default=True, help="With --campaign; may be repeated.",
)  # fmt: skip
@json_option
@pass_settings
def retry(
    settings: Settings, /, emails: tuple[str, ...], campaign: str | None, statuses: tuple[str, ...],
    as_json: bool,
) -> None:  # fmt: skip
    """Put e-mails back into the queue. One of unknown outcome may then arrive twice."""
    if bool(emails) == bool(campaign):
        raise click.UsageError("name e-mails, or give --campaign")
    with settings.session() as session:
        commands = Queue(session)
        if campaign:
            done = commands.retry_campaign(campaign_number(session, campaign), statuses, by=ACTOR)
        else:
            done = commands.step_into("retry", _numbers(session, emails), by=ACTOR)
        session.catch_up()
    _print_done("queued again", done, as_json)


@queue.command()
@click.argument("emails", metavar="E-MAIL", nargs=-1, required=True)
@json_option
@pass_settings
def cancel(settings: Settings, /, emails: tuple[str, ...], as_json: bool) -> None:
    """Take e-mails that wait out of the queue. For a whole campaign: `postledger campaign cancel`."""
    with settings.session() as session:
        done = Queue(session).step_into("cancel", _numbers(session, emails), by=ACTOR)
        session.catch_up()
    _print_done("cancelled", done, as_json)


def _numbers(session: Session, emails: tuple[str, ...]) -> list[int]:
    session.catch_up()
    named = [named_delivery(session, email) for email in emails]
    return [campaign << 32 | number for campaign, number in named]


def _delivery(session: Session, email: str) -> DescribedDelivery:
    (number,) = _numbers(session, (email,))
    return Deliveries(session).one(number)


def _print_done(what: str, done: SteppedInto, as_json: bool) -> None:
    if as_json:
        print_json({"changed": done.changed, "outrun": done.left})
        return
    write(f"{what}: {done.changed}")
    if done.left:
        write(f"{done.left} changed just now and were left alone", err=True)


@click.group("delivery")
def delivery() -> None:
    """The story of single e-mails."""


@delivery.command("show")
@click.argument("email", metavar="E-MAIL")
@json_option
@pass_settings
def show_delivery(settings: Settings, /, email: str, as_json: bool) -> None:
    """All that happened to one e-mail, from the log. E-MAIL is CAMPAIGN/RECIPIENT, or its API number."""
    with settings.session() as session:
        one = _delivery(session, email)
        deliveries = Deliveries(session)
        history = deliveries.history(one, MOST_EVENTS)
        waited = deliveries.waits(one, history)
    events = [
        {"position": event.position, "at": event.recorded_at, "topic": event.topic, **json.loads(event.state)}
        for event in history
    ]
    if as_json:
        print_json({**one.fields(), "events": events, **waited.fields()})
        return
    write(f"campaign {one.item.campaign} to recipient {one.item.recipient}: {one.status}"
               + (f", {one.waiting}" if one.waiting else ""))  # fmt: skip
    own = ("position", "at", "topic", "by")
    rows: list[tuple[Any, ...]] = [(None, one.item.queued_at, "queued", None, None)]
    rows += [
        (event["position"], event["at"], event["topic"], event.get("by"),
         {name: value for name, value in event.items() if name not in own})
        for event in events
    ]  # fmt: skip
    # What happened comes before what was waited for from that moment on: sorting leaves them in this order.
    rows += [(None, wait.since, "waited", None, str(wait)) for wait in waited.waits]
    print_rows(["position", "when", "what", "by", "details"], sorted(rows, key=itemgetter(1)))
    if waited.not_told is not None:
        write(waited.not_told)
