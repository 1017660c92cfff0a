"""The sending policy through the API: when e-mail may go out, how failures are retried."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from flask import Blueprint
from pydantic import ConfigDict, Field

from application.policy import Policy
from domain.addresses.mailbox import LONGEST as LONGEST_MAILBOX
from domain.addresses.public_url import LONGEST as LONGEST_URL
from domain.calendar import LONGEST_WINDOWS
from domain.capacity.plan import Strategy
from domain.policy import BOUNDS, LONGEST_TIMEZONE, MOST_HOLIDAYS
from domain.streams import policy_stream
from web.http.access import actor
from web.http.contract import endpoint
from web.http.if_match import OfStream
from web.http.services import services
from web.http.shapes import Answer, Body, Line, Whole, without_defaults
from web.http.versions import Versioned

blueprint = Blueprint("policy", __name__)

Weekdays = Annotated[
    list[Annotated[int, Whole(1, 7)]],
    Field(min_length=1, max_length=7, description="ISO numbers: 1 is Monday."),
]
Holidays = Annotated[
    list[Annotated[str, Field(pattern="^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]],
    Field(max_length=MOST_HOLIDAYS, description="Dates on which nothing is begun."),
]


class PolicyAnswer(Answer):
    """`windows` is as `08:00-20:00,22:00-06:00`, empty for always. Seconds: `retry_first`, `retry_cap`,
    `poll_interval`, `first_suspension`, `max_suspension`. While `queue_paused`, no attempt is begun.
    `default_from` is the From of servers that are added without one, `public_address` where unsubscribe links
    lead, empty for the configured public URL."""

    timezone: str
    windows: str
    weekdays: list[int]
    holidays: list[str]
    retry_first: int
    retry_cap: int
    retry_attempts: int
    retry_hours: int
    poll_interval: int
    batch: int
    strategy: Strategy
    resend_unknown: bool
    first_suspension: int
    max_suspension: int
    queue_paused: bool
    default_from: str
    public_address: str


class PolicyChanges(Body):
    """What is not given stays as it is."""

    model_config = ConfigDict(json_schema_extra=without_defaults)

    timezone: Annotated[str, Line(LONGEST_TIMEZONE, 1)] = "UTC"
    windows: Annotated[str, Line(LONGEST_WINDOWS)] = ""
    weekdays: Weekdays = Field(default_factory=list)
    holidays: Holidays = Field(default_factory=list)
    retry_first: Annotated[int, Whole(*BOUNDS["retry_first"])] = 1
    retry_cap: Annotated[int, Whole(*BOUNDS["retry_cap"])] = 1
    retry_attempts: Annotated[int, Whole(*BOUNDS["retry_attempts"])] = 1
    retry_hours: Annotated[int, Whole(*BOUNDS["retry_hours"])] = 1
    poll_interval: Annotated[int, Whole(*BOUNDS["poll_interval"])] = 1
    batch: Annotated[int, Whole(*BOUNDS["batch"])] = 1
    strategy: Strategy = Strategy.MOST_REMAINING
    resend_unknown: bool = False
    first_suspension: Annotated[int, Whole(*BOUNDS["first_suspension"])] = 1
    max_suspension: Annotated[int, Whole(*BOUNDS["max_suspension"])] = 1
    queue_paused: bool = False
    default_from: Annotated[str, Line(LONGEST_MAILBOX)] = ""
    public_address: Annotated[str, Line(LONGEST_URL)] = ""


@endpoint(blueprint, "GET", "/api/policy", needs="read", answer=PolicyAnswer, versioned=True)
def policy() -> Versioned:
    """The sending policy"""
    found = asdict(Policy(services()).in_force())
    version = found.pop("version")
    return Versioned(found, version)


@endpoint(
    blueprint, "PUT", "/api/policy",
    needs="configure", body=PolicyChanges, answer=PolicyAnswer, errors=(409,), versioned=True,
    if_match=OfStream(policy_stream),
)  # fmt: skip
def change(body: PolicyChanges) -> Versioned:
    """Change the sending policy; what is not given stays. In force within a second"""
    changes: dict[str, Any] = body.model_dump(exclude_unset=True)
    Policy(services()).change(changes, by=actor())
    return policy()
