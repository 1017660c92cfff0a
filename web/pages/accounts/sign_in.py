"""The sign-in page, and signing out."""

from __future__ import annotations

import hmac
import secrets
from urllib.parse import urlsplit

from flask import Blueprint, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from application.accounts.sign_in import SignIn, TooManyAttempts
from application.turns import Crowded
from storage.accounts import accounts
from storage.accounts.accounts import User
from web.http import cookies
from web.http.access import CSRF_FIELD, NO_USER, actor, hidden_token, identity, needs, signed_in, token_from
from web.http.errors import retry_after
from web.http.identity import accounts_exist
from web.http.services import reading, services

blueprint = Blueprint("sign_in", __name__)


@blueprint.get("/sign-in")
@needs("public")
def page() -> Response:
    wanted = own_path(request.args.get("next"))
    if actor() == "local" or signed_in():
        return redirect(wanted, 303)
    return form(wanted, fault="" if accounts_exist() else NO_USER)


@blueprint.post("/sign-in")
@needs("public")
def enter() -> Response:
    wanted = own_path(request.form.get("next"))
    if actor() == "local":
        return redirect("/", 303)
    name = request.form.get("name", "")[:40]
    visit = cookies.visit_token()
    token = request.form.get(CSRF_FIELD, "").encode()
    if visit is None or not hmac.compare_digest(token, token_from(visit.encode()).encode()):
        return form(wanted, name, "The form had expired. Please try again.", 403)
    try:
        user = here().authenticated(name, request.form.get("password", ""), request.form.get("code", ""))
    except TooManyAttempts as error:
        return form(wanted, name, error.message, 429, retry_after(error))
    except Crowded as error:
        return form(wanted, name, error.message, 503, retry_after(error))
    if user is None:
        return form(wanted, name, "Wrong name, password or code.", 403)
    return entered(user, wanted)


def here() -> SignIn:
    return SignIn(services(), request.remote_addr, cookies.device_token())


def confirm() -> None:
    """By their password, whoever changes what somebody signs in with shows that it is they who are signed in,
    and not somebody at their browser. Raises Refused, TooManyAttempts, Crowded."""
    number = identity().user
    if number is None:
        return  # at this machine, before there is any user
    with reading() as cursor:
        user = accounts.user(cursor, number)
    if user is not None:
        here().check_own_password(user, request.form.get("current", ""))


def entered(user: User, wanted: str) -> Response:
    """In a session of its own, which takes the place of the one that the browser had."""
    token = here().begin_session(user, browser=request.user_agent.string, instead_of=cookies.session_token())
    response = redirect(own_path(wanted), 303)
    cookies.set_session(response, token)
    if device := here().new_device(user.number):
        cookies.set_device(response, device)
    return response


def form(
    wanted: str, name: str = "", fault: str = "", status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    visit = cookies.visit_token() or secrets.token_urlsafe(32)
    response = make_response(
        render_template(
            "accounts/sign_in.html",
            values={"name": name},
            errors={},
            fault=fault,
            wanted=wanted,
            provider=services().provider,
            token=hidden_token(token_from(visit.encode())),
        ),
        status,
        headers or {},
    )
    cookies.set_visit(response, visit)
    return response


@blueprint.post("/sign-out")
@needs("enrol")
def leave() -> Response:
    token = cookies.session_token()
    if token is not None:
        here().end_session(token)
    response = redirect(url_for("sign_in.page"), 303)
    cookies.end_session(response)
    response.headers["Clear-Site-Data"] = '"cache"'
    return response


def own_path(text: str | None) -> str:
    """Where to go next: a path of ours, whatever was asked for; no other site, nor what browsers take for
    one (`//host`, `/\\host`)."""
    if not text or not text.startswith("/") or text.startswith(("//", "/\\")) or not text.isprintable():
        return "/"
    try:
        parts = urlsplit(text)
    except ValueError:
        return "/"
    return "/" if parts.scheme or parts.netloc or "\\" in text or len(text) > 2000 else text
