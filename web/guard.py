"""Who may talk to us, until accounts exist: this machine only, and no page of another origin."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from flask import Flask, Response, request

from web.errors import Refusal

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class BindRefused(ValueError):
    """The host is reachable from other machines, and there are no accounts yet."""


def check_bind(host: str) -> None:
    """Raises BindRefused unless `host` is a loopback address or `localhost`."""
    if host == "localhost":
        return
    try:
        loopback = ip_address(host.strip("[]")).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise BindRefused(
            f"{host!r} is not a loopback address: without accounts anyone who reaches the page could act. "
            "Use 127.0.0.1, and a tunnel (ssh -L) from elsewhere."
        )


def install(app: Flask, public_host: str | None) -> None:
    """Every request passes both checks; every answer, errors too, carries the headers."""

    @app.before_request
    def check() -> None:
        check_host(public_host)
        check_origin()

    @app.after_request
    def add_headers(response: Response) -> Response:
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        response.headers.setdefault("Cache-Control", "no-store")
        return response


def check_host(public_host: str | None) -> None:
    """Refuses names that are not ours: a page elsewhere may point its own name at 127.0.0.1
    (DNS rebinding) and would then count as our origin."""
    name = host_name(request.host)
    if name in LOOPBACK_NAMES or (name == public_host and unsubscribing()):
        return
    raise Refusal(421, "This server answers only to 127.0.0.1, localhost and ::1.")


def check_origin() -> None:
    """Refuses changes that a page of another origin asks for. RFC 8058 posts come from mail
    services, with no cookie and no right but the token's, so they are let through."""
    if request.method in SAFE_METHODS or unsubscribing():
        return
    origin = request.headers.get("Origin")
    foreign_origin = origin is not None and urlsplit(origin).netloc != request.host
    if foreign_origin or request.headers.get("Sec-Fetch-Site", "none") not in ("same-origin", "none"):
        raise Refusal(403, "Changes are refused when a page of another origin asks for them.")


def unsubscribing() -> bool:
    return request.path.startswith("/unsubscribe/")


def host_name(host: str) -> str:
    """The name in a Host header, without its port, IPv6 without brackets, in lower case."""
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""
