"""The cookies: for who is signed in, for the sign-in form, and for who has signed in from here before. None
is told to scripts."""

from __future__ import annotations

from flask import request
from werkzeug.wrappers import Response

from storage.accounts.sessions import LONGEST
from web.http.services import services

SESSION = "postledger-session"
VISIT = "postledger-visit"
"""Ties the sign-in form to the browser it was shown in."""

DEVICE = "postledger-device"
"""That somebody has signed in from this browser, which opens nothing."""
DEVICE_SECONDS = 180 * 86_400

LONGEST_TOKEN = 80


def session_token() -> str | None:
    return _given(SESSION)


def set_session(response: Response, token: str) -> None:
    _set(response, SESSION, token, int(LONGEST.total_seconds()))


def end_session(response: Response) -> None:
    response.delete_cookie(name_of(SESSION), secure=is_secure(), httponly=True, samesite="Lax")


def visit_token() -> str | None:
    return _given(VISIT)


def set_visit(response: Response, token: str) -> None:
    _set(response, VISIT, token, None)


def device_token() -> str:
    return _given(DEVICE) or ""


def set_device(response: Response, token: str) -> None:
    _set(response, DEVICE, token, DEVICE_SECONDS)


def name_of(cookie: str) -> str:
    """With the prefix that keeps other hosts and paths from setting it (RFC 6265bis, section 4.1.3.2),
    which browsers honour over TLS alone."""
    return f"__Host-{cookie}" if is_secure() else cookie


def is_secure() -> bool:
    """Whether the browser came by TLS: to us, or to the proxy in front that has the public address."""
    public = services().public_url
    return request.is_secure or (
        public.startswith("https:") and request.host == public.removeprefix("https://").split("/")[0]
    )


def _given(cookie: str) -> str | None:
    value = request.cookies.get(name_of(cookie), "")
    return value if 0 < len(value) <= LONGEST_TOKEN and value.isascii() else None


def _set(response: Response, name: str, value: str, seconds: int | None) -> None:
    response.set_cookie(
        name_of(name), value, max_age=seconds, path="/", secure=is_secure(), httponly=True, samesite="Lax"
    )
