"""Campaigns as a client writes and sees them."""

from __future__ import annotations

from typing import Any

from tests.listmonk.client import Listmonk

LETTER = (
    '<html><body>Hi {{ .Subscriber.FirstName }}! {{ template "content" . }} {{ TrackView }}</body></html>'
)


def create(listmonk: Listmonk, friends: int, **others: Any) -> dict[str, Any]:
    body = {
        "name": "Test campaign", "subject": "Hello, {{ .Subscriber.Name }}", "lists": [friends],
        "content_type": "html", "type": "regular", "messenger": "email", "body": "<p>News</p>",
    }  # fmt: skip
    made: dict[str, Any] = listmonk.post("/api/campaigns", {**body, **others})
    return made


def preview(listmonk: Listmonk, campaign: int) -> str:
    return listmonk.raw("GET", f"/api/campaigns/{campaign}/preview", {}).decode()
