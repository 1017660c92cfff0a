"""Under which names we answer, whose pages may ask for changes, and what browsers are told to allow."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Flask, Response, request

from domain.addresses.bind_address import address_of
from web.http.cookies import is_secure
from web.http.errors import Refusal
from web.http.identity import LOOPBACK_NAMES, accounts_exist, host_name
from web.http.services import services

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def install(app: Flask) -> None:
    """Every request passes both checks; every answer, errors too, carries the headers."""

    @app.before_request
    def check() -> None:
        check_host()
        check_origin()

    @app.after_request
    def add_headers(response: Response) -> Response:
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        response.headers.setdefault("Cache-Control", "no-store")
        if is_secure():
            response.headers.setdefault("Strict-Transport-Security", "max-age=31536000")
        return response


def check_host() -> None:
    """Refuses names that are not ours: a page elsewhere may point its own name at our address
    (DNS rebinding) and would then count as our origin. Unsubscribing is served under any: links that are out
    keep the name that they were sent with, and what counts is their token."""
    name = host_name(request.host)
    if name in LOOPBACK_NAMES or unsubscribing() or (is_known(name) and accounts_exist()):
        return
    raise Refusal(421, "This server does not answer to this host name.")


def is_known(name: str) -> bool:
    """The public name, and the address that we listen on. Listening on all, each is an address of ours;
    nobody can point addresses elsewhere as they can names."""
    bound, asked = address_of(services().settings.bind), address_of(name)
    listens_there = asked is not None and bound is not None and (bound.is_unspecified or bound == asked)
    return name == services().public_host or listens_there


def check_origin() -> None:
    """Refuses changes that a page of another origin asks for. RFC 8058 posts come from mail
    services, with no cookie and no right but the token's, so they are let through."""
    if request.method in SAFE_METHODS or unsubscribing():
        return
    origin = request.headers.get("Origin")
    foreign_origin = origin is not None and urlsplit(origin).netloc != request.host
    if foreign_origin or request.headers.get("Sec-Fetch-Site", "none") not in ("same-origin", "none"):
        raise Refusal(403, "Changes requested by a page of another origin are refused.")


def unsubscribing() -> bool:
    return request.path.startswith(("/unsubscribe/", "/subscription/"))
