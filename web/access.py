"""Who asks, and what they may do. Every view says what it needs; a view that says nothing is not run.

Sign-in by cookie is for pages, and for the API where our own pages ask; programs have keys.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from flask import Flask, current_app, g, request
from markupsafe import Markup

from web.errors import Refusal

Permission = Literal["public", "read", "write", "send", "configure", "administer", "self"]
"""`self` is for what concerns nobody but the person who is signed in, such as their password."""

ROLES: dict[str, frozenset[str]] = {
    "auditor": frozenset({"read"}),
    "operator": frozenset({"read", "write", "send", "configure"}),
    "admin": frozenset({"read", "write", "send", "configure", "administer"}),
}
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
CSRF_FIELD = "csrf"
CSRF_HEADER = "X-CSRF-Token"

View = TypeVar("View", bound=Callable[..., Any])


@dataclass(frozen=True)
class Identity:
    """`form_key` is what the tokens of forms are made from; None where no form is expected."""

    actor: str
    permissions: frozenset[str]
    form_key: bytes | None = None


def needs(permission: Permission, *, largest_body: int | None = None) -> Callable[[View], View]:
    """The decision of a view, below its route. `largest_body` in bytes, where the usual is too small."""

    def decide(view: View) -> View:
        view.needs = permission  # type: ignore[attr-defined]
        view.largest_body = largest_body  # type: ignore[attr-defined]
        return view

    return decide


def install(app: Flask) -> None:
    app.extensions["postledger.form_key"] = secrets.token_bytes(32)
    app.jinja_env.globals.update(csrf=csrf, csrf_token=csrf_token, may=may, actor=actor)
    needs("public")(app.view_functions["static"])

    @app.before_request
    def check() -> None:
        if request.endpoint is not None:
            check_request(app.view_functions[request.endpoint])


def check_request(view: Callable[..., Any]) -> None:
    permission = getattr(view, "needs", None)
    if permission is None:
        raise Refusal(500, "Nobody has decided who may ask for this.")
    if permission == "public":
        return
    if getattr(view, "largest_body", None):
        request.max_content_length = view.largest_body  # type: ignore[attr-defined]
    if not may(permission):
        raise Refusal(403, "Your role does not allow this.")
    check_csrf()


def identity() -> Identity:
    if "identity" not in g:
        g.identity = identified()
    found: Identity = g.identity
    return found


def identified() -> Identity:
    return Identity("local", ROLES["admin"] | {"self"}, current_app.extensions["postledger.form_key"])


def actor() -> str:
    """`user:NAME`, `key:NAME`, or `local` while there are no accounts: the `by` of every change."""
    return identity().actor


def may(permission: str) -> bool:
    return permission == "public" or permission in identity().permissions


def csrf_token() -> str:
    key = identity().form_key
    return "" if key is None else hmac.digest(key, b"form", "sha256").hex()


def csrf() -> Markup:
    """The hidden field that every form must have."""
    return Markup('<input type="hidden" name="{}" value="{}">').format(CSRF_FIELD, csrf_token())


def check_csrf() -> None:
    """Forms, and scripts of our pages, bring the token; programs with a key, or alone on this machine,
    need none, since no browser speaks for them without being asked."""
    if request.method in SAFE_METHODS or (request.path.startswith("/api/") and not signed_in()):
        return
    given = request.headers.get(CSRF_HEADER) or request.form.get(CSRF_FIELD, "")
    if not (csrf_token() and hmac.compare_digest(given.encode(), csrf_token().encode())):
        raise Refusal(403, "This form is out of date. Go back, load the page again and send it once more.")


def signed_in() -> bool:
    return identity().actor.startswith("user:")
