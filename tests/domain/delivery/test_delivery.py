"""A delivery goes only where the design says, whatever is tried."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from domain.delivery.delivery import (
    FACTS,
    STATUS_AFTER,
    Accepted,
    AttemptStarted,
    Cancelled,
    Deferred,
    Delivery,
    Failed,
    OutcomeUnknown,
    Requeued,
    Status,
    Suppressed,
)
from domain.fact import Fact
from domain.streams import delivery_stream

STREAM = delivery_stream(1, 2)
FIELDS: dict[type[Fact], dict[str, object]] = {
    AttemptStarted: {"server": 3, "reservation": 1},
    Accepted: {"server": 3, "reply": "ok"},
    Deferred: {"server": 3, "reply": "later", "about": "recipient", "again": 60.0},
    Failed: {"server": 3, "reply": "no", "about": "recipient"},
    OutcomeUnknown: {"server": 3, "reason": "crash"},
    Suppressed: {"reason": "unsubscribed"},
    Cancelled: {"reason": "by hand"},
    Requeued: {"reason": "by hand"},
}
# From the issue, in its words: what may follow which status, and what comes of it.
ALLOWED = {
    "queued": {
        "AttemptStarted": "sending",
        "Failed": "failed",
        "Suppressed": "suppressed",
        "Cancelled": "cancelled",
        "Requeued": "queued",
    },
    "sending": {
        "Accepted": "sent",
        "Deferred": "queued",
        "Failed": "failed",
        "OutcomeUnknown": "unknown",
    },
    "sent": {},
    "unknown": {"Accepted": "sent", "Failed": "failed", "Requeued": "queued"},
    "failed": {"Requeued": "queued"},
    "cancelled": {"Requeued": "queued"},
    "suppressed": {"Requeued": "queued"},
}


def fact(kind: type[Fact], version: int, **changes: object) -> Fact:
    return kind(originator_id=STREAM, originator_version=version, by="test", **{**FIELDS[kind], **changes})


def story(*kinds: type[Fact]) -> Delivery:
    delivery = Delivery()
    for version, kind in enumerate(kinds, 1):
        delivery.apply(fact(kind, version))
    return delivery


class Life(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.delivery = Delivery()
        self.expected = "queued"
        self.version = 0

    @rule(kind=st.sampled_from(sorted(FIELDS, key=lambda kind: kind.__name__)))
    def something_happens(self, kind: type[Fact]) -> None:
        allowed = ALLOWED[self.expected]
        assert self.delivery.may(kind) == (kind.__name__ in allowed)
        if kind.__name__ in allowed:
            self.version += 1
            self.delivery.apply(fact(kind, self.version))
            self.expected = allowed[kind.__name__]
        else:
            with pytest.raises(ValueError, match=f"{self.expected} cannot become"):
                self.delivery.apply(fact(kind, self.version + 1))

    @invariant()
    def status_is_as_expected(self) -> None:
        assert self.delivery.status == self.expected
        assert self.delivery.version == self.version


TestLife = Life.TestCase
TestLife.settings = settings(deadline=None, max_examples=100, stateful_step_count=30)


def test_refusals_that_a_server_gave_because_of_itself_are_counted_until_it_is_put_back() -> None:
    delivery = Delivery()
    for version, (kind, changes) in enumerate(
        [
            (AttemptStarted, {}), (Deferred, {"about": "server", "provoked": True}),
            (AttemptStarted, {}), (Deferred, {"about": "recipient", "provoked": True}),
            (AttemptStarted, {}), (Deferred, {"about": "server"}),
        ],
        1,
    ):  # fmt: skip
        delivery.apply(fact(kind, version, **changes))
    assert (delivery.provoked, delivery.attempts) == (2, 1)
    delivery.apply(fact(Requeued, 7))
    assert (delivery.provoked, delivery.attempts) == (0, 0)


def test_every_status_has_its_row_in_the_table() -> None:
    assert ALLOWED.keys() == {status.value for status in Status}


def test_a_state_has_its_number_for_ever() -> None:
    """Tables on disk are full of them."""
    assert {status.value: status.number for status in Status} == {
        "queued": 0, "sending": 1, "sent": 2, "failed": 3, "cancelled": 4, "unknown": 5, "suppressed": 6,
    }  # fmt: skip
    assert all(Status.of(status.number) is status is Status(status.value) for status in Status)
    assert max(status.number for status in Status) <= 255


def test_what_has_gone_out_is_what_a_relay_has_or_may_have_accepted() -> None:
    assert {status: status.accepted for status in Status if status.has_gone_out} == {
        Status.SENT: True, Status.UNKNOWN: None,
    }  # fmt: skip
    with pytest.raises(ValueError, match="'lost' is not a valid Status"):
        Status("lost")


def test_what_a_fact_leads_to_does_not_depend_on_what_was_before() -> None:
    """Projections take it from here, and see no more than the fact."""
    for kind in FIELDS:
        for before, allowed in ALLOWED.items():
            if kind.__name__ in allowed:
                assert STATUS_AFTER[kind.TOPIC] == allowed[kind.__name__], before
    assert STATUS_AFTER.keys() == {kind.TOPIC for kind in FACTS} == {kind.TOPIC for kind in FIELDS}


def test_a_fact_is_applied_once_and_in_order() -> None:
    delivery = story(AttemptStarted)
    with pytest.raises(ValueError, match="version 1 cannot follow version 1"):
        delivery.apply(fact(Accepted, 1))
    with pytest.raises(ValueError, match="version 3 cannot follow version 1"):
        delivery.apply(fact(Accepted, 3))


def test_an_attempt_that_told_of_the_server_does_not_count() -> None:
    delivery = story(AttemptStarted, Deferred, AttemptStarted)
    assert delivery.attempts == 2
    delivery.apply(fact(Deferred, 4, about="server"), recorded_at=5.0)
    assert delivery.attempts == 1
    assert delivery.status is Status.QUEUED


def test_the_first_failure_is_remembered_until_the_delivery_is_put_back() -> None:
    delivery = Delivery()
    delivery.apply(fact(AttemptStarted, 1), recorded_at=10.0)
    delivery.apply(fact(Deferred, 2, again=70.0), recorded_at=11.0)
    assert (delivery.first_failed_at, delivery.again) == (11.0, 70.0)
    delivery.apply(fact(AttemptStarted, 3), recorded_at=70.0)
    delivery.apply(fact(Deferred, 4), recorded_at=71.0)
    assert delivery.first_failed_at == 11.0
    delivery.apply(fact(AttemptStarted, 5), recorded_at=90.0)
    delivery.apply(fact(Failed, 6, reply="550 no"), recorded_at=91.0)
    assert (delivery.reply, delivery.server, delivery.attempts) == ("550 no", 3, 3)
    delivery.apply(fact(Requeued, 7))
    assert (delivery.attempts, delivery.first_failed_at, delivery.again) == (0, None, None)


@given(
    by=st.text(), server=st.integers(0, 10**6), reservation=st.integers(0, 10**6),
    remaining=st.none() | st.integers(0, 10**6), reply=st.text(), code=st.none() | st.integers(200, 599),
)  # fmt: skip
def test_facts_that_write_their_own_state_write_what_every_fact_would(
    by: str, server: int, reservation: int, remaining: int | None, reply: str, code: int | None
) -> None:
    facts: list[Fact] = [
        AttemptStarted(
            originator_id=STREAM, originator_version=1, by=by, server=server, reservation=reservation,
            remaining=remaining,
        ),
        Accepted(originator_id=STREAM, originator_version=2, by=by, server=server, reply=reply, code=code),
    ]  # fmt: skip
    for told in facts:
        assert told.state() == Fact.state(told)
