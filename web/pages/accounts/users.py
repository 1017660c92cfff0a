"""Users and API keys, for admins; while there is no user, how to make the first."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Blueprint, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from application.accounts.accounts import Accounts
from domain.accounts.accounts import ADMIN, AUDITOR, OPERATOR, ROLES, SCOPES
from domain.accounts.passwords import SHORTEST_PASSWORD
from domain.errors import Missing, Refused
from domain.streams import LARGEST_NUMBER
from storage.accounts import accounts, api_keys, identities, second_factors, sessions
from web.http.access import actor, identity, needs
from web.http.services import reading, services
from web.pages.accounts.sign_in import confirm
from web.pages.accounts.user_agents import browser_words
from web.pages.notices import say

blueprint = Blueprint("users", __name__)

ROLE_WORDS = (
    (AUDITOR, "Auditor: views everything, changes nothing"),
    (OPERATOR, "Operator: manages campaigns, servers and lists"),
    (ADMIN, "Admin: everything, including users and keys"),
)
EXPIRIES = (("30", "In 30 days"), ("90", "In 90 days"), ("365", "In a year"), ("", "Never"))


@blueprint.get("/users")
@needs("read")
def listed() -> Response:
    """Who has access is for auditors to see too; nothing here is secret."""
    return users_page({})


@blueprint.post("/users/second-factors")
@needs("administer")
def require_second_factors() -> Response:
    roles = request.form.getlist("roles")
    try:
        confirm()
        Accounts(services()).require_second_factors(roles, by=actor())
    except Refused as refused:
        return users_page(faults(refused), 400)
    say(f"A second factor is required for {', '.join(roles) or 'nobody'}.")
    return redirect(url_for("users.listed"), 303)


def users_page(errors: dict[str, str], status: int = 200) -> Response:
    with reading() as cursor:
        page = render_template(
            "accounts/users.html",
            users=accounts.users(cursor),
            keys=api_keys.keys(cursor),
            now=services().clock.now(),
            roles=ROLES,
            required_factors=request.form.getlist("roles") if errors else second_factors.required(cursor),
            errors=errors,
        )
    return make_response(page, status)


@blueprint.get("/users/new")
@needs("administer")
def new_user() -> Response:
    return user_form({"role": OPERATOR}, {})


@blueprint.post("/users")
@needs("administer")
def add_user() -> Response:
    given = {"name": request.form.get("name", ""), "role": request.form.get("role", "")}
    try:
        confirm()
        Accounts(services()).add_user(
            given["name"], given["role"], request.form.get("password", ""), by=actor()
        )
    except Refused as refused:
        return user_form(given, faults(refused), 400)
    say(f"{given['name'].strip().lower()} can sign in now.")
    return redirect(url_for("users.listed"), 303)


@blueprint.get("/users/<int:number>")
@needs("administer")
def one(number: int) -> Response:
    return user_page(number, {})


@blueprint.post("/users/<int:number>/role")
@needs("administer")
def change_role(number: int) -> Response:
    return changed(
        number,
        "role",
        lambda: Accounts(services()).change_role(number, request.form.get("role", ""), by=actor()),
        "Role changed. The user has to sign in again.",
    )


@blueprint.post("/users/<int:number>/password")
@needs("administer")
def change_password(number: int) -> Response:
    return changed(
        number,
        "password",
        lambda: Accounts(services()).change_password(number, request.form.get("password", ""), by=actor()),
        "Password changed. All sessions of the user are ended.",
    )


@blueprint.post("/users/<int:number>/email")
@needs("administer")
def change_email(number: int) -> Response:
    """By which a sign-in provider's users are found; an empty field takes it away."""
    email = request.form.get("email", "").strip()
    return changed(
        number,
        "email",
        lambda: Accounts(services()).set_email(number, email or None, by=actor()),
        "Address saved. The user can sign in through the provider now, and has to sign in again."
        if email
        else "Address removed. The user can no longer sign in through a provider, and has to sign in again.",
    )


@blueprint.post("/users/<int:number>/disable")
@needs("administer")
def disable(number: int) -> Response:
    return changed(
        number,
        None,
        lambda: Accounts(services()).disable_user(number, by=actor()),
        "User disabled and signed out everywhere.",
    )


