"""Which passwords are taken."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from application.accounts.common_passwords import is_common
from domain.accounts.passwords import LONGEST_PASSWORD, SHORTEST_PASSWORD, checked_password
from domain.errors import Refused

ABOUT = ("grace", "grace.hopper@navy.example", "post.harbour.example", "postledger")


def fault(password: str) -> str:
    try:
        checked_password(password, ABOUT, is_common)
    except Refused as refused:
        return refused.message
    return ""


@pytest.mark.parametrize(
    "password",
    [
        "password1234", "Password1234!", "P@ssw0rd1234", "!!password!!!", "passwordpassword",
        "PaSsWoRd2024$$",
        "123456789012", "210987654321", "qwertyuiop12", "qwertyuiopas", "abcdefghijkl", "zyxwvutsrqpo",
        "abc123abc123", "letmein12345", "iloveyou2024!", "sunshine1234", "dragon!!!!!!",
        "1qaz2wsx3edc", "relationship",
        "p a s s w o r d 1", "pass-word-1234", "P.a.s.s.w.0.r.d", "l3t-m3-1n-2026", "january2026!",
        "Monday-2026-05", "ChangeMeNow!", "Winter2026!Winter", "correcthorsebatterystaple",
        "correct horse battery staple", "zaq12wsxcde3", "zaq1xsw2cde3", "qwertasdfgzx",
        "yaq12wsxcde3", "1234 5678 9012", "mysunshine2026",
    ],
)  # fmt: skip
def test_what_everybody_tries_first_is_refused(password: str) -> None:
    assert "it is too common" in fault(password)


@pytest.mark.parametrize(
    "password",
    ["grace-grace-grace", "hopper-navy-12", "Postledger2024", "harbour.example", "grace.hopper@navy.example"],
)
def test_names_addresses_and_the_sites_name_are_refused(password: str) -> None:
    assert "it consists mostly of the name" in fault(password)


@pytest.mark.parametrize(
    "password",
    [
        "four words of a song", "lamps horse battery cloud", "may the winter lamps glow",
        "summer rain on tin roofs", "tree were seated far", "grace has three brown dogs",
        "xk7-Trn-29q-Vvw", "Schöne Grüße aus Köln", "пароль из четырёх слов", "904713385162",
        "🐎🔋📎✅🐎🔋 battery", "            x y z w",
    ],
)  # fmt: skip
def test_what_is_long_and_its_own_is_taken(password: str) -> None:
    assert fault(password) == ""


@pytest.mark.parametrize(
    "password", ["", "short", "x" * (LONGEST_PASSWORD + 1), "aaaaaaaaaaaaaaaa", "abababababab"]
)
def test_what_is_too_short_too_long_or_too_much_the_same_is_refused(password: str) -> None:
    assert fault(password)


@given(
    st.text(min_size=SHORTEST_PASSWORD, max_size=LONGEST_PASSWORD), st.lists(st.text(max_size=30), max_size=4)
)
def test_whatever_is_refused_is_refused_without_being_repeated(password: str, about: list[str]) -> None:
    try:
        taken = checked_password(password, about, is_common)
    except Refused as refused:
        told = refused.message
    else:
        assert taken == password
        return
    assert password not in told


def test_the_list_is_long_enough() -> None:
    from application.accounts.common_passwords import _all

    assert len(_all()) >= 10_000
    assert all(word == word.lower() for word in _all())
