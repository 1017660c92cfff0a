"""`postledger campaign list` and `show`, and what the other commands say of a campaign in the end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from domain.campaign.campaign import Campaign
from domain.campaign.content import TEXT_FIELDS
from domain.campaign.state import State
from domain.streams import campaign_stream
from postledger.cli.context import Settings, pass_settings
from postledger.cli.lookup import AUTOMATIC, campaign_number
from postledger.cli.output import choice, json_option, print_fields, print_json, print_rows
from postledger.session import Session
from postledger.terminal import write
from projections import campaign_progress
from projections.campaign_progress import Progress
from storage import content
from storage.people import directory

BEGINNING = 60
"""Characters of a text that are shown."""


@click.command("list")
@click.option("--state", multiple=True, type=choice(State), help="May be repeated.")
@click.option("--transactional", is_flag=True, help="Transactional campaigns instead.")
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
                cursor, [State(one) for one in state] or None, limit, before, transactional=transactional
            )
    if as_json:
        print_json([_summary(one) for one in found])
        return
    print_rows(
        ["number", "name", "state", "priority", "queued", "sending", "sent", "failed", "other"],
        [(one.campaign, one.name, one.state, one.priority, *_figures(one)) for one in found],
    )


def _figures(one: Progress) -> tuple[int, int, int, int, int]:
    counts = one.counts
    queued, sending, sent, failed = (counts[name] for name in ("queued", "sending", "sent", "failed"))
    return queued, sending, sent, failed, one.total - queued - sending - sent - failed


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


@click.command()
@click.argument("name", metavar="CAMPAIGN")
@json_option
@pass_settings
def show(settings: Settings, /, name: str, as_json: bool) -> None:
    """One campaign: how its texts begin (with --json: their hashes), its lists, its state and counts."""
    with settings.session() as session:
        report(session, campaign_number(session, name), as_json, everything=True)


def report(session: Session, number: int, as_json: bool, *, everything: bool = False) -> None:
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
        print_fields({**values, **_beginnings(session, values), "lists": lists, **counts})
    else:
        write(f"campaign {number}: {progress.name} is {progress.state}")


def _beginnings(session: Session, values: Mapping[str, Any]) -> dict[str, str]:
    """In the place of the hashes."""
    hashes = {name: values[name] for name in TEXT_FIELDS if values[name] is not None}
    with session.pool.transaction() as cursor:
        texts = content.texts_of(cursor, set(hashes.values()))
    return {name: _beginning(texts[one]) for name, one in hashes.items()}


def _beginning(text: str) -> str:
    words = " ".join(text[: 4 * BEGINNING].split())
    shown = words if len(words) <= BEGINNING else f"{words[:BEGINNING].rstrip()} …"
    return f"{shown} ({len(text):,} characters)"


def _messenger_name(session: Session, aggregate: Campaign) -> str:
    if aggregate.messenger is None:
        return AUTOMATIC
    return session.application.server(aggregate.messenger).settings.name
