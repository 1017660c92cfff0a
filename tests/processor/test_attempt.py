"""That what is written for each e-mail without making a fact first is what the fact would have written."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from application.reservation import Reservation
from domain.delivery.delivery import Accepted, AttemptStarted
from domain.delivery.reply import sanitise
from domain.streams import delivery_stream, delivery_stream_bytes
from mail.message.compose import MessageRecipient
from mail.smtp.transaction import Transaction
from processor.dispatch.attempt import Attempt, accepted, started
from processor.planner.send import Send

numbers = st.integers(0, 2**32 - 1)
BY = "processor:7"


def attempt(campaign: int, recipient: int, version: int, server: int, remaining: int | None) -> Attempt:
    person = MessageRecipient(recipient, "c0ffee00-0000-4000-8000-000000000000", "ada@example.org", "Ada", {})
    send = Send(campaign, recipient, version, 0, None, server, remaining, person)
    transaction = Transaction("news@example.com", person.email, b"Subject: hello\r\n\r\nHello.\r\n")
    reservation = Reservation(version=12, n=5, until=100.0, reserved_at=90.0)
    return Attempt(send, reservation, transaction)


@given(
    numbers, numbers, st.integers(0, 100), st.integers(1, 9999), st.none() | st.integers(0, 10**9), st.text(),
    st.none() | st.integers(200, 299),
)  # fmt: skip
def test_the_entries_of_an_attempt_are_those_of_its_facts(
    campaign: int, recipient: int, version: int, server: int, remaining: int | None, reply: str,
    code: int | None,
) -> None:  # fmt: skip
    made, stream = (
        attempt(campaign, recipient, version, server, remaining),
        delivery_stream(campaign, recipient),
    )
    assert (
        started(made, BY)
        == AttemptStarted(
            originator_id=stream,
            originator_version=version + 1,
            by=BY,
            server=server,
            reservation=12,
            remaining=remaining,
        ).entry()
    )
    assert (
        accepted(made, reply, code, BY)
        == Accepted(
            originator_id=stream,
            originator_version=version + 2,
            by=BY,
            server=server,
            reply=sanitise(reply, "ada@example.org"),
            code=code,
        ).entry()
    )


@given(numbers, numbers)
def test_a_stream_has_the_bytes_of_its_uuid(campaign: int, recipient: int) -> None:
    assert delivery_stream_bytes(campaign, recipient) == delivery_stream(campaign, recipient).bytes
