"""Every step of the dialogue, and everything that can go wrong at it, over a real socket."""

from __future__ import annotations

from itertools import product

import pytest

from domain.delivery.reply import Stage
from mail.smtp.transaction import Outcome, OutcomeKind
from mail.smtp.transport import connect, deliver
from tests.smtp.scripted import Act, ScriptedServer

MESSAGE = b"Subject: hello\r\n\r\nA line.\r\n"
STEPS = ("mail", "rcpt", "data", "dot")

FAULTS = {
    "transient refusal": (Act(b"451 4.3.0 later\r\n"), OutcomeKind.REFUSED, 451),
    "permanent refusal": (Act(b"550 5.7.1 never\r\n"), OutcomeKind.REFUSED, 550),
    "refusal in lines": (Act(b"550-5.7.1 never\r\n550 5.7.1 ever\r\n"), OutcomeKind.REFUSED, 550),
    "goodbye": (Act(b"421 4.3.2 bye\r\n", "hang up"), OutcomeKind.REFUSED, 421),
    "refusal and hang-up": (Act(b"554 5.7.1 no\r\n", "hang up"), OutcomeKind.REFUSED, 554),
    "hang-up": (Act(b"", "hang up"), OutcomeKind.LOST, None),
    "reset": (Act(b"", "reset"), OutcomeKind.LOST, None),
    "half a reply": (Act(b"250 o", "hang up"), OutcomeKind.LOST, None),
    "half of the lines": (Act(b"250-ok\r\n", "hang up"), OutcomeKind.LOST, None),
    "silence": (Act(b"", "be silent"), OutcomeKind.LOST, None),
    "nonsense": (Act(b"HTTP/1.1 400 Bad Request\r\n"), OutcomeKind.PROTOCOL_ERROR, None),
    "endless reply": (Act(b"250-" + b"x" * 20_000 + b"\r\n"), OutcomeKind.PROTOCOL_ERROR, None),
    "endless lines": (Act(b"250-x\r\n" * 5_000), OutcomeKind.PROTOCOL_ERROR, None),
    "no code": (Act(b"ok\r\n"), OutcomeKind.PROTOCOL_ERROR, None),
    "letters for a code": (Act(b"2x0 ok\r\n"), OutcomeKind.PROTOCOL_ERROR, None),
    "wrong kind of reply": (Act(b"354 go\r\n"), OutcomeKind.PROTOCOL_ERROR, None),
}
USABLE_AFTER = {"transient refusal", "permanent refusal", "refusal in lines"}


def fault_at(step: str, name: str) -> Act:
    act = FAULTS[name][0]
    if name == "wrong kind of reply" and step == "data":
        return Act(b"250 ok\r\n")
    return act


def delivered(server: ScriptedServer) -> Outcome:
    connection = connect(server.settings)
    try:
        return deliver(
            connection,
            connection.transaction("news@mail.example", "reader@home.example", MESSAGE),
            at_most=0.3,
        )
    finally:
        connection.close()


@pytest.mark.parametrize(("step", "fault", "pipelining"), list(product(STEPS, FAULTS, (False, True))))
def test_every_fault_at_every_step_is_told_for_what_it_is(step: str, fault: str, pipelining: bool) -> None:
    script = {step: fault_at(step, fault)}
    if pipelining and step in ("mail", "rcpt") and FAULTS[fault][1] is OutcomeKind.REFUSED:
        script["data"] = Act(b"503 5.5.1 nothing to send\r\n")
    with ScriptedServer(script, pipelining=pipelining) as server:
        outcome = delivered(server)
    _, kind, code = FAULTS[fault]
    assert (outcome.kind, outcome.code) == (kind, code)
    # A reset may overtake the replies before it.
    assert outcome.stage.value == step or (fault == "reset" and step != "dot")
    assert outcome.dot_sent is (step == "dot")
    assert outcome.is_unknown is (step == "dot" and kind is not OutcomeKind.REFUSED)
    if kind is not OutcomeKind.REFUSED:
        assert not outcome.connection_usable
    elif fault in USABLE_AFTER:
        assert outcome.connection_usable
    assert (server.bodies == [MESSAGE]) is (step == "dot")


