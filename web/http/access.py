"""Who asks, and what they may do. Every view says what it needs; a view that says nothing is not run.

A person is signed in by a cookie, on pages and where our own pages ask the API; programs have keys.
"""

from __future__ import annotations

import hmac
import logging
import secrets
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Literal, TypeVar

from flask import Flask, current_app, g, redirect, request, url_for
from markupsafe import Markup
from werkzeug.wrappers import Response

from application import permission
from application.turns import Turns
from domain.accounts.accounts import Scope
from storage.accounts import accounts, api_keys, sessions
from web.http.cookies import session_token
from web.http.errors import Refusal, wants_page
from web.http.identity import (
    NOBODY,
    Identity,
    accounts_exist,
    by_key,
    by_session,
    credentials,
    is_from_this_machine,
    is_open,
    local,
)
from web.http.services import reading, services

Permission = Literal["public", Scope, "self", "enrol"]
"""`self` is for what concerns nobody but the person who is signed in, such as their password; `enrol` for
what is left to those who have to set up a second factor first."""

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
CSRF_FIELD = "csrf"
CSRF_HEADER = "X-CSRF-Token"

UPLOADS = Turns("uploads", at_once=4, of_one=2, waiting=0)
"""Bodies that are read as they come, by those who may send them: each takes a thread while it comes."""

ENROL = "Your role requires a second factor. Set it up first."
NO_KEY = "Sign in, or send a valid API key: Authorization: Bearer KEY."
NO_USER = (
    "There are no users yet, and this request may have come through a proxy. Add the first admin on the "
    "machine itself: postledger user create NAME --role admin."
)

View = TypeVar("View", bound=Callable[..., Any])

log = logging.getLogger(__name__)


def needs(needed: Permission, *, largest_body: int | None = None) -> Callable[[View], View]:
    """The decision of a view, below its route. `largest_body` in bytes, where the usual is too small."""

    def decide(view: View) -> View:
        view.needs = needed  # type: ignore[attr-defined]
        view.largest_body = largest_body  # type: ignore[attr-defined]
        return view

    return decide


def install(app: Flask) -> None:
    app.extensions["postledger.form_key"] = secrets.token_bytes(32)
    app.jinja_env.globals.update(csrf=csrf, csrf_token=csrf_token, may=may, actor=actor, signed_in=signed_in)
    needs("public")(app.view_functions["static"])

    @app.before_request
    def check() -> Response | None:
        if request.endpoint is None:
            return None
        return check_request(app.view_functions[request.endpoint])

    @app.teardown_request
    def end(_: BaseException | None) -> None:
        permission.limit(None)
        if "uploading" in g:
            g.uploading.close()


def check_request(view: Callable[..., Any]) -> Response | None:
    """None lets the request through; an answer sends a person to where they can sign in."""
    needed = getattr(view, "needs", None)
    if needed is None:
        raise Refusal(500, "Nobody has decided who may ask for this.")
    if needed == "public":
        return None
    if getattr(view, "largest_body", None):
        request.max_content_length = view.largest_body  # type: ignore[attr-defined]
    if not may(needed):
        return turned_away(needed)
    if has_long_body():
        g.uploading = ExitStack()
        g.uploading.enter_context(UPLOADS.taken(actor()))
    check_csrf()
    permission.limit(identity().permissions, actor())
    return None


def must_enrol() -> bool:
    return identity().permissions == {"enrol"}


def has_long_body() -> bool:
    """Longer than what has arrived when a request is handed over; of unknown length counts as long."""
    length = request.content_length or 0
    return "Transfer-Encoding" in request.headers or length > services().settings.largest_body


def turned_away(needed: str) -> Response:
    """Raises Refusal where there is nowhere to send to. The API answers 403 in every case, as listmonk
    does; RFC 9110, section 15.5.2, would have 401 for those who are nobody."""
    if wants_page() and request.method in SAFE_METHODS and actor() == NOBODY.actor:
        wanted = request.full_path.removesuffix("?")
        return redirect(url_for("sign_in.page", next=None if wanted == "/" else wanted), 303)
    if must_enrol():
        if wants_page() and request.method in SAFE_METHODS:
            return redirect(url_for("own_account.second_factor"), 303)
        raise Refusal(403, ENROL)
    log.warning("refused %s %r to %s: needs %s", request.method, request.path, actor(), needed)
    if request.path.startswith("/api/"):
        nobody = NO_KEY if accounts_exist() else NO_USER
        raise Refusal(403, nobody if actor() == NOBODY.actor else "You are not allowed to do this.")
    if actor() == "local":
        return redirect(url_for("users.listed"), 303)
    if actor() != NOBODY.actor:
        raise Refusal(403, "Your role does not allow this.")
    raise Refusal(401, "You are not signed in, or your session has ended.", {"WWW-Authenticate": "Bearer"})


def identity() -> Identity:
    if "identity" not in g:
        g.identity = identified()
    found: Identity = g.identity
    return found


def identified() -> Identity:
    """While there is no user at all, whoever sits at this machine may do everything."""
    now = services().clock.now()
    with reading() as cursor:
        found = by_key(cursor, now) if "Authorization" in request.headers else by_session(cursor, now)
        if found is NOBODY and is_open(cursor) and is_from_this_machine():
            return local()
    return found


def lasting() -> Callable[[], bool]:
    """Tells, during an answer that has no end and outside of the request, whether it would be given still."""
    kept, was, token = services(), identity(), session_token()
    key = credentials(request.headers.get("Authorization", ""))

    def would_be_given() -> bool:
        now = kept.clock.now()
        with kept.pool.transaction() as cursor:
            if was.user is not None and token is not None:
                found = sessions.signed_in(cursor, token, now, counts_as_use=False)
                return found is not None and not found.must_enrol
            if was.actor == "local":
                return not accounts.exist(cursor)
            return key is not None and api_keys.found(cursor, key[1], now) is not None

    return would_be_given


def actor() -> str:
    """`user:NAME`, `key:NAME`, or `local` while there are no accounts: the `by` of every change."""
    return identity().actor


def may(what: str) -> bool:
    return what == "public" or what in identity().permissions


def signed_in() -> str | None:
    """The name of the user who is signed in."""
    return identity().user_name


def csrf_token() -> str:
    key = identity().form_key
    return "" if key is None else token_from(key)


def token_from(key: bytes) -> str:
    return hmac.digest(key, b"form", "sha256").hex()


def csrf() -> Markup:
    """The hidden field that every form must have."""
    return hidden_token(csrf_token())


def hidden_token(token: str) -> Markup:
    return Markup('<input type="hidden" name="{}" value="{}">').format(CSRF_FIELD, token)


def check_csrf() -> None:
    """Forms, and scripts of our pages, bring the token; programs with a key, or alone on this machine,
    need none, since no browser speaks for them without being asked."""
    if request.method in SAFE_METHODS or (request.path.startswith("/api/") and signed_in() is None):
        return
    check_token(csrf_token())


def check_token(expected: str) -> None:
    given = request.headers.get(CSRF_HEADER) or request.form.get(CSRF_FIELD, "")
    if not (expected and hmac.compare_digest(given.encode(), expected.encode())):
        log.warning("refused %s %r to %s: no valid form token", request.method, request.path, actor())
        raise Refusal(403, "This form has expired. Go back, reload the page and submit it again.")


def form_key() -> bytes:
    """Of this process: for forms of those who are not signed in by a session of their own."""
    key: bytes = current_app.extensions["postledger.form_key"]
    return key
