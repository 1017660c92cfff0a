"""A person's own account: the password, the second factor, and where they are signed in."""

from __future__ import annotations

import segno
from flask import Blueprint, make_response, redirect, render_template, request, url_for
from markupsafe import Markup
from werkzeug.wrappers import Response

from application.accounts.accounts import Accounts
from domain.accounts import one_time_password
from domain.accounts.passwords import SHORTEST_PASSWORD
from domain.errors import Refused
from storage.accounts import accounts, sessions
from storage.accounts.accounts import User
from web.http.access import actor, identity, must_enrol, needs
from web.http.errors import Refusal
from web.http.services import reading, services
from web.pages.accounts.sign_in import confirm, entered
from web.pages.accounts.user_agents import browser_words
from web.pages.notices import say

blueprint = Blueprint("own_account", __name__)


@blueprint.get("/account")
@needs("self")
def page() -> Response:
    return shown({})


@blueprint.post("/account/password")
@needs("self")
def change_password() -> Response:
    """Ends every session; this browser gets a new one."""
    user, new = me(), request.form.get("new", "")
    try:
        if new != request.form.get("again", ""):
            raise Refused("does not match the new password", "again")
        confirm()
        Accounts(services()).change_password(user.number, new, by=actor())
    except Refused as refused:
        return shown(
            {{"password": "new"}.get(name, name): text for name, text in refused.fields.items()}, 400
        )
    say("Password changed. You are signed out everywhere else.")
    return signed_in_anew(user)


@blueprint.post("/account/sessions/end")
@needs("self")
def end_session() -> Response:
    number = request.form.get("session", "")
    if not (number.isascii() and number.isdigit() and len(number) < 10):
        raise Refusal(400, "session: a number is expected.")
    Accounts(services()).end_session(me().number, int(number))
    say("Session ended.")
    return redirect(url_for("own_account.page"), 303)


@blueprint.get("/account/second-factor")
@needs("enrol")
def second_factor() -> Response:
    return enrolment(one_time_password.new_secret(), {})


@blueprint.post("/account/second-factor")
@needs("enrol")
def set_second_factor() -> Response:
    user, secret = me(), request.form.get("secret", "")
    try:
        confirm()
        Accounts(services()).set_second_factor(
            user.number, secret, request.form.get("code", "")[:20], by=actor()
        )
    except Refused as refused:
        if not one_time_password.is_secret(secret) or not refused.fields:
            raise
        return enrolment(secret, refused.fields, 400)
    say("Second factor turned on. You are signed out everywhere else.")
    return signed_in_anew(user)


@blueprint.post("/account/second-factor/remove")
@needs("self")
def remove_second_factor() -> Response:
    user = me()
    try:
        confirm()
        Accounts(services()).remove_second_factor(user.number, by=actor(), own=True)
    except Refused as refused:
        return shown({"current_for_removal": refused.message}, 400)
    say("Second factor turned off.", "warn")
    return redirect(url_for("own_account.page"), 303)


def me() -> User:
    number = identity().user
    assert number is not None, "only users have the permission `self`"
    with reading() as cursor:
        user = accounts.user(cursor, number)
    assert user is not None, "users are never deleted"
    return user


def signed_in_anew(user: User) -> Response:
    return entered(user, url_for("own_account.page"))


def shown(errors: dict[str, str], status: int = 200) -> Response:
    user = me()
    with reading() as cursor:
        own_sessions = sessions.of_user(cursor, user.number, services().clock.now())
    page = render_template(
        "accounts/own.html",
        user=user,
        sessions=own_sessions,
        browser_words=browser_words,
        current=identity().session,
        values={},
        errors=errors,
        shortest=SHORTEST_PASSWORD,
        can_have_second_factor=services().secrets is not None,
    )
    return make_response(page, status)


def enrolment(secret: str, errors: dict[str, str], status: int = 200) -> Response:
    user = me()
    page = render_template(
        "accounts/second_factor.html",
        must_enrol=must_enrol(),
        secret=secret,
        picture=qr_code(one_time_password.address(secret, user.name)),
        groups=[secret[at : at + 4] for at in range(0, len(secret), 4)],
        address=one_time_password.address(secret, user.name),
        values={},
        errors=errors,
    )
    return make_response(page, status)


def qr_code(text: str) -> Markup:
    """Dark on light whatever the page's colours, with the margin that readers need: many take no other."""
    drawn = segno.make_qr(text, error="m").svg_inline(
        dark="#000", light="#fff", border=4, omitsize=True, svgclass=None, lineclass=None
    )
    return Markup(drawn)  # noqa: S704 (nothing but numbers and colours is in it)
