"""Figures of the whole, as listmonk's dashboard has them."""

from __future__ import annotations

from typing import Any

from flask import Blueprint

from domain.people.statuses import Optin
from projections import campaign_progress
from projections.queue import queue
from storage.people import finding, lists
from web.http.contract import endpoint
from web.http.services import reading
from web.http.shapes import Answer

blueprint = Blueprint("listmonk_dashboard", __name__)


class SubscriberTotals(Answer):
    total: int
    blocklisted: int
    orphans: int


class ListTotals(Answer):
    total: int
    private: int
    public: int
    optin_single: int
    optin_double: int


class CampaignTotals(Answer):
    total: int
    by_status: dict[str, int]


class Counts(Answer):
    """`orphans` are on no list; `messages` were accepted by relays."""

    subscribers: SubscriberTotals
    lists: ListTotals
    campaigns: CampaignTotals
    messages: int


@endpoint(blueprint, "GET", "/api/dashboard/counts", needs="read", answer=Counts)
def counts() -> dict[str, Any]:
    """How many people, lists, campaigns and messages there are"""
    with reading() as cursor:
        every_list = lists.found(cursor, lists.WantedLists())
        states = campaign_progress.counts_by_state(cursor)
        return {
            "subscribers": finding.totals(cursor),
            "lists": {
                "total": len(every_list),
                "private": sum(one.type == "private" for one in every_list),
                "public": sum(one.type == "public" for one in every_list),
                "optin_single": sum(one.optin == Optin.SINGLE for one in every_list),
                "optin_double": sum(one.optin == Optin.DOUBLE for one in every_list),
            },
            "campaigns": {"total": sum(states.values()), "by_status": states},
            "messages": queue.counts(cursor)["sent"],
        }
