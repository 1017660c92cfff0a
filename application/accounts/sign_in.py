"""Signing in: the name, the password and, where one is set, the code of the second factor."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from flask import request

from domain.accounts import one_time_password
from domain.accounts.accounts import LONGEST_PASSWORD
from domain.errors import Refused
from storage.accounts import accounts, rate_limits, sessions
from storage.accounts.accounts import User
from storage.accounts.rate_limits import Rate
from storage.secrets import second_factor_owner
from web.http.cookies import session_token
from web.http.errors import Refusal
from web.http.services import services

PER_NAME_AND_ADDRESS = Rate(burst=5, per_second=1 / 30)
PER_ADDRESS = Rate(burst=30, per_second=1 / 5)
PER_NAME = Rate(burst=100, per_second=1 / 10)
"""Wide, or anybody could keep a person out by failing in their name."""

log = logging.getLogger(__name__)


def authenticated(name: str, password: str, code: str) -> User | None:
    """None when any of the three is wrong, or the user disabled: which of them is not told, nor shown by
    the time it takes. Raises Refusal 429 after too many attempts."""
    name, now = name.strip().lower(), services().clock.now()
    with services().pool.transaction() as cursor:
        limit(cursor, name, now)
    with services().pool.transaction() as cursor:
        user = accounts.user_named(cursor, name)
        stored = accounts.DECOY if user is None else accounts.password_hash(cursor, user.number)
    right = accounts.is_right(stored, password[: LONGEST_PASSWORD + 1])
    if user is None or user.disabled or not (right and has_code(user, code, now)):
        # A name that is not there may be a password in the wrong field: it is not logged.
        log.warning("sign-in as %s from %s failed", user.name if user else "nobody", request.remote_addr)
        return None
    renewed = accounts.hashed(password) if accounts.is_outdated(stored) else None
    with services().pool.transaction() as cursor:
        forgive(cursor, name)
        if renewed is not None:
            accounts.renew_hash(cursor, user.number, renewed)
    return user


def limit(cursor: Any, name: str, now: datetime) -> None:
    address = request.remote_addr
    hold(
        cursor,
        now,
        (bucket_of(name), PER_NAME_AND_ADDRESS),
        (f"sign-in from {address}", PER_ADDRESS),
        (f"sign-in as {name}", PER_NAME),
    )


def limit_address(cursor: Any, now: datetime) -> None:
    """For sign-ins that name nobody yet."""
    hold(cursor, now, (f"sign-in from {request.remote_addr}", PER_ADDRESS))


def hold(cursor: Any, now: datetime, *buckets: tuple[str, Rate]) -> None:
    wait = max(rate_limits.take(cursor, bucket, rate, now) for bucket, rate in buckets)
    if wait:
        cursor.connection.commit()
        log.warning("sign-in from %s refused: too many attempts", request.remote_addr)
        seconds = int(wait) + 1
        raise Refusal(
            429, f"Too many attempts. Try again in {seconds} seconds.", {"Retry-After": str(seconds)}
        )


def bucket_of(name: str) -> str:
    """Of a name and an address; right passwords fill it again."""
    return f"sign-in {name} {request.remote_addr}"


def forgive(cursor: Any, name: str) -> None:
    """After a right one, the wrong ones before it count no more."""
    rate_limits.fill(cursor, bucket_of(name))


def has_code(user: User, code: str, now: datetime) -> bool:
    if not user.has_second_factor:
        return True
    secrets = services().secrets
    with services().pool.transaction() as cursor:
        sealed = accounts.second_factor(cursor, user.number)
        if secrets is None or sealed is None:
            return False
        secret = secrets.unseal(second_factor_owner(user.number), sealed)
        step = one_time_password.step_of(secret, code, now)
        return step is not None and accounts.use_step(cursor, user.number, step)


def begin_session(user: User) -> str:
    """The token of a new session; the one that the browser had is over."""
    now = services().clock.now()
    with services().pool.transaction() as cursor:
        if (old := session_token()) is not None:
            sessions.end(cursor, old)
        accounts.signed_in(cursor, user.number, now)
        rate_limits.forget(cursor, now)
        browser = "".join(each for each in request.user_agent.string if each.isprintable())
        token = sessions.begin(cursor, user.number, now, address=request.remote_addr or "", browser=browser)
    log.info("%s signed in from %s", user.name, request.remote_addr)
    return token


def check_own_password(user: User, password: str) -> None:
    """Raises Refused when it is not the user's, Refusal 429 after too many attempts."""
    with services().pool.transaction() as cursor:
        limit(cursor, user.name, services().clock.now())
    with services().pool.transaction() as cursor:
        stored = accounts.password_hash(cursor, user.number)
    if not accounts.is_right(stored, password[: LONGEST_PASSWORD + 1]):
        log.warning("%s gave a wrong password for a change of their account", user.name)
        raise Refused("this is not your password", "current")
    with services().pool.transaction() as cursor:
        forgive(cursor, user.name)


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
