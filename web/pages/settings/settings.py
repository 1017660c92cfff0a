"""The sending policy for people: when e-mail may go out, how it is tried again, how the processor works."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from flask import Blueprint, make_response, redirect, render_template, request
from werkzeug.wrappers import Response

from application.policy import Policy
from domain.calendar import parse_windows
from domain.capacity.plan import Strategy
from domain.errors import Refused
from domain.policy import SendingPolicy
from domain.streams import policy_stream
from web.http.access import actor, needs
from web.http.services import reading, services
from web.pages.forms import duration, faults, seconds, whole
from web.pages.log.event_descriptions import describe
from web.pages.log.events import newest_of_stream
from web.pages.notices import say
from web.pages.settings.week import NAMES, clock, now_at, week

blueprint = Blueprint("settings_pages", __name__)

DURATIONS = ("retry_first", "retry_cap", "poll_interval", "first_suspension", "max_suspension")
NUMBERS = ("retry_attempts", "retry_hours", "batch")
TEXTS = ("timezone", "default_from", "public_address")
LEAST_ROWS, MOST_ROWS = 2, 8
LONGEST_TEXT = 20_000
HISTORY = 10

STRATEGIES = [
    (Strategy.MOST_REMAINING, "The server with the most remaining capacity of its day"),
    (Strategy.WEIGHTED_ROUND_ROBIN, "All servers in turn, weighted by remaining capacity"),
]


@blueprint.get("/settings")
@needs("read")
def shown() -> Response:
    policy = Policy(services()).in_force()
    return page(policy, typed(policy), {})


@blueprint.post("/settings")
@needs("configure")
def change() -> Response:
    policy = Policy(services()).in_force()
    given = from_form()
    try:
        if request.form.get("version") != str(policy.version):
            raise Refused(
                "somebody changed the settings after you opened this page. Check your input, "
                "then save again to apply it"
            )
        changes = checked(given)
        Policy(services()).change(changes, by=actor())
    except Refused as refused:
        return page(policy, given, faults(refused), 400)
    say("Settings saved. They apply from now on.")
    return redirect("/settings", 303)


def from_form() -> dict[str, Any]:
    """What was typed, as the form shows it again."""
    form = request.form
    given: dict[str, Any] = {
        name: form.get(name, "")[:LONGEST_TEXT]
        for name in (*DURATIONS, *NUMBERS, *TEXTS, "strategy", "holidays")
    }
    opens, closes = form.getlist("opens")[:MOST_ROWS], form.getlist("closes")[:MOST_ROWS]
    given["windows"] = [(a[:20], b[:20]) for a, b in zip(opens, closes, strict=False)]
    given["weekdays"] = [day for day in range(1, 8) if str(day) in form.getlist("weekdays")]
    given["resend_unknown"] = bool(form.get("resend_unknown"))
    return given


def checked(given: Mapping[str, Any]) -> dict[str, Any]:
    """As the rules take it: what is no number or duration goes on as it is, and is refused there. Raises
    Refused for windows that are typed by half."""
    changes: dict[str, Any] = {name: seconds(given[name]) for name in DURATIONS}
    changes |= {name: whole(given[name]) for name in NUMBERS}
    changes |= {name: given[name] for name in (*TEXTS, "strategy", "weekdays", "resend_unknown")}
    changes["windows"] = windows_text(given["windows"])
    changes["holidays"] = dates_of(given["holidays"])
    return changes


def windows_text(rows: Sequence[tuple[str, str]]) -> str:
    """Rows left empty do not count; 00:00 as an end is the end of the day."""
    parts = []
    for opens, closes in ((opens.strip(), closes.strip()) for opens, closes in rows):
        if not opens and not closes:
            continue
        if not opens or not closes:
            raise Refused("windows: enter both an opening and a closing time", "windows")
        parts.append(f"{opens[:5]}-{'24:00' if closes[:5] == '00:00' else closes[:5]}")
    return ",".join(parts)


def dates_of(text: str) -> list[str]:
    return [word for word in re.split(r"[\s,;]+", text) if word]


def typed(policy: SendingPolicy) -> dict[str, Any]:
    values: dict[str, Any] = {name: duration(getattr(policy, name)) for name in DURATIONS}
    values |= {name: getattr(policy, name) for name in (*NUMBERS, *TEXTS, "strategy", "resend_unknown")}
    windows = parse_windows(policy.windows)
    values["windows"] = [(clock(opens), clock(closes % (24 * 60))) for opens, closes in windows]
    values["weekdays"] = list(policy.weekdays)
    values["holidays"] = "\n".join(policy.holidays)
    return values


def page(
    policy: SendingPolicy, values: Mapping[str, Any], errors: Mapping[str, str], status: int = 200
) -> Response:
    now = services().clock.now()
    local = now.astimezone(ZoneInfo(policy.timezone))
    with reading() as cursor:
        history = newest_of_stream(cursor, policy_stream(), HISTORY)
    rows = list(values["windows"])
    blank = [("", "")] * max(1, LEAST_ROWS - len(rows))
    rendered = render_template(
        "settings/settings.html",
        policy=policy,
        values=values,
        errors=errors,
        windows=(rows + blank)[:MOST_ROWS],
        week=week(policy.calendar, local.date()),
        now_at=now_at(local),
        local=local,
        names=list(enumerate(NAMES, 1)),
        holidays=coming(policy, local.date()),
        opens=policy.calendar.opens_at(now),
        closes=policy.calendar.closes_at(now),
        now=now,
        timezones=sorted(available_timezones()),
        strategies=STRATEGIES,
        public_url=services().public_url,
        history=[(event, describe(event.topic, event.state, {})) for event in history],
        stream=policy_stream(),
    )
    return make_response(rendered, status)


def coming(policy: SendingPolicy, today: date) -> list[date]:
    days = (date.fromisoformat(day) for day in policy.holidays)
    return [day for day in days if day >= today]