@blueprint.post("/users/<int:number>/enable")
@needs("administer")
def enable(number: int) -> Response:
    return changed(
        number,
        "enabling",
        lambda: Accounts(services()).enable_user(number, by=actor()),
        "User enabled.",
    )


@blueprint.post("/users/<int:number>/second-factor/remove")
@needs("administer")
def remove_second_factor(number: int) -> Response:
    return changed(
        number,
        "removal",
        lambda: Accounts(services()).remove_second_factor(number, by=actor()),
        "Second factor removed.",
    )


@blueprint.get("/keys/new")
@needs("administer")
def new_key() -> Response:
    return key_form({"scopes": ["read"], "expires": "365"}, {})


@blueprint.post("/keys")
@needs("administer")
def create_key() -> Response:
    """The one answer that has the key; it is kept nowhere."""
    given: dict[str, Any] = {
        "name": request.form.get("name", ""),
        "scopes": request.form.getlist("scopes"),
        "expires": request.form.get("expires", ""),
    }
    try:
        confirm()
        _, key = Accounts(services()).create_key(
            given["name"], given["scopes"], expiry(given["expires"]), by=actor()
        )
    except Refused as refused:
        return key_form(given, faults(refused), 400)
    return make_response(
        render_template("accounts/key_created.html", name=given["name"].strip().lower(), key=key)
    )


@blueprint.get("/keys/<int:number>/revoke")
@needs("administer")
def ask_to_revoke(number: int) -> str:
    with reading() as cursor:
        key = next((key for key in api_keys.keys(cursor) if key.number == number), None)
    if key is None or key.revoked_at is not None:
        raise Missing(f"there is no key {number} to revoke")
    return render_template("accounts/key_revoke.html", key=key)


@blueprint.post("/keys/<int:number>/revoke")
@needs("administer")
def revoke_key(number: int) -> Response:
    Accounts(services()).revoke_key(number, by=actor())
    say("Key revoked. Programs that use it no longer have access.")
    return redirect(url_for("users.listed"), 303)


def changed(number: int, form: str | None, command: Callable[[], object], said: str) -> Response:
    """By the form of that name, which asks for the admin's own password; None by one that takes access away,
    which must be quick."""
    try:
        if form is not None:
            confirm()
        command()
    except Missing:
        raise
    except Refused as refused:
        found = faults(refused)
        if "current" in found:
            found[f"current_{form}"] = found.pop("current")
        return user_page(number, found, 400)
    say(said)
    if number == identity().user:
        return redirect("/", 303)
    return redirect(url_for("users.one", number=number), 303)


def faults(refused: Refused) -> dict[str, str]:
    """Messages by field; under `form` what is about none."""
    if not refused.fields:
        return {"form": refused.message[:1].upper() + refused.message[1:] + "."}
    return {name: text.removeprefix(f"{name}: ") for name, text in refused.fields.items()}


def user_form(values: dict[str, Any], errors: dict[str, str], status: int = 200) -> Response:
    page = render_template(
        "accounts/user_new.html", values=values, errors=errors, roles=ROLE_WORDS, shortest=SHORTEST_PASSWORD
    )
    return make_response(page, status)


def user_page(number: int, errors: dict[str, str], status: int = 200) -> Response:
    with reading() as cursor:
        user = accounts.user(cursor, number) if number <= LARGEST_NUMBER else None
        if user is None:
            raise Missing(f"there is no user {number}")
        found = sessions.of_user(cursor, number, services().clock.now())
        email = identities.email_of(cursor, number)
        linked_at = identities.linked_at(cursor, number)
    values = {"role": request.form.get("role") or user.role, "email": request.form.get("email", email)}
    page = render_template(
        "accounts/user.html",
        user=user,
        sessions=found,
        linked_at=linked_at,
        browser_words=browser_words,
        values=values,
        errors=errors,
        roles=ROLE_WORDS,
        shortest=SHORTEST_PASSWORD,
    )
    return make_response(page, status)


def key_form(values: dict[str, Any], errors: dict[str, str], status: int = 200) -> Response:
    page = render_template(
        "accounts/key_new.html", values=values, errors=errors, scopes=SCOPES, roles=ROLES, expiries=EXPIRIES
    )
    return make_response(page, status)


def expiry(days: str) -> datetime | None:
    if days not in dict(EXPIRIES):
        raise Refused("expires: one of the choices is expected", "expires")
    return services().clock.now().astimezone(UTC) + timedelta(days=int(days)) if days else None
