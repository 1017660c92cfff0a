"""`postledger campaign estimate`: how long a campaign will take, day by day and server by server."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click

from application.forecasts.description import forecast_view
from application.forecasts.situations import situation
from domain.forecast.bottleneck import Assessment, Situation, assess
from postledger.cli.context import Settings, pass_settings
from postledger.cli.lookup import campaign_number
from postledger.cli.output import json_option, print_json, print_rows
from postledger.cli.values import Moment, instant
from postledger.terminal import write


@click.command()
@click.argument("name", metavar="CAMPAIGN")
@click.option("--send-at", type=Moment(), help="As if started at this time (in the policy's time zone).")
@click.option("--servers", is_flag=True, help="Server by server as well.")
@json_option
@pass_settings
def estimate(
    settings: Settings, /, name: str, send_at: datetime | None, servers: bool, as_json: bool
) -> None:
    """When it will have gone out, what holds it up, and what would change that. Nothing is started."""
    with settings.session() as session:
        number = campaign_number(session, name)
        with session.reading() as cursor:
            found = situation(cursor, number, session.clock.now())
        if send_at is not None:
            found = found.with_demand(starts=instant(send_at, found.policy.timezone))
        told = assess(found)
    if as_json:
        print_json(_as_json(found, told))
    else:
        _print(found, told, servers)


def _as_json(found: Situation, told: Assessment) -> dict[str, Any]:
    forecast = told.forecast
    return {
        "campaign": found.campaign,
        "recipients": forecast.recipients,
        "start": forecast.start,
        "finish": forecast.finish,
        "left": forecast.left,
        "others": forecast.others,
        "days": [
            {
                "date": day.date,
                "emails": day.total,
                "others": day.others,
                "servers": {found.names[server]: n for server, n in sorted(day.servers.items())},
            }
            for day in forecast.days
        ],
        "bottleneck": {"code": told.bottleneck.code, "text": told.bottleneck.text},
        "changes": [
            {"code": change.code, "text": change.text, "finish": change.finish, "amount": change.amount}
            for change in told.changes
        ],
    }


def _print(found: Situation, told: Assessment, servers: bool) -> None:
    view = forecast_view(found, told)
    write(view.headline, bold=True)
    recipients = f"about {view.recipients:,}" if view.is_approximate else f"{view.recipients:,}"
    if view.finish:
        write(f"{recipients} e-mails, the last one on {view.finish_title}, in {view.timezone}")
    elif view.recipients:
        write(f"{view.left:,} of {recipients} e-mails would still be queued")
    if view.days:
        print_rows(["day", "e-mails", "other campaigns"], [(d.title, d.total, d.others) for d in view.days])
    if servers and view.servers:
        print_rows(
            ["server", *(f"{column.date:%a} {column.date.day}" for column in view.columns), "total"],
            [(row.name, *row.counts, row.total) for row in view.servers],
        )
    write(f"Bottleneck: {view.bottleneck}")
    if view.is_speed_assumed:
        write("Speed of some servers not measured yet; assuming 5 e-mails/s.")
    if view.is_queue_paused:
        write("The queue is paused; this estimate assumes that it is resumed now.")
    for change in view.changes:
        write(f"  {change.text}: {change.title}")
