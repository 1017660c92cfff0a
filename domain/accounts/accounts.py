"""Who may work with an installation: people with a role, programs with a key. The facts say who gave or
took which right; passwords, keys and second factors are never in the log."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar, Literal, get_args

from domain.errors import Refused
from domain.fact import Fact

Scope = Literal["read", "write", "send", "configure", "administer"]
SCOPES: tuple[Scope, ...] = get_args(Scope)

AUDITOR, OPERATOR, ADMIN = "auditor", "operator", "admin"
ROLES: dict[str, tuple[Scope, ...]] = {
    AUDITOR: ("read",),
    OPERATOR: ("read", "write", "send", "configure"),
    ADMIN: SCOPES,
}
LONGEST_KEY = timedelta(days=3660)


@dataclass(frozen=True, kw_only=True)
class UserAdded(Fact):
    TOPIC: ClassVar[str] = "user.added"
    name: str
    role: str


@dataclass(frozen=True, kw_only=True)
class UserRoleChanged(Fact):
    TOPIC: ClassVar[str] = "user.role_changed"
    role: str


@dataclass(frozen=True, kw_only=True)
class UserPasswordChanged(Fact):
    TOPIC: ClassVar[str] = "user.password_changed"


@dataclass(frozen=True, kw_only=True)
class UserSecondFactorSet(Fact):
    TOPIC: ClassVar[str] = "user.second_factor_set"


@dataclass(frozen=True, kw_only=True)
class UserSecondFactorRemoved(Fact):
    TOPIC: ClassVar[str] = "user.second_factor_removed"


@dataclass(frozen=True, kw_only=True)
class UserDisabled(Fact):
    TOPIC: ClassVar[str] = "user.disabled"


@dataclass(frozen=True, kw_only=True)
class UserEnabled(Fact):
    TOPIC: ClassVar[str] = "user.enabled"


@dataclass(frozen=True, kw_only=True)
class UserEmailChanged(Fact):
    """That the address by which a sign-in provider knows the user changed; not which it is."""

    TOPIC: ClassVar[str] = "user.email_changed"
    removed: bool


@dataclass(frozen=True, kw_only=True)
class UserLinked(Fact):
    """The user came from a sign-in provider for the first time: who they are there is known from now on."""

    TOPIC: ClassVar[str] = "user.linked"
    issuer: str


@dataclass(frozen=True, kw_only=True)
class KeyCreated(Fact):
    """`expires` is in epoch seconds, None for never."""

    TOPIC: ClassVar[str] = "key.created"
    name: str
    scopes: list[str]
    expires: float | None = None


@dataclass(frozen=True, kw_only=True)
class KeyRevoked(Fact):
    TOPIC: ClassVar[str] = "key.revoked"


def is_name(text: str) -> bool:
    """Whether a user or a key may be called so."""
    return re.fullmatch("[a-z0-9][a-z0-9._-]{0,39}", text) is not None


def checked_name(name: str) -> str:
    """The name of a user or a key, in lower case. Raises Refused."""
    name = name.strip().lower()
    if not is_name(name):
        raise Refused(
            "name: up to 40 letters a to z, digits, dots, hyphens and underscores, a letter or digit first",
            "name",
        )
    return name


def checked_role(role: str) -> str:
    if role not in ROLES:
        raise Refused(f"role: one of {', '.join(ROLES)} is expected", "role")
    return role


def checked_scopes(scopes: Sequence[str]) -> list[str]:
    """In a fixed order. Raises Refused for none at all, and for one that is not there."""
    if not scopes or not set(scopes) <= set(SCOPES):
        raise Refused(f"scopes: one or more of {', '.join(SCOPES)} are expected", "scopes")
    return [scope for scope in SCOPES if scope in scopes]


def checked_expiry(expires: datetime | None, now: datetime) -> datetime | None:
    if expires is not None and not now < expires <= now + LONGEST_KEY:
        raise Refused("expires: a moment in the next ten years is expected", "expires")
    return expires
