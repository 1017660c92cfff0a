"""What is known of an attempt decides how it ends when its processor has died; what is not known stays so."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.delivery.delivery import (
    About,
    Accepted,
    AttemptStarted,
    Deferred,
    Delivery,
    Failed,
    OutcomeUnknown,
    Requeued,
    Status,
)
from domain.delivery.interrupted import Heard, Resumption, Trace, outcome
from domain.fact import Fact
from domain.policy import SendingPolicy
from domain.streams import delivery_stream

STREAM = delivery_stream(1, 2)
DEAD, HEIR = "processor:3", "processor:4"
NOW = 1_000_000.0
TO = Resumption(HEIR, NOW, SendingPolicy(retry_attempts=4), 0.5, may_resend=False)
HEARD: tuple[Heard, ...] = (
    Accepted(originator_id=STREAM, originator_version=2, by=DEAD, server=7, reply="2.0.0 ok"),
    Deferred(originator_id=STREAM, originator_version=2, by=DEAD, server=7, reply="4.2.2 full",
             about="recipient", again=NOW + 60),
    Failed(originator_id=STREAM, originator_version=2, by=DEAD, server=7, reply="5.1.1 no",
           about="recipient"),
)  # fmt: skip
WITHOUT_DOT, WITH_DOT = Trace(dot_sent=False), Trace(dot_sent=True)


class Life:
    """A delivery that is tried until it rests; each attempt's processor dies."""

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
    life, to = Life(), replace(TO, may_resend=True)
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
    by_hand = Requeued(
        originator_id=STREAM, originator_version=life.delivery.version + 1, by="user:ada", reason="by hand"
    )
    life.say(by_hand)
    (fact,) = life.die(WITHOUT_DOT)
    assert isinstance(fact, Deferred)
    assert fact.again == NOW


def test_an_outcome_that_its_own_processor_could_not_hear_is_no_death() -> None:
    life = Life()
    life.start()
    life.say(
        OutcomeUnknown(originator_id=STREAM, originator_version=2, by=DEAD, server=7, reason="cut off"),
        Requeued(originator_id=STREAM, originator_version=3, by=DEAD, reason="policy"),
    )
    assert life.delivery.deaths == 0
