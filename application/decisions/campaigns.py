"""What is decided about campaigns."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from eventsourcing.persistence import StoredEvent

from application.decisions.servers import ServerDecisions
from application.decisions.templates import TemplateDecisions
from domain.campaign.campaign import Campaign
from domain.errors import Missing, Refused
from domain.streams import campaign_stream


class CampaignDecisions(TemplateDecisions, ServerDecisions):
    """A campaign may name a server and a template, which have to be there."""

    def campaign(self, number: int) -> Campaign:
        """Raises Missing."""
        campaign: Campaign = self._loaded(campaign_stream, number, "campaign")
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
        return self._on(self.campaign, number, lambda campaign, at: campaign.edit(changes, by=by, at=at))

    def schedule(self, number: int, send_at: datetime | str, *, by: str) -> int | None:
        return self._on(self.campaign, number, lambda campaign, at: campaign.schedule(send_at, by=by, at=at))

    def unschedule(self, number: int, *, by: str) -> int | None:
        return self._on(self.campaign, number, lambda campaign, at: campaign.unschedule(by=by, at=at))

    def start(self, number: int, *, reason: str = "", by: str) -> int | None:
        """A paused campaign is resumed, for `reason`."""
        return self._on(
            self.campaign, number, lambda campaign, at: campaign.start(reason=reason, by=by, at=at)
        )

    def start_due(self, number: int, *, by: str) -> int | None:
        """Starts a scheduled campaign whose time has come; else nothing, however late this is asked."""

        def decide(campaign: Campaign, at: datetime) -> None:
            if campaign.is_due(at):
                campaign.start(by=by, at=at)

        return self._on(self.campaign, number, decide)

    def finish_queueing(self, number: int, recipients: int, *, by: str) -> int | None:
        return self._on(
            self.campaign, number, lambda campaign, at: campaign.finish_queueing(recipients, by=by, at=at)
        )

    def pause(self, number: int, *, reason: str = "", by: str) -> int | None:
        return self._on(self.campaign, number, lambda campaign, at: campaign.pause(reason, by=by, at=at))

    def resume(self, number: int, *, reason: str = "", by: str) -> int | None:
        return self._on(
            self.campaign, number, lambda campaign, at: campaign.resume(reason=reason, by=by, at=at)
        )

    def cancel(self, number: int, *, reason: str = "", by: str) -> int | None:
        return self._on(self.campaign, number, lambda campaign, at: campaign.cancel(reason, by=by, at=at))

    def discard(self, number: int, *, by: str) -> int | None:
        """A draft or scheduled campaign that nobody wants any more."""
        return self._on(self.campaign, number, lambda campaign, at: campaign.discard(by=by, at=at))

    def finish(self, number: int, *, by: str) -> int | None:
        return self._on(self.campaign, number, lambda campaign, at: campaign.finish(by=by, at=at))

    def change_priority(self, number: int, priority: str, *, reason: str = "", by: str) -> int | None:
        return self._on(
            self.campaign,
            number,
            lambda campaign, at: campaign.change_priority(priority, reason=reason, by=by, at=at),
        )

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
