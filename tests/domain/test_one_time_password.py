"""Codes of authenticator apps, as RFC 6238 has them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.accounts.one_time_password import STEP, code_at, is_secret, new_secret, step_of

SECRET_OF_THE_RFC = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "code"),
    [
        (59, "287082"),
        (1111111109, "081804"),
        (1111111111, "050471"),
        (1234567890, "005924"),
        (2000000000, "279037"),
        (20000000000, "353130"),
    ],
)
def test_codes_are_those_of_appendix_b(seconds: int, code: str) -> None:
    assert code_at(SECRET_OF_THE_RFC, seconds // STEP) == code
    assert step_of(SECRET_OF_THE_RFC, code, datetime.fromtimestamp(seconds, UTC)) == seconds // STEP


@given(st.integers(-300, 300))
def test_a_code_counts_within_one_step_of_its_time(late: int) -> None:
    secret = new_secret()
    made_in = int(NOON.timestamp()) // STEP
    found = step_of(secret, code_at(secret, made_in), NOON + timedelta(seconds=late))
    steps_off = abs(late // STEP)
    assert (found == made_in) == (steps_off <= 1) or found not in (None, made_in)


@pytest.mark.parametrize("code", ["", "0", "12345", "1234567", "abcdef", "½½½½½½", "\ud800"])
def test_what_is_no_code_is_none(code: str) -> None:
    assert step_of(SECRET_OF_THE_RFC, code.encode("utf-8", "replace").decode(), NOON) is None


def test_blanks_in_a_code_do_not_matter() -> None:
    step = int(NOON.timestamp()) // STEP
    code = code_at(SECRET_OF_THE_RFC, step)
    assert step_of(SECRET_OF_THE_RFC, f" {code[:3]} {code[3:]} ", NOON) == step


def test_secrets_are_160_random_bits() -> None:
    made = {new_secret() for _ in range(100)}
    assert len(made) == 100
    assert all(is_secret(secret) for secret in made)
    for other in ("", "A" * 31, "A" * 40, "1" * 32, "ünï"):
        assert not is_secret(other)
