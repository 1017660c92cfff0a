"""Where a campaign stands, and what that allows; what it says and to whom."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from domain.campaign.content import CONTENT_FIELDS
from domain.campaign.state import State
from domain.errors import Refused

DISCARDED = "discarded"
"""The reason of a cancellation before the start."""


class CampaignCourse:
    """The questions that a campaign answers; domain.campaign.campaign has what changes the answers."""

    name: str
    subject: str
    text: str | None
    html: str | None
    lists: list[int]
    messenger: int | None
    priority: str
    headers: list[list[str]]
    template: int | None
    body: str | None
    content_type: str
    tags: list[str]
    attributes: dict[str, Any]
    planned_for: str | None
    transactional: bool
    state: State
    send_at: datetime | None
    recipients: int | None
    started_as: str | None

    def is_queueing(self) -> bool:
        """Started, and part of the audience may still have to be queued."""
        return self.state.is_started and not self.has_finished_queueing() and not self.transactional

    def has_finished_queueing(self) -> bool:
        return self.recipients is not None

    def is_due(self, at: datetime) -> bool:
        return self.state is State.SCHEDULED and self.send_at is not None and self.send_at <= at

    @property
    def rendered_name(self) -> str:
        """What templates see as `campaign.name`. It is fixed with the start, as all that is sent: who renames
        a paused campaign gives it another name on the pages, and none in its later e-mails."""
        return self.name if self.started_as is None else self.started_as

    @property
    def content(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in CONTENT_FIELDS}

    def _only_from(self, allowed: Iterable[State], become: str) -> None:
        if self.state not in allowed:
            hint = "; unschedule it first" if self._is_scheduled_for(become) else ""
            raise Refused(
                f"a {self.state} campaign cannot be {become}, only one that is {' or '.join(allowed)}{hint}",
                "status",
            )

    def _is_scheduled_for(self, become: str) -> bool:
        return self.state is State.SCHEDULED and become in (State.CANCELLED, State.SCHEDULED)
