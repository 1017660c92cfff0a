"""Test e-mails of a campaign, sent to addresses of somebody's choice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from domain.fact import Fact


@dataclass(frozen=True, kw_only=True)
class SendTestStarted(Fact):
    """One e-mail, committed before its MAIL FROM. `reservation` is the version of Reserved in the server's
    capacity stream; `recipient` who has that address, None when nobody in the directory does."""

    TOPIC: ClassVar[str] = "campaign.test_started"
    server: int
    reservation: int
    recipient: int | None = None


@dataclass(frozen=True, kw_only=True)
class SendTestEnded(Fact):
    """How it ended. `outcome` is accepted, refused or unknown; `started` the version of SendTestStarted, None
    where a release that had none wrote it; `code` that of the reply, None where there was none, and where a
    release that had it in `reply` wrote it."""

    TOPIC: ClassVar[str] = "campaign.tried"
    server: int
    reservation: int
    outcome: str
    reply: str
    recipient: int | None = None
    started: int | None = None
    code: int | None = None
