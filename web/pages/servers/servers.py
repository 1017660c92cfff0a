"""SMTP servers for people: what each is set to and does; switching it on and off, and suspending it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, make_response, redirect, render_template, request
from werkzeug.wrappers import Response

from application.dashboard import throughput
from application.dashboard.model import share
from application.servers import Servers
from domain.errors import Missing, Refused
from domain.server.availability import in_force
from domain.server.settings import ServerSettings
from domain.streams import server_stream
from mail.smtp.probe import ProbeResult
from projections import availability, server_health
from projections.availability import Availability
from projections.server_health import Answers, Health
from projections.servers import Server
from projections.servers import servers as all_servers
from storage.secrets import with_password
from web.http.access import actor, needs
from web.http.services import reading, services
from web.pages.dashboard.rows import ServerRow, server_row
from web.pages.forms import back_to, duration, faults
from web.pages.log.event_descriptions import describe
from web.pages.log.events import newest_of_stream
from web.pages.notices import say
from web.pages.servers import server_charts
from web.pages.servers.server_charts import Picture

blueprint = Blueprint("server_pages", __name__)

HISTORY = 30

LENGTHS = [
    ("", "Until resumed"),
    ("1", "For an hour"),
    ("24", "For a day"),
    ("168", "For a week"),
]


@dataclass(frozen=True, kw_only=True)
class ServerBlock:
    """A server as its block shows it."""

    server: Server
    row: ServerRow
    facts: Sequence[tuple[str, Sequence[tuple[str, str]]]]
    has_password: bool
    is_suspended: bool
    health: Health | None
    share_failed: str
    picture: Picture


@blueprint.get("/servers")
@needs("read")
def listed() -> str:
    """Capacity of today at a glance; all of a server in its block."""
    now = services().clock.now()
    with reading() as cursor:
        found = blocks(cursor, now)
        timezone = availability.policy_of(cursor).timezone
    return render_template("servers/servers.html", blocks=found, timezone=timezone, opened=opened())


def opened() -> int | None:
    text = request.args.get("open", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def blocks(cursor: Any, now: datetime, number: int | None = None) -> list[ServerBlock]:
    """Of all servers, or of one."""
    settings = {one.server: one for one in all_servers(cursor)}
    health, hours = server_health.health(cursor), throughput.hourly(cursor, now)
    kept = with_password(cursor)
    return [
        block(
            settings[one.number],
            one,
            health.get(one.number),
            hours.get(one.number, []),
            one.number in kept,
            now,
        )
        for one in availability.capacity(cursor, now).servers
        if number in (None, one.number)
    ]


def block(
    server: Server,
    one: Availability,
    health: Health | None,
    answers: Sequence[Answers],
    kept: bool,
    now: datetime,
) -> ServerBlock:
    picture = server_charts.last_hours(throughput.last_hours(answers, now))
    bad, good = picture.chart.failed + picture.chart.deferred, picture.chart.accepted
    return ServerBlock(
        server=server,
        row=server_row(one),
        facts=facts(ServerSettings(**server.settings), kept),
        has_password=kept,
        is_suspended=in_force(server.suspension, now) is not None,
        health=health,
        share_failed=share(bad, bad + good) if bad + good else "",
        picture=picture,
    )


def facts(s: ServerSettings, kept: bool) -> list[tuple[str, list[tuple[str, str]]]]:
    """Every setting, in groups."""
    sliding = f"{s.sliding_window_rate:,} in any {duration(s.sliding_window_duration)}"
    return [
        ("Sending", [
            ("From", s.from_email),
            ("Daily limit", f"{s.daily_limit:,}" if s.daily_limit else "no limit"),
            ("Rolling limit", sliding if s.sliding_window else "off"),
            ("Own sending window", s.window or "Global schedule"),
        ]),
        ("Connection", [
            ("Host", s.host),
            ("Port", str(s.port)),
            ("Encryption", s.tls_type),
            ("Certificate", "not checked" if s.tls_skip_verify else "checked"),
            ("HELO host name", s.hello_hostname or "this machine’s"),
        ]),
        ("Sign-in", [
            ("Protocol", s.auth_protocol),
            ("User name", s.username or "–"),
            ("Password", "saved, encrypted" if kept else "none"),
        ]),
        ("Limits", [
            ("Maximum connections", str(s.max_conns)),
            ("Idle timeout", duration(s.idle_timeout)),
            ("Wait timeout", duration(s.wait_timeout)),
        ]),
    ]  # fmt: skip


@blueprint.get("/servers/<int:number>")
@needs("read")
def one(number: int) -> str:
    return page_of(number, None)


def page_of(number: int, probed: ProbeResult | None) -> str:
    now = services().clock.now()
    with reading() as cursor:
        found = next(iter(blocks(cursor, now, number)), None)
        if found is None:
            raise Missing(f"there is no server {number}")
        today = availability.policy_of(cursor).calendar.local_date(now)
        intervals, usages = throughput.days_of_server(cursor, number, today)
        days = server_charts.last_days(intervals)
        history = newest_of_stream(cursor, server_stream(number), HISTORY)
    names = {number: found.server.name}
    return render_template(
        "servers/server.html",
        block=found,
        days=days,
        usages=usages,
        history=[(event, describe(event.topic, event.state, names)) for event in history],
        stream=server_stream(number),
        probed=probed,
    )


@blueprint.post("/servers/<int:number>/enable")
@needs("configure")
def enable(number: int) -> Response:
    Servers(services()).enable(number, by=actor())
    return done(number, "is enabled")


@blueprint.post("/servers/<int:number>/disable")
@needs("configure")
def disable(number: int) -> Response:
    Servers(services()).disable(number, by=actor())
    return done(number, "is disabled and gets no more e-mails")


@blueprint.post("/servers/<int:number>/resume")
@needs("configure")
def resume(number: int) -> Response:
    Servers(services()).resume(number, by=actor())
    return done(number, "is resumed")


def done(number: int, what: str) -> Response:
    say(f"{services().application.server(number).settings.name} {what}.")
    return redirect(back_to("/servers"), 303)


@blueprint.get("/servers/<int:number>/suspend")
@needs("configure")
def ask_to_suspend(number: int) -> Response:
    return suspend_form(number, {"reason": "", "hours": "", "until": ""}, {})


@blueprint.post("/servers/<int:number>/suspend")
@needs("configure")
def suspend(number: int) -> Response:
    given = {name: request.form.get(name, "")[:500] for name in ("reason", "hours", "until")}
    try:
        Servers(services()).suspend(number, given["reason"], suspension_end(given), by=actor())
    except Missing:
        raise
    except Refused as refused:
        return suspend_form(number, given, faults(refused), 400)
    return done(number, "is suspended")


def suspension_end(given: Mapping[str, str]) -> datetime | None:
    """A date and time wins over a length; both empty is until somebody resumes it."""
    now = services().clock.now()
    if given["until"]:
        zone = ZoneInfo(services().application.policy().timezone)
        try:
            at = datetime.fromisoformat(given["until"])
            return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)
        except (ValueError, OverflowError):
            raise Refused("until: a date and time is expected", "until") from None
    if given["hours"] not in dict(LENGTHS):
        raise Refused("hours: one of the choices is expected", "hours")
    return now + timedelta(hours=int(given["hours"])) if given["hours"] else None


def suspend_form(
    number: int, values: Mapping[str, str], errors: Mapping[str, str], status: int = 200
) -> Response:
    server = services().application.server(number)
    page = render_template(
        "servers/server_suspend.html",
        number=number,
        name=server.settings.name,
        values=values,
        errors=errors,
        lengths=LENGTHS,
        timezone=services().application.policy().timezone,
    )
    return make_response(page, status)
