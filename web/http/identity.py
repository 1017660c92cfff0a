"""Whom a request speaks for: a session's user, a key's program, or whoever sits at this machine."""

from __future__ import annotations

import base64
import binascii
import hmac
import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from flask import current_app, request

from domain.accounts.accounts import ROLES, SCOPES
from domain.addresses.bind_address import is_loopback
from domain.addresses.network import network_of
from storage.accounts import accounts, api_keys, rate_limits, sessions
from storage.accounts.rate_limits import Rate
from web.http.cookies import session_token
from web.http.errors import Refusal
from web.http.services import reading

PER_KEY = Rate(burst=600, per_second=100)
PER_NETWORK = Rate(burst=60, per_second=1)
"""For keys that are none."""

LONGEST_CREDENTIALS = 400
UNATTENDED = ("live.stream", "live.fragments")
"""Endpoints that an open page asks for on its own: they keep nobody signed in."""

LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})
CLIENTS_FIELDS = frozenset({
    "authorization", "cache-control", "connection", "cookie", "dnt", "downlink", "expect", "host",
    "http2-settings", "idempotency-key", "keep-alive", "last-event-id", "origin", "pragma", "priority",
    "purpose", "range", "referer", "save-data", "te", "transfer-encoding", "upgrade",
    "upgrade-insecure-requests", "user-agent", "x-csrf-token", "x-part",
    "x-prometheus-scrape-timeout-seconds", "x-requested-with",
})  # fmt: skip
CLIENTS_PREFIXES = ("accept", "content-", "if-", "sec-")
"""Header fields, in lower case, that browsers, curl and its like, our own pages and Prometheus send."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Identity:
    """`form_key` is what the tokens of forms are made from; None where no form is expected."""

    actor: str
    permissions: frozenset[str]
    form_key: bytes | None = None
    user: int | None = None
    session: int | None = None

    @property
    def user_name(self) -> str | None:
        return self.actor.removeprefix("user:") if self.user is not None else None


NOBODY = Identity("nobody", frozenset())


def is_open(cursor: Any) -> bool:
    """Whether there are no accounts yet. Users are never deleted, so there is no way back."""
    known: dict[str, Any] = current_app.extensions
    if not known.get("postledger.has_accounts"):
        known["postledger.has_accounts"] = accounts.exist(cursor)
    return not known["postledger.has_accounts"]


def accounts_exist() -> bool:
    with reading() as cursor:
        return not is_open(cursor)


def is_from_this_machine() -> bool:
    """False as soon as anything may speak for a proxy: a field that clients do not send, whatever it is
    called, or a name that is not this machine's. HTTP/1.0 does, too: nginx uses it unless it is told
    otherwise, without any field of its own, and browsers have not for twenty years."""
    return (
        is_loopback(request.remote_addr or "")
        and host_name(request.host) in LOOPBACK_NAMES
        and request.environ.get("SERVER_PROTOCOL") != "HTTP/1.0"
        and all(is_sent_by_clients(name.lower()) for name, _ in request.headers)
    )


def host_name(host: str) -> str:
    """The name in a Host header, without its port, IPv6 without brackets, in lower case."""
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def is_sent_by_clients(field: str) -> bool:
    return field in CLIENTS_FIELDS or field.startswith(CLIENTS_PREFIXES)


def local() -> Identity:
    return Identity("local", frozenset(SCOPES), current_app.extensions["postledger.form_key"])


def by_session(cursor: Any, now: datetime) -> Identity:
    token = session_token()
    if token is None:
        return NOBODY
    found = sessions.signed_in(cursor, token, now, counts_as_use=request.endpoint not in UNATTENDED)
    if found is None:
        return NOBODY
    permissions = frozenset(["enrol"] if found.must_enrol else [*ROLES[found.role], "self", "enrol"])
    return Identity(f"user:{found.name}", permissions, token.encode(), found.user, found.session)


def by_key(cursor: Any, now: datetime) -> Identity:
    """Raises Refusal 429 for a key that asks too often, and for addresses that try keys that are none."""
    given = credentials(request.headers["Authorization"])
    key = None if given is None else api_keys.found(cursor, given[1], now)
    if key is None or (given and given[0] is not None and not same(given[0], key.name)):
        if not is_open(cursor):
            log.warning("an API key from %s was refused", request.remote_addr)
            check_rate(cursor, f"keys from {network_of(request.remote_addr)}", PER_NETWORK, now)
        return NOBODY
    check_rate(cursor, f"key {key.number}", PER_KEY, now)
    return Identity(f"key:{key.name}", frozenset(key.scopes))


def credentials(header: str) -> tuple[str | None, str] | None:
    """(name of the key or None, key) of `Bearer KEY`, `Basic` with NAME:KEY in base64 (RFC 7617) and
    listmonk's `token NAME:KEY`; None for anything else."""
    scheme, _, rest = header.partition(" ")
    scheme, rest = scheme.lower(), rest.strip()
    if len(rest) > LONGEST_CREDENTIALS:
        return None
    if scheme == "bearer":
        return None, rest
    if scheme == "basic":
        try:
            rest = base64.b64decode(rest, validate=True).decode()
        except (binascii.Error, ValueError):
            return None
    elif scheme != "token":
        return None
    name, separator, key = rest.partition(":")
    return (name, key) if separator else None


def same(given: str, name: str) -> bool:
    return hmac.compare_digest(given.lower().encode(), name.encode())


def check_rate(cursor: Any, bucket: str, rate: Rate, now: datetime) -> None:
    wait = rate_limits.take(cursor, bucket, rate, now)
    if wait:
        raise Refusal(429, "Too many requests; ask again later.", {"Retry-After": str(int(wait) + 1)})
