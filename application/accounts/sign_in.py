"""Signing in: the name, the password and, where one is set, the code of the second factor."""

from __future__ import annotations

import logging
import secrets
from typing import Any

from application.accounts.hashing import BY_ACQUAINTANCES, BY_STRANGERS, hashed, is_right
from application.installation import Installation
from domain.accounts import device_token, one_time_password
from domain.accounts.accounts import is_name
from domain.addresses.network import network_of
from domain.errors import Refused
from storage.accounts import accounts, rate_limits, sessions
from storage.accounts.accounts import User
from storage.accounts.rate_limits import Rate
from storage.secrets import second_factor_owner

PER_NAME_AND_NETWORK = Rate(burst=5, per_second=1 / 30)
PER_NETWORK = Rate(burst=30, per_second=1 / 5)
PER_DEVICE = Rate(burst=5, per_second=1 / 30)
FAILED_PER_NAME = Rate(burst=20, per_second=1 / 60)
"""Who fails more often in a name, from wherever, makes sign-ins in it slower; it closes them to nobody."""
SLOWED_PER_NAME_AND_NETWORK = Rate(burst=1, per_second=1 / 60)

log = logging.getLogger(__name__)


class TooManyAttempts(Exception):
    """To be tried again in `seconds`."""

    def __init__(self, seconds: int) -> None:
        self.message = f"Too many attempts. Try again in {seconds} seconds."
        self.seconds = seconds
        super().__init__(self.message)


class SignIn:
    """By somebody at the network `address`, in a browser that has the token `device`. Raises TooManyAttempts,
    and Crowded when too many sign in at once."""

    def __init__(self, installation: Installation, address: str | None, device: str = "") -> None:
        self._pool = installation.pool
        self._clock = installation.clock
        self._secrets = installation.secrets
        self._address = address
        self._network = network_of(address)
        self._device_token = device

    def authenticated(self, name: str, password: str, code: str) -> User | None:
        """None when any of the three is wrong, or the user disabled: which of them is not told, nor shown by
        the time it takes."""
        name = name.strip().lower()
        with self._pool.transaction() as cursor:
            user = accounts.user_named(cursor, name) if is_name(name) else None
            stored = accounts.DECOY if user is None else accounts.password_hash(cursor, user.number)
        device = None if user is None else self._device_of(user)
        self._limit(name, device)
        turns = BY_STRANGERS if device is None else BY_ACQUAINTANCES
        if not (
            is_right(stored, password, turns) and user and not user.disabled and self._has_code(user, code)
        ):
            # A name that is not there may be a password in the wrong field: it is not logged.
            log.warning("sign-in as %s from %s failed", user.name if user else "nobody", self._address)
            if device is None:
                self._count_failure(name)
            return None
        renewed = hashed(password) if accounts.is_outdated(stored) else None
        with self._pool.transaction() as cursor:
            self._forgive(cursor, name, device)
            if renewed is not None:
                accounts.renew_hash(cursor, user.number, renewed)
        return user

    def has_code(self, user: User, code: str) -> bool:
        """Whether it is the code of the second factor at this moment; once."""
        self._hold((f"code of {user.number} {self._network}", PER_DEVICE))
        if self._has_code(user, code):
            return True
        log.warning("sign-in as %s from %s failed", user.name, self._address)
        return False

    def check_own_password(self, user: User, password: str) -> None:
        """Of somebody who is signed in. Raises Refused when it is not the user's."""
        bucket = f"own password of {user.number}"
        self._hold((bucket, PER_DEVICE))
        with self._pool.transaction() as cursor:
            stored = accounts.password_hash(cursor, user.number)
        if not is_right(stored, password):
            log.warning("%s gave a wrong password for a change of an account", user.name)
            raise Refused("wrong password", "current")
        with self._pool.transaction() as cursor:
            rate_limits.fill(cursor, bucket)

    def new_device(self, user: int) -> str | None:
        """A token for the browser of somebody who has just signed in; None where none can be made."""
        with self._pool.transaction() as cursor:
            found = accounts.user(cursor, user)
        if self._secrets is None or found is None:
            return None
        key = self._secrets.device_keys()[0]
        return device_token.token(key, user, found.password_changed_at, secrets.token_bytes(16))

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
        self._hold(self._per_network())

    def _device_of(self, user: User) -> str | None:
        """The browser, when `user` has signed in from it since the password was set."""
        if self._secrets is None or not self._device_token:
            return None
        keys = self._secrets.device_keys()
        return device_token.device(keys, user.number, user.password_changed_at, self._device_token)

    def _limit(self, name: str, device: str | None) -> None:
        """A browser that is known has limits of its own, which nobody else uses up."""
        if device is not None:
            self._hold((f"sign-in by {device}", PER_DEVICE))
            return
        with self._pool.transaction() as cursor:
            is_slowed = rate_limits.is_empty(cursor, _failed(name), FAILED_PER_NAME, self._clock.now())
        buckets = [self._per_network(), (self._bucket_of(name), PER_NAME_AND_NETWORK)]
        if is_slowed:
            buckets.append((self._slow_bucket_of(name), SLOWED_PER_NAME_AND_NETWORK))
        self._hold(*buckets)

    def _count_failure(self, name: str) -> None:
        with self._pool.transaction() as cursor:
            rate_limits.take(cursor, _failed(name), FAILED_PER_NAME, self._clock.now())

    def _forgive(self, cursor: Any, name: str, device: str | None) -> None:
        """After a right one, the wrong ones before it count no more."""
        own = [self._bucket_of(name), self._slow_bucket_of(name)]
        for bucket in own if device is None else [f"sign-in by {device}"]:
            rate_limits.fill(cursor, bucket)

    def _per_network(self) -> tuple[str, Rate]:
        return f"sign-in from {self._network}", PER_NETWORK

    def _bucket_of(self, name: str) -> str:
        return f"sign-in {name} {self._network}"

    def _slow_bucket_of(self, name: str) -> str:
        return f"slow sign-in {name} {self._network}"

    def _hold(self, *buckets: tuple[str, Rate]) -> None:
        """An attempt that is refused takes nothing from any bucket."""
        now = self._clock.now()
        try:
            with self._pool.transaction() as cursor:
                for bucket, rate in buckets:
                    if wait := rate_limits.take(cursor, bucket, rate, now):
                        raise TooManyAttempts(int(wait) + 1)
        except TooManyAttempts:
            log.warning("sign-in from %s refused: too many attempts", self._address)
            raise

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


def _failed(name: str) -> str:
    return f"failed sign-ins as {name}"
