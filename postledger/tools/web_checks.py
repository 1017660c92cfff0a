"""Whether people reach the pages and can sign in."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address
from urllib.parse import urlsplit

from application.accounts.provider import ProviderAway
from domain.clock import SystemClock
from postledger.config import Config, ConfigError
from postledger.session import Session
from postledger.sign_in_provider import sign_in_provider
from postledger.tools.check import Check, Patient


def public_address(patient: Patient) -> Iterator[Check]:
    """Where unsubscribe links lead."""
    session = Session.of(patient.config, patient.url, patient.pool, SystemClock())
    address, name = session.public_address, "public address"
    host = urlsplit(address).hostname or ""
    try:
        is_local = host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        is_local = False
    if is_local:
        yield Check(
            name, "warn", f"{address} is reachable on this machine only",
            "Unsubscribe links in e-mails lead there: set public_url to where people reach the pages.",
        )  # fmt: skip
    elif not address.startswith("https:"):
        yield Check(
            name, "warn", f"{address} is no HTTPS address",
            "One-click unsubscribing (RFC 8058) wants HTTPS: put a TLS proxy in front, and set public_url.",
        )  # fmt: skip
    else:
        yield Check(name, "ok", address)


def provider_of_sign_in(config: Config) -> Iterator[Check]:
    name = "sign-in provider"
    try:
        provider = sign_in_provider(config)
        if provider is None:
            return
        provider.check()
    except ConfigError as error:
        yield Check(name, "fail", str(error), "Write the client secret into that file.")
    except ProviderAway as error:
        yield Check(
            name, "fail", f"{config.oidc_issuer}: {error}",
            "Check oidc_issuer, to the letter, and that this machine reaches it. Passwords work meanwhile.",
        )  # fmt: skip
    else:
        yield Check(name, "ok", f"{config.oidc_issuer} answers, and its keys can be read")
