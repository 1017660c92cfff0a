"""What is done to accounts and keys, by pages and by the command line alike. Each change is made together
with its event, in one transaction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from application.accounts.common_passwords import is_common
from application.accounts.hashing import hashed
from application.installation import Installation
from domain.accounts import one_time_password
from domain.accounts.accounts import (
    ADMIN,
    KeyCreated,
    KeyRevoked,
    SecondFactorsRequired,
    UserAdded,
    UserDisabled,
    UserEmailChanged,
    UserEnabled,
    UserLinked,
    UserPasswordChanged,
    UserRoleChanged,
    UserSecondFactorRemoved,
    UserSecondFactorSet,
    checked_expiry,
    checked_name,
    checked_role,
    checked_roles,
    checked_scopes,
)
from domain.accounts.passwords import checked_password
from domain.addresses.email_address import wrong_with
from domain.errors import Missing, Refused
from domain.fact import Fact
from domain.streams import LARGEST_NUMBER, key_stream, user_stream
from storage.accounts import accounts, api_keys, identities, second_factors, sessions
from storage.accounts.accounts import User
from storage.accounts.api_keys import Key
from storage.log.versions import versions
from storage.secrets import second_factor_owner


class Accounts:
    """Every command names who gives it (`by`) and raises Refused when the rules do not allow it."""

    def __init__(self, installation: Installation) -> None:
        self._pool = installation.pool
        self._log = installation.log
        self._clock = installation.clock
        self._secrets = installation.secrets
        self._public_url = installation.public_url

    # Users

    def user_named(self, name: str) -> User:
        """Raises Missing."""
        with self._pool.transaction() as cursor:
            found = accounts.user_named(cursor, name.strip().lower())
        if found is None:
            raise Missing(f"there is no user {name!r}")
        return found

    def add_user(self, name: str, role: str, password: str, *, by: str) -> int:
        """The number of the new user."""
        name, role = checked_name(name), checked_role(role)
        kept = hashed(self._checked_password(password, name, None))
        with self._pool.transaction() as cursor:
            accounts.lock(cursor)
            if not accounts.exist(cursor) and role != ADMIN:
                raise Refused("role: the first user must be an admin", "role")
            number = accounts.add(cursor, name, role, kept, self._clock.now())
            if number is None:
                raise Refused(f"name: there is a user {name} already", "name")
            self._record(cursor, UserAdded, user_stream(number), 1, by, name=name, role=role)
        return number

    def change_role(self, number: int, role: str, *, by: str) -> None:
        """Ends the user's sessions: what they show belongs to the old role."""
        checked_role(role)
        with self._changing(number) as (cursor, user):
            if user.role == role:
                return
            self._keep_an_admin(cursor, user)
            accounts.set_role(cursor, number, role)
            sessions.end_all(cursor, number)
            self._record_for(cursor, UserRoleChanged, user, by, role=role)

    def change_password(self, number: int, password: str, *, by: str) -> None:
        """Ends the user's sessions."""
        with self._pool.transaction() as cursor:
            name, email = _user(cursor, number).name, identities.email_of(cursor, number)
        kept = hashed(self._checked_password(password, name, email))
        with self._changing(number) as (cursor, user):
            accounts.set_password(cursor, number, kept, self._clock.now())
            sessions.end_all(cursor, number)
            self._record_for(cursor, UserPasswordChanged, user, by)

    def disable_user(self, number: int, *, by: str) -> None:
        """Ends the user's sessions."""
        with self._changing(number) as (cursor, user):
            if user.disabled:
                return
            self._keep_an_admin(cursor, user)
            accounts.set_disabled(cursor, number, True)
            sessions.end_all(cursor, number)
            self._record_for(cursor, UserDisabled, user, by)

    def enable_user(self, number: int, *, by: str) -> None:
        with self._changing(number) as (cursor, user):
            if user.disabled:
                accounts.set_disabled(cursor, number, False)
                self._record_for(cursor, UserEnabled, user, by)

    def set_second_factor(self, number: int, secret: str, code: str, *, by: str) -> None:
        """`code` shows that the person's device has the secret. Ends the user's sessions."""
        if self._secrets is None:
            raise Refused("second factors cannot be kept here")
        if not one_time_password.is_secret(secret):
            raise Refused("secret: this key is not from here; start again", "secret")
        step = one_time_password.step_of(secret, code, self._clock.now())
        if step is None:
            raise Refused("code: this code is not valid now", "code")
        sealed = self._secrets.seal(second_factor_owner(number), secret)
        with self._changing(number) as (cursor, user):
            accounts.set_second_factor(cursor, number, sealed, step)
            sessions.end_all(cursor, number)
            self._record_for(cursor, UserSecondFactorSet, user, by)

    def remove_second_factor(self, number: int, *, by: str, own: bool = False) -> None:
        """`own`: by the user, who may not where the role needs one. An admin may: the user is led to set up
        another one."""
        with self._changing(number) as (cursor, user):
            if own and user.role in second_factors.required(cursor):
                raise Refused("your role requires a second factor")
            if user.has_second_factor:
                accounts.set_second_factor(cursor, number, None, 0)
                self._record_for(cursor, UserSecondFactorRemoved, user, by)

    def require_second_factors(self, roles: Sequence[str], *, by: str) -> None:
        """Of the users in these roles, and of no others: who has none sets one up and does nothing before."""
        chosen = checked_roles(roles)
        if chosen and self._secrets is None:
            raise Refused("second factors cannot be kept here")
        with self._pool.transaction() as cursor:
            accounts.lock(cursor)
            if sorted(chosen) == second_factors.required(cursor):
                return
            second_factors.require(cursor, chosen)
            stream = user_stream(0)
            version = versions(cursor, [stream]).get(stream, 0) + 1
            self._record(cursor, SecondFactorsRequired, stream, version, by, roles=chosen)

    def end_session(self, number: int, session: int) -> None:
        """Signs the user out there; other users' sessions are left alone."""
        with self._pool.transaction() as cursor:
            sessions.end_one(cursor, number, session)

    # Users at a sign-in provider

    def set_email(self, number: int, email: str | None, *, by: str) -> None:
        """By which the provider's next sign-in finds the user; None for no longer. Ends the user's sessions,
        and the link to whom it was there before."""
        if email is not None:
            email = email.strip().lower()
            if wrong := wrong_with(email):
                raise Refused(f"email: {wrong}", "email")
        with self._changing(number) as (cursor, user):
            if identities.email_of(cursor, number) == email:
                return
            if email is not None and identities.has_email(cursor, email):
                raise Refused("email: another user has this address", "email")
            identities.set_email(cursor, number, email)
            sessions.end_all(cursor, number)
            self._record_for(cursor, UserEmailChanged, user, by, removed=email is None)

    def user_at_provider(self, issuer: str, subject: str, email: str | None) -> User | None:
        """Who it is: by the link, or the first time by the verified address, which makes the link."""
        with self._pool.transaction() as cursor:
            accounts.lock(cursor)
            number = identities.user_of(cursor, issuer, subject)
            if number is not None or email is None:
                return None if number is None else _user(cursor, number)
            number = identities.unlinked_user_with(cursor, issuer, email)
            if number is None:
                return None
            user = _user(cursor, number)
            if not user.disabled:
                identities.link(cursor, issuer, subject, number, self._clock.now())
                accounts.count_event(cursor, number)
                self._record_for(cursor, UserLinked, user, f"user:{user.name}", issuer=issuer)
        return user

    # Keys

    def key_named(self, name: str) -> Key:
        """Raises Missing."""
        with self._pool.transaction() as cursor:
            found = api_keys.key_named(cursor, name.strip().lower())
        if found is None:
            raise Missing(f"there is no key {name!r}")
        return found

    def create_key(
        self, name: str, scopes: Sequence[str], expires: datetime | None = None, *, by: str
    ) -> tuple[int, str]:
        """(number, key). The key is shown here and never again."""
        name, chosen = checked_name(name), checked_scopes(scopes)
        now = self._clock.now()
        checked_expiry(expires, now)
        with self._pool.transaction() as cursor:
            created = api_keys.create(cursor, name, chosen, expires, by, now)
            if created is None:
                raise Refused(f"name: there is, or was, a key {name} already", "name")
            number, key = created
            self._record(
                cursor, KeyCreated, key_stream(number), 1, by,
                name=name, scopes=chosen, expires=expires.timestamp() if expires else None,
            )  # fmt: skip
        return number, key

    def revoke_key(self, number: int, *, by: str) -> None:
        with self._pool.transaction() as cursor:
            known = number <= LARGEST_NUMBER
            key = api_keys.revoke(cursor, number, self._clock.now()) if known else None
            if key is None:
                raise Missing(f"there is no key {number} to revoke")
            self._record(cursor, KeyRevoked, key_stream(number), key.version + 1, by)

    # How a command is carried out

    def _checked_password(self, password: str, name: str, email: str | None) -> str:
        """Raises Refused."""
        site = urlsplit(self._public_url).hostname or ""
        return checked_password(password, [name, email or "", site, "postledger"], is_common)

    @contextmanager
    def _changing(self, number: int) -> Iterator[tuple[Any, User]]:
        with self._pool.transaction() as cursor:
            accounts.lock(cursor)
            yield cursor, _user(cursor, number)

    def _keep_an_admin(self, cursor: Any, user: User) -> None:
        is_one = user.role == ADMIN and not user.disabled
        if is_one and not accounts.has_admin(cursor, but=user.number):
            raise Refused(f"{user.name} is the only admin who can sign in; make another one first")

    def _record_for(self, cursor: Any, fact: type[Fact], user: User, by: str, **fields: Any) -> None:
        self._record(cursor, fact, user_stream(user.number), user.version + 1, by, **fields)

    def _record(
        self, cursor: Any, fact: type[Fact], stream: Any, version: int, by: str, **fields: Any
    ) -> None:
        event = fact(originator_id=stream, originator_version=version, by=by, **fields)
        self._log.append_within(cursor, [event.stored()])


def _user(cursor: Any, number: int) -> User:
    user = accounts.user(cursor, number) if number <= LARGEST_NUMBER else None
    if user is None:
        raise Missing(f"there is no user {number}")
    return user
