"""The states of a campaign, and what each allows."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    DRAFT = "draft"
    SCHEDULED = "scheduled"
    RUNNING = "running"
    PAUSED = "paused"
    FINISHED = "finished"
    CANCELLED = "cancelled"

    @property
    def is_over(self) -> bool:
        return self in OVER

    @property
    def is_started(self) -> bool:
        """Running or paused: its content is fixed and its audience is queued or being queued."""
        return self in STARTED

    @property
    def is_editable(self) -> bool:
        return self in NOT_STARTED

    @property
    def may_send(self) -> bool:
        """Whether its queued e-mails may go out, by its state alone. In a finished campaign nothing is queued
        but what somebody has put back."""
        return self in SENDING

    @property
    def cancels_queued(self) -> bool:
        """Whether what is queued in such a campaign counts as cancelled, without an event of its own, and
        nothing is put back."""
        return self is State.CANCELLED


NOT_STARTED = (State.DRAFT, State.SCHEDULED)
STARTED = (State.RUNNING, State.PAUSED)
OVER = (State.FINISHED, State.CANCELLED)
SENDING = (State.RUNNING, State.FINISHED)
