"""When a delivery that could not be made is tried again, and how long a server is left alone."""

from __future__ import annotations

from typing import Protocol

from domain.delivery.reply import Verdict


class RetryPolicy(Protocol):
    """Seconds, a number of attempts, and hours."""

    @property
    def retry_first(self) -> float: ...
    @property
    def retry_cap(self) -> float: ...
    @property
    def retry_attempts(self) -> int: ...
    @property
    def retry_hours(self) -> float: ...


class SuspensionPolicy(Protocol):
    """Seconds."""

    @property
    def first_suspension(self) -> float: ...
    @property
    def max_suspension(self) -> float: ...


def next_attempt_at(
    attempts: int, first_failed_at: float, now: float, policy: RetryPolicy, jitter: float
) -> float | None:
    """When to try again (epoch seconds) after `attempts` attempts that counted, or None to give up.

    The delay doubles with each attempt up to the cap; `jitter` in [0, 1) shortens it by up to a
    quarter, so that what failed together is not tried again together. Who would be tried after
    the last hour is tried in it, once.
    """
    deadline = first_failed_at + policy.retry_hours * 3600
    if attempts >= policy.retry_attempts or now >= deadline:
        return None
    return min(now + _delay(attempts, policy.retry_first, policy.retry_cap, jitter), deadline)


def after_refusal(
    verdict: Verdict, attempts: int, first_failed_at: float, now: float, policy: RetryPolicy, jitter: float
) -> float | None:
    """Retry or give up: when a delivery that was refused is tried again (epoch seconds), or None when it has
    failed. `attempts` are those that counted, this one among them."""
    if not verdict.transient:
        return None
    return next_attempt_at(attempts, first_failed_at, now, policy, jitter)


def suspend_until(
    suspensions: int, now: float, policy: SuspensionPolicy, jitter: float, *, is_permanent: bool = False
) -> float:
    """Until when a server is suspended (epoch seconds) that gave cause for the `suspensions`th time in a
    row, counted from 1: doubling like the delay of a delivery; as long as may be when it said that it is
    permanent. It is never for good: what one recipient's server says must not end all sending, and a server
    whose password was mended at the provider goes on by itself."""
    if is_permanent:
        return now + policy.max_suspension
    return now + _delay(suspensions, policy.first_suspension, policy.max_suspension, jitter)


def _delay(times: int, first: float, cap: float, jitter: float) -> float:
    return min(first * 2.0 ** min(max(times - 1, 0), 40), cap) * (1 - jitter / 4)