@pytest.mark.parametrize("pipelining", [False, True])
def test_without_a_fault_the_message_is_accepted(pipelining: bool) -> None:
    with ScriptedServer(pipelining=pipelining) as server:
        outcome = delivered(server)
    assert outcome.accepted
    assert outcome.connection_usable
    assert server.bodies == [MESSAGE]


@pytest.mark.parametrize(("step", "pipelining"), list(product(STEPS, (False, True))))
def test_after_a_refusal_the_same_connection_delivers_the_next_message(step: str, pipelining: bool) -> None:
    script: dict[str, Act | list[Act]] = {step: [Act(b"550 5.7.1 not this one\r\n")]}
    if pipelining and step in ("mail", "rcpt"):
        script["data"] = [Act(b"503 5.5.1 nothing to send\r\n")]
    with ScriptedServer(script, pipelining=pipelining) as server:
        connection = connect(server.settings)
        parts = ("news@mail.example", "reader@home.example", MESSAGE)
        refused = deliver(connection, connection.transaction(*parts))
        accepted = deliver(connection, connection.transaction(*parts))
        connection.close()
    assert (refused.kind, refused.code, refused.connection_usable) == (OutcomeKind.REFUSED, 550, True)
    assert accepted.accepted
    assert ("RSET" in server.commands) is (step in ("rcpt", "data"))


def test_a_lone_dot_ends_the_data_of_nobody_and_the_connection_goes_on() -> None:
    script: dict[str, Act | list[Act]] = {"rcpt": [Act(b"550 5.1.1 unknown\r\n")]}
    with ScriptedServer(script) as server:
        connection = connect(server.settings)
        parts = ("news@mail.example", "reader@home.example", MESSAGE)
        refused = deliver(connection, connection.transaction(*parts))
        accepted = deliver(connection, connection.transaction(*parts))
        connection.close()
    assert (refused.code, refused.stage, refused.dot_sent) == (550, Stage.RCPT, False)
    assert accepted.accepted
    assert server.bodies == [b"", MESSAGE]


BIG = (b"x" * 76 + b"\r\n") * 250_000


@pytest.mark.parametrize(
    ("act", "kind", "code"),
    [
        (Act(b"", "reset"), OutcomeKind.LOST, None),
        (Act(b"", "be silent"), OutcomeKind.LOST, None),
        (Act(b"552 5.3.4 too big\r\n", "be silent"), OutcomeKind.REFUSED, 552),
        (Act(b"421 4.3.2 bye\r\n", "be silent"), OutcomeKind.REFUSED, 421),
        (Act(b"250 already taken\r\n", "be silent"), OutcomeKind.PROTOCOL_ERROR, None),
    ],
)
def test_a_message_that_was_cut_off_in_its_middle_is_certainly_not_sent(
    act: Act, kind: OutcomeKind, code: int | None
) -> None:
    with ScriptedServer({"body": act}, receive_buffer=4096) as server:
        connection = connect(server.settings)
        outcome = deliver(connection, connection.transaction("a@b.example", "c@d.example", BIG), at_most=0.5)
        assert connection.unsent > 3
        connection.close()
    assert (outcome.kind, outcome.code) == (kind, code)
    assert not outcome.dot_sent
    assert not outcome.is_unknown
    assert not outcome.connection_usable


def test_a_big_message_goes_out_in_as_many_pieces_as_the_network_takes() -> None:
    with ScriptedServer(receive_buffer=262_144) as server:
        connection = connect(server.settings)
        message = BIG[: 78 * 60_000]
        outcome = deliver(connection, connection.transaction("a@b.example", "c@d.example", message))
        connection.close()
    assert outcome.accepted
    assert server.bodies == [message]
