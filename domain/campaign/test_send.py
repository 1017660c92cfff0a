"""Trials: e-mails of a campaign that somebody sent to an address of their choice before it was started."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from domain.fact import Fact


@dataclass(frozen=True, kw_only=True)
class Tried(Fact):
    """One e-mail. `outcome` is accepted, refused or unknown; `reservation` the version of Reserved in the
    server's capacity stream; `recipient` who has that address, None when nobody in the directory does."""

    TOPIC: ClassVar[str] = "campaign.tried"
    server: int
    reservation: int
    outcome: str
    reply: str
    recipient: int | None = None
