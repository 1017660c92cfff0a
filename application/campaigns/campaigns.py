"""What can be done with campaigns, for pages, API and command line alike. Every command names who gives it
(`by`), and what it did is shown by the projections when it returns."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from application.campaigns import bodies
from application.campaigns.bodies import CampaignBodies
from application.campaigns.previews import CampaignMessages
from application.forecasts.estimates import Estimates
from application.installation import Installation
from domain.campaign.campaign import Campaign
from domain.campaign.state import State
from domain.errors import Refused
from storage.audience.size import has_audience
from storage.numbers import next_campaign

NAME_LENGTH = 200


class Campaigns:
    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._decisions = installation.application
        self._bodies = CampaignBodies(installation)

    def create(self, fields: Mapping[str, Any], *, by: str) -> int:
        """`fields` as the domain takes them, but for the bodies, which are given as texts: either as they are
        to be sent (`text`, `html`) or as they were written (`body`, `altbody`, `content_type`, `template`).
        Returns the number. Raises Refused with a message for each field that is wrong."""
        number = self._create(self._kept(fields, {}), by)
        self._installation.catch_up()
        return number

    def edit(self, number: int, changes: Mapping[str, Any], *, by: str) -> None:
        """Bodies are given as to `create`. Raises Refused, Missing."""
        kept = self._kept(changes, self._decisions.campaign(number).content)
        self._shown(self._decisions.edit_campaign(number, kept, by=by))

    def wrap(self, number: int, template: int | None, *, by: str) -> None:
        """What is sent is made anew, into a template that has changed or takes another's place; but not of a
        campaign that was started. Raises Refused, Missing."""
        if self._decisions.campaign(number).state.is_editable:
            self.edit(number, {"template": template}, by=by)

    def discard(self, number: int, *, by: str) -> None:
        """A draft or a scheduled campaign. Raises Refused, Missing."""
        self._shown(self._decisions.discard(number, by=by))

    def copy(self, number: int, *, by: str) -> int:
        """A new draft with the same content. Raises Refused, Missing."""
        campaign = self._decisions.campaign(number)
        if campaign.transactional:
            raise Refused("a transactional campaign cannot be copied")
        name = f"{campaign.name[: NAME_LENGTH - 7]} (copy)"
        copied = self._create({**campaign.content, "name": name}, by)
        self._installation.catch_up()
        return copied

    def start(self, number: int, reason: str = "", *, even_faulty: bool = False, by: str) -> None:
        """Starts it now; a paused campaign is resumed, for `reason`. Raises Refused, Missing: what would fail
        for every recipient is refused before the first, unless `even_faulty`, and so is what has none."""
        campaign, estimate = self._decisions.campaign(number), None
        estimates = Estimates(self._installation)
        if campaign.state.is_editable:
            self._check(campaign, even_faulty)
            estimate = estimates.forecast(number)
        position = self._decisions.start(number, reason=reason, by=by)
        if estimate is not None:
            estimates.keep(number, estimate, by)
        self._shown(position)

    def schedule(self, number: int, send_at: datetime, *, by: str) -> None:
        """To start by itself at `send_at`. Raises Refused, as `start` does, and Missing."""
        self._check(self._decisions.campaign(number))
        self._shown(self._decisions.schedule(number, send_at, by=by))
        estimates = Estimates(self._installation)
        estimates.keep(number, estimates.forecast(number), by)

    def reschedule(self, number: int, send_at: datetime | None, *, by: str) -> None:
        """Whether it is scheduled by now or not; None: for no time, so that it is a draft. Raises Refused, as
        `start` does, and Missing."""
        campaign = self._decisions.campaign(number)
        if send_at is not None:
            self._check(campaign)
        if campaign.state is State.SCHEDULED:
            self.unschedule(number, by=by)
        if send_at is not None:
            self.schedule(number, send_at, by=by)

    def unschedule(self, number: int, *, by: str) -> None:
        self._shown(self._decisions.unschedule(number, by=by))

    def pause(self, number: int, reason: str = "", *, by: str) -> None:
        self._shown(self._decisions.pause(number, reason=reason, by=by))

    def resume(self, number: int, reason: str = "", *, by: str) -> None:
        self._shown(self._decisions.resume(number, reason=reason, by=by))

    def cancel(self, number: int, reason: str = "", *, by: str) -> None:
        self._shown(self._decisions.cancel(number, reason=reason, by=by))

    def change_priority(self, number: int, priority: str, reason: str = "", *, by: str) -> None:
        self._shown(self._decisions.change_priority(number, priority, reason=reason, by=by))

    def _check(self, campaign: Campaign, even_faulty: bool = False) -> None:
        with self._installation.reading() as cursor:
            if not has_audience(cursor, campaign.lists):
                raise Refused(
                    "The campaign cannot be started: none of the subscribers on its lists can be mailed",
                    version=campaign.version,
                )
        messages = CampaignMessages(self._installation)
        if not even_faulty and (problems := messages.problems(messages.draft(campaign.number))):
            raise Refused("The campaign cannot be started: " + "; ".join(problems), version=campaign.version)

    def _create(self, content: Mapping[str, Any], by: str) -> int:
        with self._installation.pool.transaction() as cursor:
            number = next_campaign(cursor)
        return self._decisions.create_campaign(number=number, by=by, **content)

    def _kept(self, fields: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
        """Bodies are kept first, so that the log never names a text that nobody has. What is written by hand
        over what came of a body and its template stands for itself from then on."""
        kept = dict(fields)
        as_written = {name: kept.pop(name) for name in bodies.FIELDS if name in kept}
        if as_written:
            with self._installation.reading() as cursor:
                written = bodies.rewritten(cursor, as_written, before)
            made = self._bodies.made(written)
        with self._installation.pool.transaction() as cursor:
            for name in bodies.SENT:
                if name in kept:
                    kept[name] = bodies.keep(cursor, name, kept[name]) if kept[name] else None
            if as_written:
                return {**kept, **bodies.keep_made(cursor, written, made)}
        if any(kept.get(name, before.get(name)) != before.get(name) for name in bodies.SENT):
            kept |= {"body": None, "template": None}
        return kept

    def _shown(self, position: int | None) -> None:
        self._installation.wait_until_shown(position)
