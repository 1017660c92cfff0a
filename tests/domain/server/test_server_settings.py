"""What can be set for a server."""

from __future__ import annotations

from typing import Any

import pytest

from domain.addresses.mailbox import Mailbox
from domain.capacity.capacity import Limits
from domain.errors import Refused
from domain.server.settings import ServerSettings

LEAST = {"name": "mail2", "host": "smtp.example.com", "from_email": "news@mail2.example.com"}


def refusals(**changes: Any) -> dict[str, str]:
    with pytest.raises(Refused) as refused:
        ServerSettings.checked({**LEAST, **changes})
    return refused.value.fields


def test_three_fields_are_enough() -> None:
    assert ServerSettings.checked(LEAST).as_dict() == {
        **LEAST,
        "port": 587,
        "auth_protocol": "none",
        "username": "",
        "tls_type": "STARTTLS",
        "tls_skip_verify": False,
        "hello_hostname": "",
        "max_conns": 10,
        "idle_timeout": 15,
        "wait_timeout": 5,
        "enabled": True,
        "daily_limit": 0,
        "sliding_window": False,
        "sliding_window_duration": 3600,
        "sliding_window_rate": 0,
        "window": None,
    }


def test_with_a_username_it_signs_in() -> None:
    assert ServerSettings.checked({**LEAST, "username": "jo"}).auth_protocol == "login"
    given = ServerSettings.checked({**LEAST, "username": "jo", "auth_protocol": "cram"})
    assert given.auth_protocol == "cram"


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("name", "", "is missing"),
        ("name", "Automatic", "means all servers"),
        ("name", "a\nb", "line breaks"),
        ("host", "", "is missing"),
        ("host", "smtp example", "neither a host name nor an IP"),
        ("host", "smtp.example.com:25", "neither a host name nor an IP"),
        ("host", "http://x", "neither a host name nor an IP"),
        ("port", 0, "from 1 to 65535"),
        ("port", 65_536, "from 1 to 65535"),
        ("port", "587", "not a whole number"),
        ("port", True, "not a whole number"),
        ("port", None, "not a whole number"),
        ("auth_protocol", "oauth", "none, plain, login, cram"),
        ("tls_type", "starttls", "none, STARTTLS, TLS"),
        ("tls_skip_verify", 1, "neither true nor false"),
        ("hello_hostname", "a b", "neither a host name"),
        ("hello_hostname", "[a.example]", "neither a host name"),
        ("max_conns", 0, "from 1"),
        ("idle_timeout", 0, "from 1"),
        ("wait_timeout", 3601, "to 3600"),
        ("enabled", "yes", "neither true nor false"),
        ("daily_limit", -1, "from 0"),
        ("daily_limit", 1.5, "not a whole number"),
        ("sliding_window_duration", 86_401, "to 86400"),
        ("window", "8-20", "not a range like"),
        ("window", 5, "not a text"),
        ("from_email", "", "is missing"),
        ("from_email", "news", "not one address"),
        ("from_email", "a@example.com, b@example.com", "not one address"),
        ("from_email", "group: a@example.com;", "not one address"),
        ("from_email", "News <news@example.com", "not one address"),
        ("from_email", "news@exa mple.com", "not one address"),
        ("from_email", "news@-example.com", "not a domain name"),
        ("from_email", "a@example.com\r\nBcc: b@example.com", "line breaks"),
        ("from_email", "x" * 65 + "@example.com", "longer than 64"),
    ],
)
def test_a_wrong_field_is_refused_with_the_reason(field: str, value: object, reason: str) -> None:
    message = refusals(**{field: value})[field]
    assert any(part in message for part in reason.split("|")), message


def test_signing_in_needs_a_username() -> None:
    assert "plain" in refusals(auth_protocol="plain")["username"]


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ({}, {"sliding_window_rate"}),
        ({"sliding_window_rate": 5, "sliding_window_duration": 0}, {"sliding_window_duration"}),
    ],
)
def test_a_sliding_window_needs_a_duration_and_a_rate(changes: dict[str, int], missing: set[str]) -> None:
    assert refusals(sliding_window=True, **changes).keys() == missing
    assert ServerSettings.checked({**LEAST, **changes}).limits == Limits()


def test_all_that_is_wrong_is_told_at_once() -> None:
    assert refusals(name="", port=0, window="x").keys() == {"name", "port", "window"}


def test_an_unknown_field_is_refused() -> None:
    assert refusals(password="secret") == {"password": "password: there is no such field"}


@pytest.mark.parametrize(
    ("text", "mailbox"),
    [
        ("news@example.com", ("", "news", "example.com")),
        ("News <news@example.com>", ("News", "news", "example.com")),
        ('"Doe, Jane" <jane@example.com>', ("Doe, Jane", "jane", "example.com")),
        ("Käse <kaese@bücher.example>", ("Käse", "kaese", "xn--bcher-kva.example")),
        ("root@localhost", ("", "root", "localhost")),
    ],
)
def test_the_from_address_is_one_mailbox(text: str, mailbox: tuple[str, str, str]) -> None:
    settings = ServerSettings.checked({**LEAST, "from_email": f" {text} "})
    assert settings.from_email == text
    display, address = Mailbox.parse(settings.from_email)
    assert (display, address.local, address.domain) == mailbox


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "mx.example.com.", "bücher.example"])
def test_a_host_is_a_name_or_an_address(host: str) -> None:
    assert ServerSettings.checked({**LEAST, "host": host}).host == host


@pytest.mark.parametrize("hello", ["", "mta.example.com", "[192.0.2.1]", "[IPv6:2001:db8::1]"])
def test_a_greeting_is_a_name_or_an_address_literal(hello: str) -> None:
    assert ServerSettings.checked({**LEAST, "hello_hostname": hello}).hello_hostname == hello


def test_limits_and_hours_follow() -> None:
    settings = ServerSettings.checked(
        {
            **LEAST,
            "daily_limit": 10,
            "sliding_window": True,
            "sliding_window_rate": 5,
            "sliding_window_duration": 60,
            "window": "22:00-06:00",
        }
    )
    assert settings.limits == Limits(10, (5, 60.0))
    assert settings.changed({"window": ""}).window is None
