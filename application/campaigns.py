"""What can be done with campaigns, for pages and API alike. Every command names who gives it (`by`), and
what it did is shown by the projections when it returns."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flask import current_app

from application import campaign_bodies
from application.campaign_bodies import Written
from application.forecasts import Audiences, estimated, situation
from application.messages import Draft
from application.previews import CampaignMessages
from domain.campaign.campaign import Campaign, State
from domain.errors import Refused
from domain.forecast.forecast import Forecast
from projections.following.schema import log_head
from storage import content
from storage.log.append import Conflict
from storage.numbers import next_campaign
from web.http.services import reading, services, wait_until_shown

BODIES = ("text", "html")
NAME_LENGTH = 200


def create(fields: Mapping[str, Any], *, by: str) -> int:
    """`fields` as the domain takes them, but for the bodies, which are given as texts: either as they are to
    be sent (`text`, `html`) or as they were written (`body`, `altbody`, `content_type`, `template`). Returns
    the number. Raises Refused with a message for each field that is wrong."""
    kept = with_kept_bodies(fields, {})
    with services().pool.transaction() as cursor:
        number = next_campaign(cursor)
    services().application.create_campaign(number=number, by=by, **kept)
    catch_up()
    return number


def edit(number: int, changes: Mapping[str, Any], *, by: str) -> None:
    """Bodies are given as to `create`. Raises Refused, Missing."""
    kept = with_kept_bodies(changes, services().application.campaign(number).content)
    wait_until_shown(services().application.edit_campaign(number, kept, by=by))


def with_kept_bodies(fields: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """Bodies are kept first, so that the log never names a text that nobody has. What is written by hand
    over what came of a body and its template stands for itself from then on."""
    kept = dict(fields)
    as_written = {name: kept.pop(name) for name in campaign_bodies.FIELDS if name in kept}
    with services().pool.transaction() as cursor:
        for name in BODIES:
            if name in kept:
                kept[name] = campaign_bodies.keep(cursor, name, kept[name]) if kept[name] else None
        if as_written:
            return {**kept, **campaign_bodies.kept(cursor, rewritten(cursor, as_written, before))}
    if any(kept.get(name, before.get(name)) != before.get(name) for name in BODIES):
        kept |= {"body": None, "template": None}
    return kept


def rewritten(cursor: Any, changes: Mapping[str, Any], before: Mapping[str, Any]) -> Written:
    """What was written before with the changes on top."""
    base = campaign_bodies.written(cursor, before) if before else Written("", None, "html", None)
    return base._replace(**changes)


def remake(number: int, template: int | None, *, by: str) -> None:
    """What is sent, from what was written, into a template that has changed or takes another's place."""
    campaign = services().application.campaign(number)
    if campaign.is_editable():
        edit(number, {"template": template}, by=by)


def discard(number: int, *, by: str) -> None:
    """A draft or a scheduled campaign. Raises Refused, Missing."""
    wait_until_shown(services().application.discard(number, by=by))


def copy(number: int, *, by: str) -> int:
    """A new draft with the same content. Raises Missing."""
    campaign = services().application.campaign(number)
    if campaign.transactional:
        raise Refused("a transactional campaign cannot be copied")
    fields = campaign.content
    with services().pool.transaction() as cursor:
        new = next_campaign(cursor)
    name = f"{fields['name'][: NAME_LENGTH - 7]} (copy)"
    services().application.create_campaign(number=new, by=by, **{**fields, "name": name})
    catch_up()
    return new


def start(number: int, reason: str = "", *, by: str) -> None:
    """Starts it now; a paused campaign is resumed, for `reason`. Raises Refused, Missing."""
    campaign = services().application.campaign(number)
    is_first = campaign.state in (State.DRAFT, State.SCHEDULED)
    if is_first:
        check(campaign)
    estimate = foreseen(number) if is_first else None
    position = services().application.start(number, reason=reason, by=by)
    if estimate is not None:
        keep_estimate(number, estimate, by)
    wait_until_shown(position)


def schedule(number: int, send_at: datetime, *, by: str) -> None:
    """Raises Refused, Missing."""
    check(services().application.campaign(number))
    position = services().application.schedule(number, send_at, by=by)
    wait_until_shown(position)
    keep_estimate(number, foreseen(number), by)


def unschedule(number: int, *, by: str) -> None:
    wait_until_shown(services().application.unschedule(number, by=by))


def pause(number: int, reason: str, *, by: str) -> None:
    wait_until_shown(services().application.pause(number, reason=reason, by=by))


def resume(number: int, reason: str, *, by: str) -> None:
    wait_until_shown(services().application.resume(number, reason=reason, by=by))


def cancel(number: int, reason: str, *, by: str) -> None:
    wait_until_shown(services().application.cancel(number, reason=reason, by=by))


def change_priority(number: int, priority: str, reason: str, *, by: str) -> None:
    wait_until_shown(services().application.change_priority(number, priority, reason=reason, by=by))


def check(campaign: Campaign) -> None:
    """What would fail for every recipient is refused before the first. Raises Refused."""
    if problems := CampaignMessages(services()).preflight(campaign.number):
        raise Refused("The campaign cannot be started: " + "; ".join(problems), version=campaign.version)


def draft(campaign: Campaign) -> Draft:
    """Its content with the bodies as texts."""
    hashes = [hash for hash in (campaign.text, campaign.html) if hash]
    with reading() as cursor:
        texts = content.texts_of(cursor, hashes) if hashes else {}
    return Draft(
        number=campaign.number,
        name=campaign.name,
        subject=campaign.subject,
        text=texts.get(campaign.text or ""),
        html=texts.get(campaign.html or ""),
        headers=[(name, value) for name, value in campaign.headers],
        lists=campaign.lists,
        attributes=campaign.attributes,
        transactional=campaign.transactional,
    )


def audiences() -> Audiences:
    """How many people lists have, remembered for a minute by this process."""
    found: Audiences = current_app.extensions.setdefault("postledger.audiences", Audiences())
    return found


def foreseen(number: int) -> Forecast:
    """As the whole log has it."""
    catch_up()
    with reading() as cursor:
        return situation(cursor, number, services().clock.now(), audiences()).forecast()


def keep_estimate(number: int, forecast: Forecast, by: str) -> None:
    with reading() as cursor:
        fact = estimated(cursor, number, forecast, by)
    try:
        services().log.append([fact.stored()])
    except Conflict:
        return  # Somebody else did the same at this moment.


def catch_up() -> None:
    with reading() as cursor:
        wait_until_shown(log_head(cursor))
