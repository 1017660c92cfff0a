"""`postledger queue …` and `postledger delivery …`: what waits and why, what happened, and stepping in."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import click

from domain.delivery.delivery import Cancelled, Requeued, Status
from domain.fact import Fact
from domain.streams import delivery_stream
from postledger.cli.context import ACTOR, Settings, pass_settings
from postledger.cli.lookup import campaign_number, recipient, server_number
from postledger.cli.lookup import delivery as named_delivery
from postledger.cli.output import choice, json_option, print_fields, print_json, print_rows
from postledger.session import Session
from projections.queue import queue as projection
from projections.queue.items import Item, Wanted, item, items
from projections.queue.queue import STATUSES
from storage.log.append import Conflict, Log
from web.api.queue_items import described

PAGE = 1000
RETRIED = (Status.FAILED, Status.UNKNOWN, Status.SUPPRESSED, Status.CANCELLED)

status_choice = choice(STATUSES)

_STORY = """
    SELECT position, recorded_at, topic, state FROM event_log WHERE stream_id = %s ORDER BY version
"""


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
@click.option("--recipient", "who", help="Of this recipient: number, UUID or e-mail address.")
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
        wanted = _wanted(session, campaign, statuses, server, who)
        session.catch_up()
        with session.pool.transaction() as cursor:
            found, total = items(cursor, wanted, (page - 1) * per_page, per_page)
            rows = described(cursor, found, session.clock.now())
    if as_json:
        print_json({"results": rows, "total": total, "page": page, "per_page": per_page})
        return
    print_rows(
        ["e-mail", "campaign", "to", "status", "attempts", "waits for / error"],
        [
            (f"{row['campaignId']}/{row['id'] & 0xFFFFFFFF}", row["campaignName"], row["subscriberEmail"],
             row["status"], row["attempts"], row["waitingFor"] or row["errorMessage"])
            for row in rows
        ],
        title=f"{total} e-mails, page {page}",
    )  # fmt: skip


def _wanted(
    session: Session, campaign: str | None, statuses: tuple[str, ...], server: str | None, who: str | None
) -> Wanted:
    with session.pool.transaction() as cursor:
        recipients = [recipient(cursor, who).number] if who else None
    return Wanted(
        campaign=campaign_number(session, campaign) if campaign else None,
        statuses=[STATUSES.index(status) for status in statuses],
        server=server_number(session, server) if server else None,
        recipients=recipients,
    )


@queue.command()
@click.argument("email", metavar="E-MAIL")
@json_option
@pass_settings
def why(settings: Settings, /, email: str, as_json: bool) -> None:
    """What one e-mail waits for. E-MAIL is CAMPAIGN/RECIPIENT, or its number in the API."""
    with settings.session() as session:
        one = _current(session, *named_delivery(session, email))
        with session.pool.transaction() as cursor:
            (row,) = described(cursor, [one], session.clock.now())
    if as_json:
        print_json(row)
        return
    if row["waitingFor"]:
        click.echo(f"{row['status']}: {row['waitingFor']}")
    else:
        click.echo(f"{row['status']}" + (f": {row['errorMessage']}" if row["errorMessage"] else ""))


@queue.command()
@click.argument("emails", metavar="E-MAIL", nargs=-1)
@click.option("--campaign", help="All of this campaign that have one of the --status.")
@click.option(
    "--status", "statuses", multiple=True, type=choice(RETRIED), default=[Status.FAILED.value],
    show_default=True, help="With --campaign; may be repeated.",
)  # fmt: skip
@json_option
@pass_settings
def retry(
    settings: Settings,
    /,
    emails: tuple[str, ...],
    campaign: str | None,
    statuses: tuple[str, ...],
    as_json: bool,
) -> None:
    """Put e-mails back into the queue. One of unknown outcome may then arrive twice."""
    _step_in(settings, emails, campaign, statuses, as_json, "queued again", _requeued)


@queue.command()
@click.argument("emails", metavar="E-MAIL", nargs=-1, required=True)
@json_option
@pass_settings
def cancel(settings: Settings, /, emails: tuple[str, ...], as_json: bool) -> None:
    """Take e-mails that wait out of the queue. For a whole campaign: `postledger campaign cancel`."""
    _step_in(settings, emails, None, (), as_json, "cancelled", _cancelled)


def _requeued(one: Item) -> Fact:
    _only(one, RETRIED, "tried again")
    return Requeued(**_origin(one), by=ACTOR, reason="asked for")


def _cancelled(one: Item) -> Fact:
    _only(one, (Status.QUEUED,), "cancelled")
    return Cancelled(**_origin(one), by=ACTOR, reason="asked for")


def _only(one: Item, allowed: tuple[Status, ...], done: str) -> None:
    if STATUSES[one.status] not in allowed:
        raise click.ClickException(
            f"{one.campaign}/{one.recipient} is {STATUSES[one.status]}; only what is {', '.join(allowed)}"
            f" can be {done}"
        )


def _origin(one: Item) -> dict[str, Any]:
    stream = delivery_stream(one.campaign, one.recipient)
    return {"originator_id": stream, "originator_version": one.version + 1}


def _step_in(
    settings: Settings,
    emails: tuple[str, ...],
    campaign: str | None,
    statuses: tuple[str, ...],
    as_json: bool,
    done: str,
    fact_for: Callable[[Item], Fact],
) -> None:
    if bool(emails) == bool(campaign):
        raise click.UsageError("name e-mails, or give --campaign")
    with settings.session() as session:
        log = Log(session.pool, session.clock)
        if campaign:
            number = campaign_number(session, campaign)
            found = _all(session, Wanted(number, [STATUSES.index(status) for status in statuses]))
        else:
            found = [_current(session, *named_delivery(session, email)) for email in emails]
        if fact_for is _requeued:
            _refuse_cancelled(session, {one.campaign for one in found})
        facts = [fact_for(one) for one in found]
        changed = sum(_appended(log, facts[start : start + PAGE]) for start in range(0, len(facts), PAGE))
        session.catch_up()
    if as_json:
        print_json({"changed": changed, "outrun": len(facts) - changed})
        return
    click.echo(f"{done}: {changed}")
    if changed < len(facts):
        click.echo(f"{len(facts) - changed} changed at this very moment and were left alone", err=True)


def _appended(log: Log, facts: list[Fact]) -> int:
    """How many; one that changed meanwhile keeps back itself alone."""
    try:
        log.append([fact.stored() for fact in facts])
    except Conflict:
        if len(facts) == 1:
            return 0
        middle = len(facts) // 2
        return _appended(log, facts[:middle]) + _appended(log, facts[middle:])
    return len(facts)


def _refuse_cancelled(session: Session, campaigns: Iterable[int]) -> None:
    for number in campaigns:
        if session.application.campaign(number).state == "cancelled":
            raise click.ClickException(f"campaign {number} is cancelled, so nothing of it would be sent")


def _all(session: Session, wanted: Wanted) -> list[Item]:
    session.catch_up()
    found: list[Item] = []
    with session.pool.transaction() as cursor:
        while True:
            page, total = items(cursor, wanted, len(found), PAGE)
            found += page
            if not page or len(found) >= total:
                return found


def _current(session: Session, campaign: int, recipient_number: int) -> Item:
    session.catch_up()
    with session.pool.transaction() as cursor:
        one = item(cursor, campaign, recipient_number) if max(campaign, recipient_number) < 2**31 else None
    if one is None:
        raise click.ClickException("there is no such e-mail in the queue")
    return one


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
        campaign, number = named_delivery(session, email)
        one = _current(session, campaign, number)
        with session.pool.transaction() as cursor:
            cursor.execute(_STORY, (str(delivery_stream(campaign, number)),))
            events = [
                {"position": position, "at": at, "topic": topic, **state}
                for position, at, topic, state in cursor.fetchall()
            ]
            (row,) = described(cursor, [one], session.clock.now())
    if as_json:
        print_json({**row, "events": events})
        return
    click.echo(f"campaign {campaign} to recipient {number}: {row['status']}"
               + (f", {row['waitingFor']}" if row["waitingFor"] else ""))  # fmt: skip
    own = ("position", "at", "topic", "by")
    print_rows(
        ["position", "when", "what", "by", "details"],
        [
            (None, one.queued_at, "queued", None, None),
            *(
                (event["position"], event["at"], event["topic"], event.get("by"),
                 {name: value for name, value in event.items() if name not in own})
                for event in events
            ),
        ],
    )  # fmt: skip
