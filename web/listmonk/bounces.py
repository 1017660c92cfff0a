"""Bounces, as listmonk lists them. None are recorded here yet, so that whoever watches them sees none."""

from __future__ import annotations

from typing import Annotated, Any

from flask import Blueprint

from web.http.contract import endpoint
from web.http.shapes import Answer, Digits, Line, page_of
from web.listmonk.shapes import ListmonkPaged, listing

blueprint = Blueprint("listmonk_bounces", __name__)


class BounceQuery(ListmonkPaged):
    campaign_id: Annotated[int, Digits(0)] | None = None
    source: Annotated[str, Line(100)] | None = None


class Bounce(Answer):
    id: int


@endpoint(blueprint, "GET", "/api/bounces", needs="read", query=BounceQuery, answer=page_of(Bounce))
def listed(query: BounceQuery) -> dict[str, Any]:
    """Bounces

    None: what a server refuses at once is a failed delivery, and what comes back later is not read.
    """
    return listing([], 0, query.window())
