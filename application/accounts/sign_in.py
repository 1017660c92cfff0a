"""Signing in: the name, the password and, where one is set, the code of the second factor."""

from __future__ import annotations

import logging
from typing import Any

from application.installation import Installation
from domain.accounts import one_time_password
from domain.accounts.accounts import LONGEST_PASSWORD
from domain.errors import Refused
from storage.accounts import accounts, rate_limits, sessions
from storage.accounts.accounts import User
from storage.accounts.rate_limits import Rate
from storage.secrets import second_factor_owner

PER_NAME_AND_ADDRESS = Rate(burst=5, per_second=1 / 30)
PER_ADDRESS = Rate(burst=30, per_second=1 / 5)
PER_NAME = Rate(burst=100, per_second=1 / 10)
"""Wide, or anybody could keep a person out by failing in their name."""

log = logging.getLogger(__name__)


class TooManyAttempts(Exception):
    """To be tried again in `seconds`."""

    def __init__(self, seconds: int) -> None:
        self.message = f"Too many attempts. Try again in {seconds} seconds."
        self.seconds = seconds
        super().__init__(self.message)


class SignIn:
    """By somebody at the network `address`. Raises TooManyAttempts."""

    def __init__(self, installation: Installation, address: str | None) -> None:
        self._pool = installation.pool
        self._clock = installation.clock
        self._secrets = installation.secrets
        self._address = address

    def authenticated(self, name: str, password: str, code: str) -> User | None:
        """None when any of the three is wrong, or the user disabled: which of them is not told, nor shown by
        the time it takes."""
        name = name.strip().lower()
        self._limit(name)
        with self._pool.transaction() as cursor:
            user = accounts.user_named(cursor, name)
            stored = accounts.DECOY if user is None else accounts.password_hash(cursor, user.number)
        right = accounts.is_right(stored, password[: LONGEST_PASSWORD + 1])
        if user is None or user.disabled or not (right and self._has_code(user, code)):
            # A name that is not there may be a password in the wrong field: it is not logged.
            log.warning("sign-in as %s from %s failed", user.name if user else "nobody", self._address)
            return None
        renewed = accounts.hashed(password) if accounts.is_outdated(stored) else None
        with self._pool.transaction() as cursor:
            self.forgive(cursor, name)
            if renewed is not None:
                accounts.renew_hash(cursor, user.number, renewed)
        return user

    def has_code(self, user: User, code: str) -> bool:
        """Whether it is the code of the second factor at this moment; once."""
        self._limit(user.name)
        if self._has_code(user, code):
            return True
        log.warning("sign-in as %s from %s failed", user.name, self._address)
        return False

    def check_own_password(self, user: User, password: str) -> None:
        """Of somebody who is signed in. Raises Refused when it is not the user's."""
        self._limit(user.name)
        with self._pool.transaction() as cursor:
            stored = accounts.password_hash(cursor, user.number)
        if not accounts.is_right(stored, password[: LONGEST_PASSWORD + 1]):
            log.warning("%s gave a wrong password for a change of their account", user.name)
            raise Refused("this is not your password", "current")
        with self._pool.transaction() as cursor:
            self.forgive(cursor, user.name)

    def begin_session(self, user: User, *, browser: str, instead_of: str | None) -> str:
        """The token of a new session; the one that the browser had is over."""
        now = self._clock.now()
        with self._pool.transaction() as cursor:
            if instead_of is not None:
                sessions.end(cursor, instead_of)
            accounts.signed_in(cursor, user.number, now)
            rate_limits.forget(cursor, now)
            printable = "".join(each for each in browser if each.isprintable())
            token = sessions.begin(cursor, user.number, now, address=self._address or "", browser=printable)
        log.info("%s signed in from %s", user.name, self._address)
        return token

    def end_session(self, token: str) -> None:
        with self._pool.transaction() as cursor:
            sessions.end(cursor, token)

    def limit_address(self) -> None:
        """For sign-ins that name nobody yet."""
        self._hold((f"sign-in from {self._address}", PER_ADDRESS))

    def forgive(self, cursor: Any, name: str) -> None:
        """After a right one, the wrong ones before it count no more."""
        rate_limits.fill(cursor, self._bucket_of(name))

    def _limit(self, name: str) -> None:
        self._hold(
            (self._bucket_of(name), PER_NAME_AND_ADDRESS),
            (f"sign-in from {self._address}", PER_ADDRESS),
            (f"sign-in as {name}", PER_NAME),
        )

    def _bucket_of(self, name: str) -> str:
        """Of a name and an address; right passwords fill it again."""
        return f"sign-in {name} {self._address}"

    def _hold(self, *buckets: tuple[str, Rate]) -> None:
        now = self._clock.now()
        with self._pool.transaction() as cursor:
            wait = max(rate_limits.take(cursor, bucket, rate, now) for bucket, rate in buckets)
        if wait:
            log.warning("sign-in from %s refused: too many attempts", self._address)
            raise TooManyAttempts(int(wait) + 1)

    def _has_code(self, user: User, code: str) -> bool:
        if not user.has_second_factor:
            return True
        with self._pool.transaction() as cursor:
            sealed = accounts.second_factor(cursor, user.number)
            if self._secrets is None or sealed is None:
                return False
            secret = self._secrets.unseal(second_factor_owner(user.number), sealed)
            step = one_time_password.step_of(secret, code, self._clock.now())
            return step is not None and accounts.use_step(cursor, user.number, step)
