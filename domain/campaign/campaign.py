"""A campaign from draft to finished.

    draft -> scheduled -> running <-> paused       running -> finished
    draft -> running    scheduled -> draft         running, paused -> cancelled
    draft, scheduled -> cancelled (discarded)

A transactional campaign is opened running and queues a message whenever one is asked for; it never finishes.

A campaign that was started queues its audience in steps; it can be paused and cancelled meanwhile,
and finishes only after queueing has.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import UTC, datetime
from typing import Any, ClassVar, Self
from uuid import UUID

from eventsourcing.domain import Aggregate, event

from domain import fields
from domain.campaign.content import (
    CONTENT_FIELDS,
    ContentEdited,
    checked_changes,
    checked_content,
    checked_transactional_content,
)
from domain.campaign.course import DISCARDED, CampaignCourse
from domain.campaign.priority import Priority
from domain.campaign.state import NOT_STARTED, STARTED, State
from domain.errors import Refused
from domain.streams import campaign_stream

_EDITABLE_WHILE_PAUSED = frozenset({"name", "priority", "tags"})


class Campaign(CampaignCourse, Aggregate):
    """`text` and `html` are SHA-256 in hexadecimal of contents kept elsewhere, or None; `messenger` is
    the number of the only server to use, None for automatic; `headers` are [name, value].

    `body` is the SHA-256 of the body as its author wrote it, where that is not `html` or `text` itself: from
    its `content_type`, and the `template` around it, those two were made. `attributes` are for templates.
    `planned_for` is when to start it, an ISO 8601 instant that means nothing before it is scheduled."""

    TOPIC: ClassVar[str] = "campaign"

    class Event(Aggregate.Event):
        """`STATE` is what the campaign is after it, None where it stays what it was."""

        TOPIC: ClassVar[str]
        STATE: ClassVar[State | None] = None
        by: str

        def apply(self, aggregate: Any) -> None:
            if self.STATE is not None:
                aggregate.state = self.STATE

    class Created(Event, Aggregate.Created):
        TOPIC: ClassVar[str] = "campaign.created"
        number: int
        name: str
        subject: str
        text: str | None
        html: str | None
        lists: list[int]
        messenger: int | None
        priority: str
        headers: list[list[str]]
        template: int | None = None
        body: str | None = None
        content_type: str = "html"
        tags: list[str] = field(default_factory=list)
        attributes: dict[str, Any] = field(default_factory=dict)
        planned_for: str | None = None
        transactional: bool = False

        def apply(self, aggregate: Any) -> None:
            for name in CONTENT_FIELDS:
                setattr(aggregate, name, getattr(self, name))

    class Edited(ContentEdited, Event):
        TOPIC: ClassVar[str] = "campaign.edited"
        changes: dict[str, Any]

    class Scheduled(Event):
        """`send_at` is an ISO 8601 instant in UTC."""

        TOPIC: ClassVar[str] = "campaign.scheduled"
        STATE = State.SCHEDULED
        send_at: str

    class Unscheduled(Event):
        TOPIC: ClassVar[str] = "campaign.unscheduled"
        STATE = State.DRAFT

    class Started(Event):
        TOPIC: ClassVar[str] = "campaign.started"
        STATE = State.RUNNING

    class QueueingFinished(Event):
        TOPIC: ClassVar[str] = "campaign.queueing_finished"
        recipients: int

    class Paused(Event):
        TOPIC: ClassVar[str] = "campaign.paused"
        STATE = State.PAUSED
        reason: str

    class Resumed(Event):
        TOPIC: ClassVar[str] = "campaign.resumed"
        STATE = State.RUNNING
        reason: str = ""

    class Cancelled(Event):
        TOPIC: ClassVar[str] = "campaign.cancelled"
        STATE = State.CANCELLED
        reason: str

    class Finished(Event):
        TOPIC: ClassVar[str] = "campaign.finished"
        STATE = State.FINISHED

    class PriorityChanged(Event):
        TOPIC: ClassVar[str] = "campaign.priority_changed"
        priority: str
        reason: str = ""

    @staticmethod
    def create_id(number: int) -> UUID:
        return campaign_stream(number)

    @classmethod
    def create(cls, number: int, content: Mapping[str, Any], *, by: str, at: datetime) -> Self:
        """`content` holds name, subject, text, html, lists and, where not the default, messenger,
        priority and headers. Raises Refused with a message for each field that is wrong."""
        return cls._create(cls.Created, number=number, **checked_content(content), by=by, timestamp=at)

    @classmethod
    def open_transactional(cls, number: int, content: Mapping[str, Any], *, by: str, at: datetime) -> Self:
        """Created and started. Its deliveries are messages, numbered by whoever queues them, not recipients.
        Raises Refused."""
        checked = checked_transactional_content(content)
        opened = cls._create(cls.Created, number=number, **checked, transactional=True, by=by, timestamp=at)
        opened.start(by=by, at=at)
        return opened

    def __init__(self, number: int, transactional: bool = False) -> None:
        self.number = number
        self.transactional = transactional
        self.started_as: str | None = None
        self.state = State.DRAFT
        self.send_at: datetime | None = None
        self.recipients: int | None = None
        self.reason = ""

    def edit(self, changes: Mapping[str, Any], *, by: str, at: datetime) -> None:
        """Records only what differs. Raises Refused with a message for each field that is wrong."""
        if self.state.is_over:
            raise Refused(f"a {self.state} campaign cannot be edited")
        differing = checked_changes(self.content, changes)
        if self.transactional:
            raise Refused("a transactional campaign cannot be edited; you can change its priority")
        fixed = differing.keys() - _EDITABLE_WHILE_PAUSED
        if self.state is State.RUNNING:
            raise Refused("a running campaign cannot be edited; you can change its priority")
        if self.state is State.PAUSED and fixed:
            raise Refused.for_fields(
                {name: f"{name}: is fixed since the campaign was started" for name in sorted(fixed)}
            )
        if differing:
            self.trigger_event(self.Edited, changes=differing, by=by, timestamp=at)

    def change_priority(self, priority: str, *, reason: str = "", by: str, at: datetime) -> None:
        priority = fields.choice(priority, "priority", Priority)
        reason = fields.reason(reason)
        if self.state.is_over:
            raise Refused(f"a {self.state} campaign has no priority to change")
        if priority != self.priority:
            self.trigger_event(self.PriorityChanged, priority=priority, reason=reason, by=by, timestamp=at)

    @event(PriorityChanged)
    def _priority_changed(self, priority: str) -> None:
        self.priority = priority

    def schedule(self, send_at: datetime | str, *, by: str, at: datetime) -> None:
        self._only_from((State.DRAFT,), "scheduled")
        instant = fields.instant(send_at, "send_at").astimezone(UTC)
        if instant <= at:
            fields.refuse("send_at", f"{instant.isoformat()} is not in the future")
        self.trigger_event(self.Scheduled, send_at=instant.isoformat(), by=by, timestamp=at)

    @event(Scheduled)
    def _scheduled(self, send_at: str) -> None:
        self.send_at = datetime.fromisoformat(send_at)

    def unschedule(self, *, by: str, at: datetime) -> None:
        self._only_from((State.SCHEDULED,), "unscheduled")
        self.trigger_event(self.Unscheduled, by=by, timestamp=at)

    @event(Unscheduled)
    def _unscheduled(self) -> None:
        self.send_at = None

    def start(self, *, reason: str = "", by: str, at: datetime) -> None:
        """From draft or scheduled, before its time too; a paused campaign is resumed, for `reason`."""
        self._only_from((*NOT_STARTED, State.PAUSED), "started")
        if self.state is State.PAUSED:
            self.resume(reason=reason, by=by, at=at)
        else:
            self.trigger_event(self.Started, by=by, timestamp=at)

    @event(Started)
    def _started(self) -> None:
        self.started_as = self.name

    def finish_queueing(self, recipients: int, *, by: str, at: datetime) -> None:
        """Nothing happens when it has finished with as many already."""
        if self.has_finished_queueing() and self.recipients == recipients:
            return
        if not self.is_queueing():
            raise Refused(f"a {self.state} campaign is not queueing")
        self.trigger_event(self.QueueingFinished, recipients=recipients, by=by, timestamp=at)

    @event(QueueingFinished)
    def _queueing_finished(self, recipients: int) -> None:
        self.recipients = recipients

    def pause(self, reason: str, *, by: str, at: datetime) -> None:
        self._only_from((State.RUNNING,), "paused")
        reason = fields.reason(reason)
        self.trigger_event(self.Paused, reason=reason, by=by, timestamp=at)

    @event(Paused)
    def _paused(self, reason: str) -> None:
        self.reason = reason

    def resume(self, *, reason: str = "", by: str, at: datetime) -> None:
        self._only_from((State.PAUSED,), "resumed")
        reason = fields.reason(reason)
        self.trigger_event(self.Resumed, reason=reason, by=by, timestamp=at)

    @event(Resumed)
    def _resumed(self) -> None:
        self.reason = ""

    def cancel(self, reason: str, *, by: str, at: datetime) -> None:
        self._only_from(STARTED, "cancelled")
        reason = fields.reason(reason)
        self.trigger_event(self.Cancelled, reason=reason, by=by, timestamp=at)

    def discard(self, *, by: str, at: datetime) -> None:
        """What was never started is cancelled for good: it stays on record, and is shown no longer."""
        self._only_from(NOT_STARTED, "discarded")
        self.trigger_event(self.Cancelled, reason=DISCARDED, by=by, timestamp=at)

    @event(Cancelled)
    def _cancelled(self, reason: str) -> None:
        self.reason = reason

    def finish(self, *, by: str, at: datetime) -> None:
        """That no delivery is left is for the caller to see to."""
        self._only_from((State.RUNNING,), "finished")
        if not self.has_finished_queueing():
            raise Refused("a campaign that is still queueing cannot be finished")
        self.trigger_event(self.Finished, by=by, timestamp=at)
