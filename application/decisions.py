"""What can be asked of Postledger: each command loads what it is about, lets it decide, and appends
what it decided."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from eventsourcing.application import AggregateNotFoundError, Application
from eventsourcing.persistence import InfrastructureFactory, IntegrityError, StoredEvent
from eventsourcing.utils import Environment

import domain.topics  # noqa: F401 - so that every topic of the log can be read
from application.precondition import check_version, version_was_right
from domain.campaign.campaign import Campaign
from domain.campaign.template import Template
from domain.clock import Clock, SystemClock
from domain.errors import Missing, Outrun, Refused
from domain.policy import PolicyChanged, SendingPolicy
from domain.server.server import SmtpServer
from domain.streams import campaign_stream, policy_stream, server_stream, template_stream

_TRIES = 3

Decided = TypeVar("Decided", Campaign, SmtpServer, Template)


class Postledger(Application[UUID]):
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

    # Campaigns

    def campaign(self, number: int) -> Campaign:
        """Raises Missing."""
        try:
            campaign: Campaign = self.repository.get(campaign_stream(number))
        except (AggregateNotFoundError, ValueError):
            raise Missing(f"there is no campaign {number}") from None
        return campaign

    def create_campaign(
        self,
        *,
        number: int,
        by: str,
        name: str,
        subject: str,
        text: str | None = None,
        html: str | None = None,
        **others: Any,
    ) -> int:
        """`text` and `html` are the SHA-256 of bodies that were kept; `others` are lists, messenger,
        priority and headers. Returns the number."""
        content = {"name": name, "subject": subject, "text": text, "html": html, **others}
        self._check_numbers(content)
        campaign = Campaign.create(number, content, by=by, at=self._clock.now())
        self._append_new(campaign, f"there is a campaign {number} already")
        return number

    def opened_transactional(self, number: int, content: Mapping[str, Any], *, by: str) -> list[StoredEvent]:
        """The events of a transactional campaign that is created and started, to be appended together with
        its first message. Raises Refused."""
        self._check_numbers(content)
        campaign = Campaign.open_transactional(number, content, by=by, at=self._clock.now())
        return [self.mapper.to_stored_event(event) for event in campaign.collect_events()]

    def edit_campaign(self, number: int, changes: Mapping[str, Any], *, by: str) -> int | None:
        self._check_numbers(changes)
        return self._on_campaign(number, lambda campaign, at: campaign.edit(changes, by=by, at=at))

    def schedule(self, number: int, send_at: datetime | str, *, by: str) -> int | None:
        return self._on_campaign(number, lambda campaign, at: campaign.schedule(send_at, by=by, at=at))

    def unschedule(self, number: int, *, by: str) -> int | None:
        return self._on_campaign(number, lambda campaign, at: campaign.unschedule(by=by, at=at))

    def start(self, number: int, *, reason: str = "", by: str) -> int | None:
        """A paused campaign is resumed, for `reason`."""
        return self._on_campaign(number, lambda campaign, at: campaign.start(reason=reason, by=by, at=at))

    def start_due(self, number: int, *, by: str) -> int | None:
        """Starts a scheduled campaign whose time has come; else nothing, however late this is asked."""

        def decide(campaign: Campaign, at: datetime) -> None:
            if campaign.is_due(at):
                campaign.start(by=by, at=at)

        return self._on_campaign(number, decide)

    def finish_queueing(self, number: int, recipients: int, *, by: str) -> int | None:
        return self._on_campaign(
            number, lambda campaign, at: campaign.finish_queueing(recipients, by=by, at=at)
        )

    def pause(self, number: int, *, reason: str = "", by: str) -> int | None:
        return self._on_campaign(number, lambda campaign, at: campaign.pause(reason, by=by, at=at))

    def resume(self, number: int, *, reason: str = "", by: str) -> int | None:
        return self._on_campaign(number, lambda campaign, at: campaign.resume(reason=reason, by=by, at=at))

    def cancel(self, number: int, *, reason: str = "", by: str) -> int | None:
        return self._on_campaign(number, lambda campaign, at: campaign.cancel(reason, by=by, at=at))

    def discard(self, number: int, *, by: str) -> int | None:
        """A draft or scheduled campaign that nobody wants any more."""
        return self._on_campaign(number, lambda campaign, at: campaign.discard(by=by, at=at))

    def finish(self, number: int, *, by: str) -> int | None:
        return self._on_campaign(number, lambda campaign, at: campaign.finish(by=by, at=at))

    def change_priority(self, number: int, priority: str, *, reason: str = "", by: str) -> int | None:
        return self._on_campaign(
            number, lambda campaign, at: campaign.change_priority(priority, reason=reason, by=by, at=at)
        )

    # Servers

    def server(self, number: int) -> SmtpServer:
        """Raises Missing."""
        try:
            server: SmtpServer = self.repository.get(server_stream(number))
        except (AggregateNotFoundError, ValueError):
            raise Missing(f"there is no server {number}") from None
        return server

    def add_server(self, settings: Mapping[str, Any], *, number: int, by: str) -> int:
        """Returns the number. That no other server has the name is for the caller to see to. Without a
        `from_email` it gets the policy's."""
        if not settings.get("from_email"):
            settings = {**settings, "from_email": self.policy().default_from}
        server = SmtpServer.add(number, settings, by=by, at=self._clock.now())
        self._append_new(server, f"there is a server {number} already")
        return number

    def change_server(self, number: int, changes: Mapping[str, Any], *, by: str) -> int | None:
        return self._on_server(number, lambda server, at: server.change(changes, by=by, at=at))

    def enable_server(self, number: int, *, by: str) -> int | None:
        return self._on_server(number, lambda server, at: server.enable(by=by, at=at))

    def disable_server(self, number: int, *, by: str) -> int | None:
        return self._on_server(number, lambda server, at: server.disable(by=by, at=at))

    def suspend_server(
        self, number: int, *, reason: str, until: datetime | str | None, by: str
    ) -> int | None:
        """`until` None: until somebody resumes it."""
        return self._on_server(number, lambda server, at: server.suspend(reason, until, by=by, at=at))

    def resume_server(self, number: int, *, by: str) -> int | None:
        return self._on_server(number, lambda server, at: server.resume(by=by, at=at))

    def note_password(self, number: int, *, removed: bool = False, by: str) -> int | None:
        """That the server's password, which is no part of the log, was set, replaced or removed."""
        return self._on_server(number, lambda server, at: server.note_password(removed=removed, by=by, at=at))

    # Templates

    def template(self, number: int) -> Template:
        """Raises Missing, also for one that was deleted."""
        try:
            template: Template = self.repository.get(template_stream(number))
        except (AggregateNotFoundError, ValueError):
            raise Missing(f"there is no template {number}") from None
        if template.is_deleted:
            raise Missing(f"there is no template {number}")
        return template

    def create_template(self, content: Mapping[str, Any], *, number: int, by: str) -> int:
        """`content` holds name, body (the SHA-256 of one that was kept), and, where not the default, type,
        subject and source. Returns the number."""
        template = Template.create(number, content, by=by, at=self._clock.now())
        self._append_new(template, f"there is a template {number} already")
        return number

    def edit_template(self, number: int, changes: Mapping[str, Any], *, by: str) -> int | None:
        return self._on_template(number, lambda template, at: template.edit(changes, by=by, at=at))

    def make_template_default(self, number: int, *, by: str) -> int | None:
        return self._on_template(number, lambda template, at: template.make_default(by=by, at=at))

    def delete_template(self, number: int, *, by: str) -> int | None:
        """That it is not the default is for the caller to see to."""
        return self._on_template(number, lambda template, at: template.delete(by=by, at=at))

    # The policy

    def policy(self) -> SendingPolicy:
        policy = SendingPolicy()
        for fact in self.events.get(policy_stream()):
            if isinstance(fact, PolicyChanged):
                policy = policy.apply(fact)
        return policy

    def change_policy(self, changes: Mapping[str, Any], *, by: str) -> int | None:
        def decide() -> int | None:
            policy = self.policy()
            check_version(policy_stream(), policy.version)
            fact = policy.change(changes, by=by)
            return None if fact is None else self._append(fact)

        return self._again_when_outrun(decide)

    # How a command is carried out

    def _check_numbers(self, content: Mapping[str, Any]) -> None:
        """That there are such a messenger and such a template."""
        template = content.get("template")
        if isinstance(template, int):
            try:
                self.template(template)
            except Missing:
                raise Refused(f"template: there is no template {template}", "template") from None
        messenger = content.get("messenger")
        if isinstance(messenger, int):
            try:
                self.server(messenger)
            except Missing:
                raise Refused(f"messenger: there is no server {messenger}", "messenger") from None

    def _on_campaign(self, number: int, decide: Callable[[Campaign, datetime], None]) -> int | None:
        return self._again_when_outrun(lambda: self._decide(self.campaign(number), decide))

    def _on_server(self, number: int, decide: Callable[[SmtpServer, datetime], None]) -> int | None:
        return self._again_when_outrun(lambda: self._decide(self.server(number), decide))

    def _on_template(self, number: int, decide: Callable[[Template, datetime], None]) -> int | None:
        return self._again_when_outrun(lambda: self._decide(self.template(number), decide))

    def _decide(self, loaded: Decided, decide: Callable[[Decided, datetime], None]) -> int | None:
        version = loaded.version
        check_version(loaded.id, version)
        try:
            decide(loaded, self._clock.now())
        except Refused as refused:
            refused.version = version
            raise
        position = self._append(loaded)
        version_was_right(loaded.id)
        return position

    def _again_when_outrun(self, command: Callable[[], int | None]) -> int | None:
        for _ in range(_TRIES):
            try:
                return command()
            except IntegrityError:
                continue
        raise Outrun("others are changing the same thing right now; please try again")

    def _append_new(self, created: Campaign | SmtpServer | Template, taken: str) -> None:
        try:
            self._append(created)
        except IntegrityError:
            raise Refused(taken, "number") from None

    def _append(self, decided: Campaign | SmtpServer | Template | PolicyChanged) -> int | None:
        recordings = self.save(decided)
        return recordings[-1].notification.id if recordings else None
