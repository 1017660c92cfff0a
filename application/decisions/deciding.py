"""How a command is carried out: load what it is about, let it decide, append what it decided."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from eventsourcing.application import AggregateNotFoundError, Application
from eventsourcing.persistence import InfrastructureFactory, IntegrityError
from eventsourcing.utils import Environment

import domain.topics  # noqa: F401 - so that every topic of the log can be read
from application import permission
from application.precondition import check_version, version_was_right
from domain.campaign.campaign import Campaign
from domain.campaign.state import State
from domain.campaign.template import Template
from domain.clock import Clock, SystemClock
from domain.errors import Missing, Outrun, Refused
from domain.policy import PolicyChanged
from domain.server.server import SmtpServer

_TRIES = 3

Decided = TypeVar("Decided", Campaign, SmtpServer, Template)


class Deciding(Application[UUID]):
    """Every command names who gives it (`by`) and raises Refused when the rules do not allow it;
    nothing has changed then. A command that lost against another one at the same moment decides
    again on what that one left. Those that change something return the position of their last
    event in the log, None when there was nothing to change."""

    def __init__(
        self,
        env: Mapping[str, str] | None = None,
        *,
        clock: Clock | None = None,
        factory: InfrastructureFactory[Any] | None = None,
    ) -> None:
        """`factory` is a persistence module's that is ready to use; without it `env` names one."""
        self._clock = clock or SystemClock()
        self._ready_factory = factory
        super().__init__(dict(env or {}))

    def construct_factory(self, env: Environment) -> InfrastructureFactory[Any]:
        return self._ready_factory or super().construct_factory(env)

    def _loaded(self, stream_of: Callable[[int], UUID], number: int, kind: str) -> Any:
        """Raises Missing, also for a number that nothing can have."""
        try:
            return self.repository.get(stream_of(number))
        except (AggregateNotFoundError, ValueError):
            raise Missing(f"there is no {kind} {number}") from None

    def _on(
        self, load: Callable[[int], Decided], number: int, decide: Callable[[Decided, datetime], None]
    ) -> int | None:
        return self._again_when_outrun(lambda: self._decide(load(number), decide))

    def _decide(self, loaded: Decided, decide: Callable[[Decided, datetime], None]) -> int | None:
        version, of_draft = loaded.version, is_draft(loaded)
        check_version(loaded.id, version)
        try:
            decide(loaded, self._clock.now())
        except Refused as refused:
            refused.version = version
            raise
        position = self._append(loaded, of_draft)
        version_was_right(loaded.id)
        return position

    def _again_when_outrun(self, command: Callable[[], int | None]) -> int | None:
        for _ in range(_TRIES):
            try:
                return command()
            except IntegrityError:
                continue
        raise Outrun("this is being changed by others right now; please try again")

    def _append_new(self, created: Campaign | SmtpServer | Template, taken: str) -> None:
        try:
            self._append(created)
        except IntegrityError:
            raise Refused(taken, "number") from None

    def _append(
        self, decided: Campaign | SmtpServer | Template | PolicyChanged, of_draft: bool = False
    ) -> int | None:
        """Raises ScopeMissing."""
        events = [decided] if isinstance(decided, PolicyChanged) else decided.pending_events
        for event in events:
            topic: str = event.TOPIC  # type: ignore[union-attr]
            permission.check(topic, of_draft=of_draft, changes=getattr(event, "changes", ()))
        recordings = self.save(decided)
        return recordings[-1].notification.id if recordings else None


def is_draft(loaded: Campaign | SmtpServer | Template) -> bool:
    return isinstance(loaded, Campaign) and loaded.state is State.DRAFT
