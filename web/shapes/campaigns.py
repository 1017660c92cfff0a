"""Campaigns as the API tells them: listmonk's fields, and ours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Literal
from uuid import UUID

from application.campaigns.bodies import written as written_of
from domain.campaign.content import ContentType
from domain.campaign.priority import Priority
from domain.campaign.state import State
from domain.clock import instant
from domain.server.settings import AUTOMATIC
from domain.streams import LARGEST_NUMBER, campaign_stream, server_stream
from projections import campaign_progress, servers
from projections.campaign_progress import Progress
from storage.people import lists
from web.http.errors import Refusal
from web.http.services import reading
from web.http.shapes import Answer, Told
from web.http.versions import Versioned, shown_version
from web.shapes.deliveries import StatusCounts

LARGEST_BODY = 5_000_000
"""Bytes of a request that brings the bodies of a campaign or a template."""


class CampaignCounts(StatusCounts):
    pass


class NamedList(Answer):
    id: int
    name: str


class CampaignAnswer(Answer):
    """`to_send` and `sent` as listmonk has them; `counts` has a number for each status. `messenger` is
    `automatic` or a server's UUID; `from_email` is empty for `automatic`: the server that sends decides.
    `send_at` of a draft is when it is planned for; `template_id` is 0 without a template. What we do not have
    is 0, null, false or empty."""

    id: int
    uuid: UUID
    type: Literal["regular"]
    name: str
    subject: str
    from_email: str
    body: str
    body_source: None
    altbody: str | None
    content_type: ContentType
    template_id: int
    lists: list[NamedList]
    tags: list[str]
    headers: list[dict[str, str]]
    attribs: dict[str, Any]
    messenger: str
    priority: Priority
    status: State
    reason: str | None
    send_at: Told | None
    created_at: Told
    started_at: Told | None
    queueing_finished_at: Told | None
    ended_at: Told | None
    updated_at: Told
    updated_by: str
    to_send: int
    sent: int
    counts: CampaignCounts
    views: int
    clicks: int
    bounces: int
    media: list[None]
    archive: bool
    archive_slug: None
    archive_template_id: None
    archive_meta: dict[str, Any]


NOT_HERE: dict[str, Any] = {
    "body_source": None, "views": 0, "clicks": 0, "bounces": 0, "media": [], "archive": False,
    "archive_slug": None, "archive_template_id": None, "archive_meta": {},
}  # fmt: skip


def shown(number: int, *, with_body: bool = True) -> dict[str, Any]:
    """As the projections have it. Raises Refusal 404, also for one that was discarded."""
    with reading() as cursor:
        return described(cursor, [progress(cursor, number)], with_body=with_body)[0]


def versioned(number: int, *, with_body: bool = True) -> Versioned:
    """Raises Refusal 404, also for one that was discarded."""
    with reading() as cursor:
        version = shown_version(cursor, campaign_stream(number)) if number <= LARGEST_NUMBER else 0
    return Versioned(shown(number, with_body=with_body), version)


def progress(cursor: Any, number: int) -> Progress:
    """Raises Refusal 404, also for one that was discarded."""
    found = campaign_progress.progress(cursor, number) if number <= LARGEST_NUMBER else None
    if found is None or found.is_discarded:
        raise Refusal(404, f"There is no campaign {number}.")
    return found


def described(cursor: Any, campaigns: Sequence[Progress], *, with_body: bool = True) -> list[dict[str, Any]]:
    names = lists.names(cursor, sorted({number for one in campaigns for number in one.lists}))
    senders = {one.server: one.settings["from_email"] for one in servers.servers(cursor)}
    return [
        {
            **fields(one, names),
            **bodies(cursor, one, with_body),
            "from_email": senders.get(one.messenger or 0, ""),
            **NOT_HERE,
        }
        for one in campaigns
    ]


def fields(campaign: Progress, names: dict[int, str]) -> dict[str, Any]:
    messenger = campaign.messenger
    return {
        "id": campaign.campaign,
        "uuid": str(campaign_stream(campaign.campaign)),
        "type": "regular",
        "name": campaign.name,
        "subject": campaign.subject,
        "template_id": campaign.template or 0,
        "lists": [{"id": number, "name": names.get(number, "")} for number in campaign.lists],
        "tags": campaign.tags,
        "headers": [{name: value} for name, value in campaign.headers],
        "attribs": campaign.attributes,
        "messenger": AUTOMATIC if messenger is None else str(server_stream(messenger)),
        "priority": campaign.priority,
        "status": campaign.state,
        "reason": campaign.reason,
        "send_at": instant(campaign.send_at or campaign.planned_for),
        "created_at": instant(campaign.created_at),
        "started_at": instant(campaign.started_at),
        "queueing_finished_at": instant(campaign.queueing_finished_at),
        "ended_at": instant(campaign.ended_at),
        "updated_at": instant(campaign.changed_at),
        "updated_by": campaign.changed_by,
        "to_send": campaign.total if campaign.recipients is None else campaign.recipients,
        "sent": campaign.counts["sent"],
        "counts": campaign.counts,
    }


def bodies(cursor: Any, campaign: Progress, with_body: bool) -> dict[str, Any]:
    if not with_body:
        content_type = "plain" if campaign.html is None else campaign.content_type
        return {"body": "", "altbody": None, "content_type": content_type}
    written = written_of(cursor, asdict(campaign))
    return {"body": written.body, "altbody": written.altbody, "content_type": written.content_type}
