"""What is known of an attempt decides how it ends when its processor has died; what is not known stays so."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.delivery.about import About
from domain.delivery.delivery import (
    Accepted,
    AttemptStarted,
    Deferred,
    Delivery,
    Failed,
    OutcomeUnknown,
    Requeued,
    Status,
)
from domain.delivery.interrupted import (
    Heard,
    NotResent,
    Resumption,
    Trace,
    outcome,
    why_not_resent,
    with_resending,
)
from domain.fact import Fact
from domain.policy import SendingPolicy
from domain.streams import delivery_stream

STREAM = delivery_stream(1, 2)
DEAD, HEIR = "processor:3", "processor:4"
NOW = 1_000_000.0
TO = Resumption(HEIR, NOW, SendingPolicy(retry_attempts=4), 0.5, is_cancelled=False)
RESENDING = replace(TO, policy=SendingPolicy(retry_attempts=4, resend_unknown=True))
HEARD: tuple[Heard, ...] = (
    Accepted(originator_id=STREAM, originator_version=2, by=DEAD, server=7, reply="2.0.0 ok"),
    Deferred(originator_id=STREAM, originator_version=2, by=DEAD, server=7, reply="4.2.2 full",
             about="recipient", again=NOW + 60),
    Failed(originator_id=STREAM, originator_version=2, by=DEAD, server=7, reply="5.1.1 no",
           about="recipient"),
)  # fmt: skip
WITHOUT_DOT, WITH_DOT = Trace(dot_sent=False), Trace(dot_sent=True)


class Life:
    """A delivery that is attempted until it ends; no attempt is answered."""

    def __init__(self) -> None:
        self.delivery = Delivery()

    def say(self, *facts: Fact) -> None:
        for fact in facts:
            self.delivery.apply(fact, NOW)

    def start(self) -> AttemptStarted:
        started = AttemptStarted(
            originator_id=STREAM,
            originator_version=self.delivery.version + 1,
            by=DEAD,
            server=7,
            reservation=1,
        )
        self.say(started)
        return started

    def die(self, trace: Trace | None, to: Resumption = TO) -> list[Fact]:
        facts = outcome(self.delivery, self.start(), trace, to)
        self.say(*facts)
        return facts

    def lose(self, to: Resumption = TO) -> list[Fact]:
        """The connection is lost after the dot; the processor lives and says so itself."""
        version = self.start().originator_version + 1
        unknown = OutcomeUnknown(
            originator_id=STREAM, originator_version=version, by=DEAD, server=7, reason="connection reset"
        )
        facts = with_resending(unknown, self.delivery.interruptions + 1, replace(to, by=DEAD))
        self.say(*facts)
        return facts

    def put_back(self, reason: str = "by hand") -> None:
        self.say(
            Requeued(
                originator_id=STREAM,
                originator_version=self.delivery.version + 1,
                by="user:ada",
                reason=reason,
            )
        )


@pytest.mark.parametrize("heard", HEARD)
@pytest.mark.parametrize("dot_sent", [False, True])
def test_what_was_heard_is_recorded_as_it_was_heard(heard: Heard, dot_sent: bool) -> None:
    assert Life().die(Trace(dot_sent, heard)) == [replace(heard, by=HEIR)]


def test_what_had_no_dot_goes_at_once_and_counts_as_no_attempt() -> None:
    life = Life()
    (fact,) = life.die(WITHOUT_DOT)
    assert isinstance(fact, Deferred)
    assert (fact.about, fact.again) == (About.PROCESSOR, NOW)
    assert (life.delivery.status, life.delivery.attempts) == (Status.QUEUED, 0)


@pytest.mark.parametrize("trace", [WITH_DOT, None])
def test_what_waited_for_the_answer_or_left_no_trace_is_unknown(trace: Trace | None) -> None:
    life = Life()
    (fact,) = life.die(trace)
    assert isinstance(fact, OutcomeUnknown)
    assert life.delivery.status is Status.UNKNOWN


@given(st.lists(st.sampled_from([WITHOUT_DOT, WITH_DOT, None]), min_size=30, max_size=30))
def test_an_e_mail_that_kills_every_processor_comes_to_rest(traces: list[Trace | None]) -> None:
    life, to = Life(), RESENDING
    times = 0
    for trace in traces:
        if life.delivery.status is not Status.QUEUED:
            break
        life.die(trace, to)
        times += 1
    assert life.delivery.status in (Status.UNKNOWN, Status.FAILED)
    assert times == 4


def test_each_time_it_is_put_back_it_comes_later() -> None:
    life = Life()
    again = [fact.again for _ in range(3) for fact in life.die(WITHOUT_DOT) if isinstance(fact, Deferred)]
    assert again == sorted(set(again))
    (last,) = life.die(WITHOUT_DOT)
    assert isinstance(last, Failed)
    assert "4 times" in last.reply


def test_who_puts_it_back_by_hand_begins_anew() -> None:
    life = Life()
    for _ in range(3):
        life.die(WITHOUT_DOT)
    life.put_back()
    (fact,) = life.die(WITHOUT_DOT)
    assert isinstance(fact, Deferred)
    assert fact.again == NOW


def test_a_lost_connection_and_a_death_are_counted_together() -> None:
    life = Life()
    assert len(life.lose(RESENDING)) == 2
    (fact,) = life.die(WITHOUT_DOT, RESENDING)
    assert isinstance(fact, Deferred)
    assert fact.again > NOW, "it is not the first time"
    assert len(life.lose(RESENDING)) == 2
    assert len(life.die(None, RESENDING)) == 1, "the fourth of four attempts"


def test_after_a_retry_by_hand_policy_resends_as_often_as_before() -> None:
    life = Life()
    for _ in range(2):
        assert [len(life.lose(RESENDING)) for _ in range(4)] == [2, 2, 2, 1]
        life.put_back(reason="policy")


STEPS = {
    "lost": lambda life, to: life.lose(to),
    "killed before the dot": lambda life, to: life.die(WITHOUT_DOT, to),
    "killed after the dot": lambda life, to: life.die(WITH_DOT, to),
    "killed without a trace": lambda life, to: life.die(None, to),
}


@given(
    st.integers(1, 5),
    st.lists(st.sampled_from([*STEPS, "put back by hand", "cancelled"]), max_size=60),
)
def test_policy_resends_no_more_often_than_allowed_and_never_in_a_cancelled_campaign(
    most: int, steps: list[str]
) -> None:
    life, resent = Life(), 0
    to = replace(TO, policy=SendingPolicy(retry_attempts=most, resend_unknown=True))
    for step in steps:
        if step == "cancelled":
            to = replace(to, is_cancelled=True)
        elif step == "put back by hand":
            if life.delivery.may(Requeued):
                life.put_back()
                resent = 0
        elif life.delivery.status is Status.QUEUED:
            told = STEPS[step](life, to)
            by_policy = sum(isinstance(fact, Requeued) for fact in told)
            assert not (by_policy and to.is_cancelled)
            resent += by_policy
            assert resent < most, "with the first one, as many attempts as the policy allows"


def test_who_asks_why_an_unknown_one_is_left_alone_hears_what_decided() -> None:
    asked = RESENDING.policy
    assert why_not_resent(3, asked, is_cancelled=False) is None
    assert why_not_resent(4, asked, is_cancelled=False) is NotResent.GIVEN_UP
    assert why_not_resent(1, asked, is_cancelled=True) is NotResent.CANCELLED
    assert why_not_resent(1, TO.policy, is_cancelled=False) is NotResent.OFF
