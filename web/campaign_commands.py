"""What can be done with campaigns, for pages and API alike. Every command names who gives it (`by`), and
what it did is shown by the projections when it returns."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flask import current_app

from domain.campaign import Campaign, State
from domain.errors import Refused
from domain.estimate import Estimated
from domain.forecast import Forecast
from domain.streams import estimate_stream
from projections import campaign_history
from projections.schema import log_head
from storage import content
from storage.content import TextTooLarge
from storage.log.append import Conflict
from storage.numbers import next_campaign
from web.forecasts import Audiences, situation
from web.messages import Draft
from web.services import reading, services, wait_until_shown

BODIES = ("text", "html")
NAME_LENGTH = 200


def create(fields: Mapping[str, Any], *, by: str) -> int:
    """`fields` as the domain takes them, but for `text` and `html`, which are the bodies themselves, or
    None. Returns the number. Raises Refused with a message for each field that is wrong."""
    kept = with_kept_bodies(fields)
    with services().pool.transaction() as cursor:
        number = next_campaign(cursor)
    services().application.create_campaign(number=number, by=by, **kept)
    catch_up()
    return number


def edit(number: int, changes: Mapping[str, Any], *, by: str) -> None:
    """`text` and `html` are the bodies themselves, or None. Raises Refused, Missing."""
    wait_until_shown(services().application.edit_campaign(number, with_kept_bodies(changes), by=by))


def with_kept_bodies(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Bodies are kept first, so that the log never names a text that nobody has."""
    kept = dict(fields)
    with services().pool.transaction() as cursor:
        for name in BODIES:
            if kept.get(name):
                try:
                    kept[name] = content.keep(cursor, kept[name])
                except TextTooLarge as error:
                    raise Refused(f"{name}: {error}", name) from None
                except ValueError:
                    raise Refused(f"{name}: this is not valid Unicode text", name) from None
            elif name in kept:
                kept[name] = None
    return kept


def copy(number: int, *, by: str) -> int:
    """A new draft with the same content. Raises Missing."""
    fields = services().application.campaign(number).content
    with services().pool.transaction() as cursor:
        new = next_campaign(cursor)
    name = f"{fields['name'][: NAME_LENGTH - 7]} (copy)"
    services().application.create_campaign(number=new, by=by, **{**fields, "name": name})
    catch_up()
    return new


def start(number: int, *, by: str) -> None:
    """Starts it now; a paused campaign is resumed. Raises Refused, Missing."""
    campaign = services().application.campaign(number)
    is_first = campaign.state in (State.DRAFT, State.SCHEDULED)
    if is_first:
        check(campaign)
    estimate = foreseen(number) if is_first else None
    position = services().application.start(number, by=by)
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


def resume(number: int, *, by: str) -> None:
    wait_until_shown(services().application.resume(number, by=by))


def cancel(number: int, reason: str, *, by: str) -> None:
    wait_until_shown(services().application.cancel(number, reason=reason, by=by))


def change_priority(number: int, priority: str, *, by: str) -> None:
    wait_until_shown(services().application.change_priority(number, priority, by=by))


def check(campaign: Campaign) -> None:
    """What would fail for every recipient is refused before the first. Raises Refused."""
    preflight = services().preflight
    if preflight is not None and (problems := preflight(campaign.number)):
        raise Refused("The campaign cannot be started: " + "; ".join(problems))


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
    """Beside the campaign, not in its stream: that nobody else wrote meanwhile does not matter for it."""
    with reading() as cursor:
        last = campaign_history.last_estimate(cursor, number)
    fact = Estimated(
        originator_id=estimate_stream(number),
        originator_version=last.originator_version + 1 if last else 1,
        by=by,
        recipients=forecast.recipients,
        days=sum(1 for day in forecast.days if day.total),
        first=forecast.start.timestamp() if forecast.start else None,
        finish=forecast.finish.timestamp() if forecast.finish else None,
    )
    try:
        services().log.append([fact.stored()])
    except Conflict:
        return  # Somebody else did the same at this moment.


def catch_up() -> None:
    with reading() as cursor:
        wait_until_shown(log_head(cursor))
