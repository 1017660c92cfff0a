"""An OpenID Connect provider: where it sends people, and what its word is worth. Its addresses and keys are
fetched each time, which signing in is rare enough for, so that a change of keys needs nothing here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import ip_address
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from requests import RequestException

PATIENCE = (5.0, 10.0)
"""Seconds to connect, and to wait for an answer."""

LEEWAY = 60
"""Seconds that the provider's clock may be off."""

ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
"""By the provider's public key alone: `none` and those by a shared secret are refused."""

SCOPE = "openid email"


class ProviderAway(Exception):
    """It does not answer, or not as a provider does. The message says what was asked for, and no secret."""


class ProviderRefused(Exception):
    """What it or the browser brought proves nothing. The message holds no data of the person."""


class Endpoints(NamedTuple):
    authorization: str
    token: str
    keys: str
    userinfo: str | None
    client_auth: str


class ProviderPerson(NamedTuple):
    """`email` is None when the provider names none, or does not say that it is verified."""

    subject: str
    email: str | None


@dataclass(frozen=True, kw_only=True)
class Provider:
    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    label: str

    def endpoints(self) -> Endpoints:
        """From its discovery document. Raises ProviderAway."""
        with self._session() as session:
            found = self._json(session, f"{self.issuer.rstrip('/')}/.well-known/openid-configuration")
        if found.get("issuer") != self.issuer:
            raise ProviderAway("the discovery document is of another issuer than the one that is configured")
        for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
            if not is_trustworthy(found.get(name)):
                raise ProviderAway(f"{name} in the discovery document is no https address")
        userinfo = found.get("userinfo_endpoint")
        methods = found.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        client_auth = "client_secret_basic" if "client_secret_basic" in methods else "client_secret_post"
        return Endpoints(
            authorization=found["authorization_endpoint"],
            token=found["token_endpoint"],
            keys=found["jwks_uri"],
            userinfo=userinfo if is_trustworthy(userinfo) else None,
            client_auth=client_auth,
        )

    def check(self) -> None:
        """Raises ProviderAway when nobody could sign in through it."""
        ends = self.endpoints()
        with self._session() as session:
            keys = self._json(session, ends.keys)
        try:
            KeySet.import_key_set(dict(keys))  # type: ignore[arg-type]
        except (JoseError, ValueError, KeyError, TypeError) as error:
            raise ProviderAway(f"its keys cannot be read: {type(error).__name__}") from None

    def address(self, back: str, *, state: str, nonce: str, verifier: str) -> str:
        """Where to send the browser. Raises ProviderAway."""
        with self._session(redirect_uri=back, scope=SCOPE, code_challenge_method="S256") as session:
            address, _ = session.create_authorization_url(
                self.endpoints().authorization, state=state, nonce=nonce, code_verifier=verifier
            )
        return str(address)

    def person(self, code: str, back: str, *, nonce: str, verifier: str, now: datetime) -> ProviderPerson:
        """Who came back with `code`. Raises ProviderAway, ProviderRefused."""
        ends = self.endpoints()
        with self._session(redirect_uri=back, token_endpoint_auth_method=ends.client_auth) as session:
            answer = self._tokens(session, ends, code, verifier)
            access = answer.get("access_token")
            keys = self._json(session, ends.keys)
            claims = self._checked(answer.get("id_token"), keys, access, nonce, now)
            userinfo: Mapping[str, Any] = claims
            if "email" not in claims and ends.userinfo is not None and access is not None:
                userinfo = self._userinfo(session, ends.userinfo, str(access), claims)
        email = userinfo.get("email")
        is_verified = isinstance(email, str) and userinfo.get("email_verified") is True
        return ProviderPerson(str(claims["sub"]), email.lower() if is_verified and email else None)

    def _tokens(self, session: Any, ends: Endpoints, code: str, verifier: str) -> Mapping[str, Any]:
        try:
            answer = session.fetch_token(
                ends.token, code=code, code_verifier=verifier, timeout=PATIENCE, allow_redirects=False
            )
        except OAuthError as error:
            raise ProviderRefused(f"the code was not taken ({word(error.error)})") from None
        except (RequestException, ValueError) as error:
            raise ProviderAway(f"its token endpoint: {type(error).__name__}") from None
        return dict(answer)

    def _checked(
        self, token: object, keys: Mapping[str, Any], access: object, nonce: str, now: datetime
    ) -> Mapping[str, Any]:
        if not isinstance(token, str):
            raise ProviderRefused("there was no ID token")
        try:
            decoded = jwt.decode(token, KeySet.import_key_set(dict(keys)), algorithms=ALGORITHMS)  # type: ignore[arg-type]
            claims = CodeIDToken(
                decoded.claims,
                decoded.header,
                {
                    "iss": {"essential": True, "value": self.issuer},
                    "aud": {"essential": True, "value": self.client_id},
                },
                {"nonce": nonce, "client_id": self.client_id, "access_token": access},
            )
            claims.validate(now=int(now.timestamp()), leeway=LEEWAY)
        except (JoseError, ValueError, KeyError, TypeError) as error:
            about = getattr(error, "claim", None) or ""
            raise ProviderRefused(f"the ID token is not valid ({type(error).__name__} {about})") from None
        if not isinstance(claims["sub"], str) or not 0 < len(claims["sub"]) <= 255:
            raise ProviderRefused("the ID token names nobody")
        return dict(claims)

    def _userinfo(
        self, session: Any, address: str, access: str, claims: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Where the ID token has no address. OpenID Connect Core, section 5.3.2: `sub` must be the same."""
        found = self._json(session, address, {"Authorization": f"Bearer {access}"})
        if found.get("sub") != claims["sub"]:
            raise ProviderRefused("the user information is of somebody else")
        return found

    def _json(
        self, session: Any, address: str, headers: Mapping[str, str] | None = None
    ) -> Mapping[str, Any]:
        try:
            answer = session.get(
                address, timeout=PATIENCE, allow_redirects=False, withhold_token=True, headers=headers
            )
            found = answer.json() if answer.status_code == 200 else None
        except (RequestException, ValueError) as error:
            raise ProviderAway(f"{urlsplit(address).path}: {type(error).__name__}") from None
        if not isinstance(found, dict):
            raise ProviderAway(f"{urlsplit(address).path}: answered {answer.status_code}, or no JSON object")
        return found

    def _session(self, **more: Any) -> OAuth2Session:
        return OAuth2Session(self.client_id, self.client_secret, **more)


def is_trustworthy(address: object) -> bool:
    """By TLS, or on this machine."""
    if not isinstance(address, str) or not address.isprintable():
        return False
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
    except ValueError:
        return False
    if parts.username or parts.password or not host:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_this_machine(host))


def is_this_machine(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def word(text: object) -> str:
    """An error's name as providers give it, if it is one (RFC 6749, section 4.1.2.1)."""
    return text if isinstance(text, str) and re.fullmatch("[a-z_]{1,60}", text) else "unnamed error"
