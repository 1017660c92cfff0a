"""Unsubscribing by link: a GET only asks, since scanners follow links; a POST does it (RFC 8058)."""

from __future__ import annotations

from flask import Blueprint, Response, make_response, render_template, request

from application.people.people import People
from domain.delivery import unsubscribe_token
from web.http.access import needs
from web.http.errors import Refusal
from web.http.services import services

blueprint = Blueprint("unsubscribe", __name__)

RECIPIENT = "recipient"
"""Who does what a link in an e-mail asks for."""


@blueprint.get("/unsubscribe/<token>")
@needs("public")
def ask(token: str) -> Response:
    campaign, _ = delivery_of(token)
    lists_of(campaign)
    return shown(done=False)


@blueprint.post("/unsubscribe/<token>")
@needs("public")
def unsubscribe(token: str) -> Response:
    """Takes the one-click body of RFC 8058 (section 3.1) and the page's own form, which posts the
    same, urlencoded or multipart. Doing it again changes nothing and answers the same."""
    campaign, recipient = delivery_of(token)
    if request.form.get("List-Unsubscribe") != "One-Click":
        raise Refusal(400, "The body must be List-Unsubscribe=One-Click.")
    lists = lists_of(campaign)
    People(services()).unsubscribe([recipient], lists, campaign=campaign, by=RECIPIENT)
    return shown(done=True)


def delivery_of(token: str) -> tuple[int, int]:
    """(campaign, recipient)."""
    found = unsubscribe_token.read(services().opened_secrets().token_keys(), token)
    if found is None:
        raise Refusal(404, "This link is incomplete or no longer valid.")
    return found


def lists_of(campaign: int) -> list[int]:
    """Raises Refusal 404 for a transactional message, whose token is for complaints alone: it names no
    person."""
    found = services().application.campaign(campaign)
    if found.transactional:
        raise Refusal(404, "This link is incomplete or no longer valid.")
    return found.lists


def shown(done: bool) -> Response:
    response = make_response(render_template("people/unsubscribe.html", done=done))
    response.headers["X-Robots-Tag"] = "noindex, nofollow"
    return response
