"""Whether somebody sits at this machine, or a proxy on it passes on what others ask."""

from __future__ import annotations

from flask import request

from domain.addresses.bind_address import is_loopback

TRACES = frozenset({
    "cf-connecting-ip", "cf-ray", "client-ip", "fastly-client-ip", "fly-client-ip", "forwarded",
    "forwarded-for", "true-client-ip", "via", "x-client-ip", "x-cluster-client-ip", "x-host",
    "x-envoy-external-address", "x-original-forwarded-for", "x-original-host", "x-original-url",
    "x-originating-ip", "x-proxyuser-ip", "x-real-ip", "x-remote-addr", "x-remote-ip", "x-rewrite-url",
    "x-scheme",
})  # fmt: skip
"""Header fields that proxies add and browsers do not, in lower case; and all that begin with X-Forwarded."""


def is_from_this_machine() -> bool:
    """False as soon as anything speaks for a proxy. HTTP/1.0 does, too: nginx uses it unless it is told
    otherwise, without any field of its own, and browsers have not for twenty years."""
    names = [name.lower() for name, _ in request.headers]
    return (
        is_loopback(request.remote_addr or "")
        and request.environ.get("SERVER_PROTOCOL") != "HTTP/1.0"
        and not any(name in TRACES or name.startswith("x-forwarded") for name in names)
    )
