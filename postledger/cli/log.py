"""`postledger log …` and `postledger projections …`: the record itself, and what is derived from it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict

import click

from application.event_log import EventLog
from postledger.cli.context import Settings, pass_settings
from postledger.cli.output import json_option, print_json, print_rows, progress_to, shown, to_json
from postledger.terminal import write
from projections.following import schema
from projections.following.check import check as check_projections
from projections.following.rebuild import rebuild as rebuild_projections
from storage.log.feed import Recorded
from storage.log.verify import verify as verify_log


@click.group("log")
def log() -> None:
    """The append-only log of everything that happened."""


@log.command()
@click.option("-n", "count", type=click.IntRange(0, 10_000), default=20, show_default=True)
@click.option("--topic", help="Only topics with this prefix, such as delivery. or campaign.started")
@click.option("-f", "--follow", is_flag=True, help="Keep printing new events until Ctrl-C.")
@json_option
@pass_settings
def tail(settings: Settings, /, count: int, topic: str | None, follow: bool, as_json: bool) -> None:
    """The last events; with --json one object a line."""
    with settings.session() as session:
        event_log = EventLog(session)
        events = event_log.newest(count, topic or "")
        head = events[-1].position if events else event_log.head()
        _print_events(events, as_json)
        if follow:
            with suppress(KeyboardInterrupt):
                _print_events(event_log.follow(head, topic or ""), as_json)


def _print_events(events: Iterable[Recorded], as_json: bool) -> None:
    for event in events:
        state = json.loads(event.state)
        if as_json:
            print_json(
                {"position": event.position, "recorded_at": event.recorded_at, "stream": event.stream,
                 "version": event.version, "topic": event.topic, "state": state}
            )  # fmt: skip
        else:
            when = shown(event.recorded_at)
            write(f"{event.position:>9}  {when}  {event.topic}  {to_json(state)}")
        sys.stdout.flush()


@log.command()
@click.option("--since", type=click.IntRange(1), default=1, help="Start at this position.")
@json_option
@pass_settings
def verify(settings: Settings, /, since: int, as_json: bool) -> None:
    """Recompute the chain of hashes. Exit code 1 and the first broken position when anything was changed."""
    with settings.session() as session:
        with session.pool.transaction() as cursor:
            head = schema.log_head(cursor)
        with progress_to("Verifying", hidden=as_json) as reached:
            try:
                verdict = verify_log(session.pool, since, lambda position: reached(position, head))
            except ValueError as error:
                raise click.ClickException(str(error)) from None
    is_sound = verdict.broken is None
    if as_json:
        print_json({"ok": is_sound, "broken": verdict.broken, "reason": verdict.reason,
                    "events": verdict.events, "head": verdict.head})  # fmt: skip
    elif is_sound:
        write(f"the log is sound: {verdict.events} events, up to position {verdict.head}")
    if not is_sound:
        raise click.ClickException(f"the log is broken at position {verdict.broken}: {verdict.reason}")


@click.group("projections")
def projections() -> None:
    """What is derived from the log: can be checked and made anew at any time."""


@projections.command("list")
@json_option
@pass_settings
def list_(settings: Settings, /, as_json: bool) -> None:
    """How far each projection has come in the log."""
    with settings.session() as session, session.pool.transaction() as cursor:
        positions = schema.positions(cursor)
        outdated = set(schema.outdated(cursor))
        head = schema.log_head(cursor)
    values = [
        {"projection": name, "position": position, "behind": head - position, "outdated": name in outdated}
        for name, position in sorted(positions.items())
    ]
    if as_json:
        print_json(values)
    else:
        print_rows(["projection", "position", "behind", "outdated"], [tuple(one.values()) for one in values])


@projections.command()
@json_option
@pass_settings
def check(settings: Settings, /, as_json: bool) -> None:
    """Fold the log anew beside the tables in use and compare. Exit code 1 when they differ."""
    with settings.session() as session, progress_to("Folding", hidden=as_json) as reached:
        differences = check_projections(session.pool, progress=reached)
    if as_json:
        print_json({"ok": not differences, "differences": [asdict(one) for one in differences]})
    elif differences:
        columns = ["projection", "table", "rows only in use", "rows only from the log"]
        print_rows(columns, [(d.projection, d.table, d.only_live, d.only_rebuilt) for d in differences])
    if differences:
        raise click.ClickException(
            "the projections differ from the log: run `postledger projections rebuild`"
        )
    if not as_json:
        write("every projection matches the log")


@projections.command()
@click.argument("names", nargs=-1)
@json_option
@pass_settings
def rebuild(settings: Settings, /, names: tuple[str, ...], as_json: bool) -> None:
    """Make projections (NAMES, default all) anew from the log; the old tables are in use until then."""
    with settings.session() as session:
        with session.pool.transaction() as cursor:
            unknown = set(names) - schema.positions(cursor).keys()
        if unknown:
            raise click.ClickException(f"there is no projection {', '.join(sorted(unknown))}")
        with progress_to("Rebuilding", hidden=as_json) as reached:
            rebuild_projections(session.pool, list(names) or None, reached)
    if as_json:
        print_json({"rebuilt": list(names) or "all"})
    else:
        write(f"rebuilt: {', '.join(names) or 'all'}")
