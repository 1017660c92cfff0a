"""Forecasts through the API: of a campaign as things are, or as they would be."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

from flask import Blueprint
from pydantic import Field

from application.forecasts import situations
from application.forecasts.description import headline
from domain.calendar import parse_windows
from domain.campaign.priority import Priority
from domain.capacity.capacity import LONGEST_WINDOW
from domain.clock import instant
from domain.forecast.bottleneck import Assessment, BottleneckCode, Change, Situation, assess
from domain.forecast.forecast import Day, Demand
from domain.forecast.sender import EVER, Sender
from domain.server.settings import BOUNDS, LONGEST
from web.http.contract import endpoint
from web.http.errors import Refusal
from web.http.heavy_requests import heavy
from web.http.services import reading, services
from web.http.shapes import Answer, Body, Digits, Instant, Line, Query, Told, Whole

blueprint = Blueprint("forecast", __name__)

IMAGINED = 0
"""The number of a campaign that is not there."""


class ForecastQuery(Query):
    campaign_id: Annotated[int, Digits()]


class ServerChange(Body):
    """Of the server `id`, or of one more where there is none."""

    id: Annotated[int, Whole()] | None = None
    enabled: Annotated[bool, Field(description="As if it were enabled and not suspended, or disabled.")] = (
        True
    )
    daily_limit: Annotated[int, Whole(*BOUNDS["daily_limit"])] = 0
    sliding_window_rate: Annotated[
        int, Whole(*BOUNDS["sliding_window_rate"]), Field(description="0: no rolling limit.")
    ] = 0
    sliding_window_duration: Annotated[int, Whole(1, LONGEST_WINDOW)] = 3600
    window: Annotated[str, Line(LONGEST["window"])] = ""


class WhatIf(Body):
    """A campaign as it would be: the one of `campaign_id`, or one that is not there, for which `recipients`
    are needed. `server_id` is the only one that it may go through, 0 for automatic."""

    campaign_id: Annotated[int, Whole()] | None = None
    recipients: Annotated[int, Whole(0, 100_000_000)] | None = None
    priority: Priority | None = None
    server_id: Annotated[int, Whole(0)] | None = None
    send_at: Instant | None = None
    servers: Annotated[list[ServerChange], Field(max_length=100)] = Field(default_factory=list)


class ServerShare(Answer):
    id: int
    name: str
    count: int


class DayAnswer(Answer):
    """`others` are e-mails of other campaigns; `capacity` is what the servers could have taken."""

    date: str
    total: int
    others: int
    capacity: int
    servers: list[ServerShare]


class BottleneckAnswer(Answer):
    code: BottleneckCode
    text: str


class ChangeAnswer(Answer):
    code: str
    text: str
    finish: Told


class ForecastAnswer(Answer):
    """`recipients` of a draft to several large lists are reckoned, to three digits, not counted. `left` does
    not go out within the horizon; `finish` is null then. `changes` would bring the finish forward. With
    `is_speed_assumed` no speed was measured yet of some server."""

    headline: str
    recipients: int
    start: Told | None
    finish: Told | None
    timezone: str
    days: list[DayAnswer]
    left: int
    others: int
    bottleneck: BottleneckAnswer
    changes: list[ChangeAnswer]
    is_speed_assumed: bool


@endpoint(
    blueprint, "GET", "/api/forecast", needs="read", query=ForecastQuery, answer=ForecastAnswer, errors=(404,)
)
def as_it_is(query: ForecastQuery) -> dict[str, Any]:
    """When a campaign will have gone out, day by day and server by server

    From the same plan that sends. A draft counts as if it were started at once, a paused campaign as if it
    went on at once.
    """
    with heavy():
        return told(situation_of(query.campaign_id))


@endpoint(
    blueprint, "POST", "/api/forecast",
    needs="read", body=WhatIf, answer=ForecastAnswer, errors=(404,), changes_nothing=True,
)  # fmt: skip
def as_it_would_be(body: WhatIf) -> dict[str, Any]:
    """When a campaign would have gone out, with other recipients, servers or limits

    Changes nothing.
    """
    with heavy():
        found = wanted(body)
        for change in body.servers:
            found = found.with_sender(changed(found, change))
        return told(found)


def situation_of(campaign: int) -> Situation:
    """Raises Missing."""
    with reading() as cursor:
        return situations.situation(cursor, campaign, services().clock.now(), services().audiences)


def wanted(body: WhatIf) -> Situation:
    if body.campaign_id is None and body.recipients is None:
        message = "recipients: needed for a campaign that is not there."
        raise Refusal(400, message, fields={"recipients": message})
    if body.campaign_id is not None:
        found = situation_of(body.campaign_id)
    else:
        with reading() as cursor:
            demand = Demand(campaign=IMAGINED, count=0)
            found = situations.imagined(cursor, demand, services().clock.now(), services().audiences)
    changes: dict[str, Any] = {"count": body.recipients, "priority": body.priority, "starts": body.send_at}
    given = {name: value for name, value in changes.items() if value is not None}
    if body.server_id is not None:
        given["server"] = body.server_id or None
    return found.with_demand(**given)


def changed(found: Situation, change: ServerChange) -> Sender:
    """Raises Refused for a window that is none, Refusal 404 for a server that is not there."""
    parse_windows(change.window, "window")
    sender = next((one for one in found.senders if one.server == change.id), None)
    if change.id is not None and sender is None:
        raise Refusal(404, f"There is no server {change.id}.")
    given = change.model_fields_set
    if sender is None:
        extra = min([0, *(one.server for one in found.senders)]) - 1
        sender, given = Sender(server=extra), set(ServerChange.model_fields)
    if "enabled" in given:
        sender = replace(sender, usable_from=EVER if change.enabled else None)
    if "daily_limit" in given:
        sender = replace(sender, daily_limit=change.daily_limit)
    if given & {"sliding_window_rate", "sliding_window_duration"}:
        rolling = (change.sliding_window_rate, float(change.sliding_window_duration))
        sender = replace(sender, rolling=rolling if change.sliding_window_rate else None)
    if "window" in given:
        sender = replace(sender, window=change.window or None)
    return sender


def told(situation: Situation) -> dict[str, Any]:
    found: Assessment = assess(situation)
    forecast, today = found.forecast, situation.policy.calendar.local_date(situation.now)
    last = forecast.finish_day
    takes = None if last is None else (last - today).days + 1
    return {
        "headline": headline(forecast.recipients, takes, bool(forecast.days)),
        "recipients": forecast.recipients,
        "start": instant(forecast.start),
        "finish": instant(forecast.finish),
        "timezone": situation.policy.timezone,
        "days": [day_row(day, situation) for day in forecast.days],
        "left": forecast.left,
        "others": forecast.others,
        "bottleneck": {"code": found.bottleneck.code, "text": found.bottleneck.text},
        "changes": [change_row(change) for change in found.changes],
        "is_speed_assumed": forecast.is_speed_assumed,
    }


def day_row(day: Day, situation: Situation) -> dict[str, Any]:
    """A server that is not there has a negative number."""
    shares = [
        {"id": number, "name": situation.names.get(number, "one more"), "count": count}
        for number, count in sorted(day.servers.items())
    ]
    return {
        "date": day.date.isoformat(),
        "total": day.total,
        "others": day.others,
        "capacity": day.capacity,
        "servers": shares,
    }


def change_row(change: Change) -> dict[str, Any]:
    return {"code": change.code, "text": change.text, "finish": instant(change.finish)}
