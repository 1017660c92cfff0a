"""Rules that hold for whatever a server may say."""

from __future__ import annotations

import re
from copy import deepcopy
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from mail.smtp.envelope import Extensions
from mail.smtp.transaction import FINAL_DOT, Outcome, OutcomeKind, Transaction

MESSAGE = b"Subject: hello\r\n\r\nA line.\r\n"
CODES = [200, 220, 235, 250, 251, 252, 334, 354, 399, 400, 421, 450, 451, 452, 500, 550, 552, 554, 599]


@st.composite
def replies(draw: st.DrawFn) -> bytes:
    """One well-formed reply of one to three lines."""
    code = draw(st.sampled_from(CODES))
    texts = draw(st.lists(st.text("abc 123.-é", max_size=12), min_size=1, max_size=3))
    end = draw(st.sampled_from(["\r\n", "\r\n", "\n"]))
    lines = [
        f"{code}{' ' if number == len(texts) else '-'}{text}{end}" for number, text in enumerate(texts, 1)
    ]
    return "".join(lines).encode()


def converse(turns: list[list[bytes]], extensions: Extensions) -> tuple[Outcome | None, list[bytes]]:
    """Plays a server that answers each write with one turn, given piece by piece."""
    transaction = Transaction("a@b.example", "c@d.example", MESSAGE, extensions)
    written = [transaction.start()]
    for pieces in turns:
        command = b""
        for piece in pieces:
            assert command == b"", "something was written before the turn was over"
            command = transaction.receive(piece)
        if not command:
            break
        written.append(command)
    return transaction.outcome, written


@st.composite
def dialogues(draw: st.DrawFn) -> tuple[list[bytes], Extensions]:
    """Turns of an honest server: three replies to a pipelined envelope, one to everything else."""
    pipelining = draw(st.booleans())
    first = b"".join(draw(st.lists(replies(), min_size=3, max_size=3))) if pipelining else draw(replies())
    return [first, *draw(st.lists(replies(), max_size=5))], Extensions(pipelining=pipelining)


@given(dialogues(), st.data())
def test_how_the_network_cuts_the_replies_changes_nothing(
    dialogue: tuple[list[bytes], Extensions], data: st.DataObject
) -> None:
    turns, extensions = dialogue
    whole = converse([[turn] for turn in turns], extensions)
    pieces = []
    for turn in turns:
        cuts = data.draw(st.lists(st.integers(1, max(1, len(turn) - 1)), unique=True).map(sorted))
        pieces.append([turn[start:end] for start, end in pairwise([0, *cuts, len(turn)]) if start < end])
    cut = converse(pieces, extensions)
    assert cut[1] == whole[1]
    if (
        whole[0] is None
        or cut[0] is None
        or not (whole[0].kind is OutcomeKind.PROTOCOL_ERROR or whole[0].code == 421)
    ):
        assert cut[0] == whole[0]
    else:
        # Where the dialogue ends early, what is left of the turn may be seen or not.
        assert cut[0]._replace(connection_usable=False) == whole[0]._replace(connection_usable=False)


class AnyServer(RuleBasedStateMachine):
    """A server that says anything at any time, over a network that takes what it likes."""

    @initialize(pipelining=st.booleans())
    def begin(self, pipelining: bool) -> None:
        self.transaction = Transaction("a@b.example", "c@d.example", MESSAGE, Extensions(pipelining))
        self.given_out = self.transaction.start()
        self.unsent = len(self.given_out)
        self.body_given = False
        self.heard_since_dot = b""
        self.refused: Outcome | None = None

    @precondition(lambda self: self.unsent)
    @rule(data=st.data())
    def the_network_takes_some(self, data: st.DataObject) -> None:
        self.unsent -= data.draw(st.integers(1, self.unsent))

    @precondition(lambda self: self.unsent)
    @rule()
    def the_network_takes_all(self) -> None:
        self.unsent = 0

    @rule(
        piece=st.one_of(
            replies(), st.sampled_from([b"250 ok\r\n", b"354 go\r\n", b"250 a\r\n250 b\r\n354 c\r\n"])
        )
    )
    def the_server_replies(self, piece: bytes) -> None:
        self._hear(piece)

    @rule(piece=st.binary(min_size=1, max_size=8))
    def the_server_raves(self, piece: bytes) -> None:
        self._hear(piece)

    @rule()
    def the_connection_breaks(self) -> None:
        before = self.transaction.outcome
        outcome = self.transaction.lost("broken", self.unsent)
        assert before is None or outcome == before

    def _hear(self, piece: bytes) -> None:
        was_over = self.transaction.outcome
        if self.body_given and not self.unsent:
            self.heard_since_dot += piece
        command = self.transaction.receive(piece, self.unsent)
        if was_over is not None:
            assert command == b""
            assert self.transaction.outcome is not None
            assert self.transaction.outcome[:6] == was_over[:6]
        self.unsent += len(command)
        self.body_given = self.body_given or command == MESSAGE + FINAL_DOT

    @invariant()
    def acceptance_needs_a_2xx_after_the_dot(self) -> None:
        outcome = self.transaction.outcome
        if outcome is not None and outcome.accepted:
            assert self.body_given
            assert outcome.dot_sent
            assert re.search(rb"(^|\n)2\d\d", self.heard_since_dot)

    @invariant()
    def a_sent_dot_is_never_denied(self) -> None:
        outcome = self.transaction.outcome
        if self.body_given and self.unsent < len(FINAL_DOT) and outcome is None:
            assert deepcopy(self.transaction).lost("it is gone", self.unsent).dot_sent
        if outcome is not None and outcome.dot_sent:
            assert self.body_given

    @invariant()
    def without_a_sent_dot_nothing_is_unknown(self) -> None:
        outcome = self.transaction.outcome
        if outcome is not None and not self.body_given:
            assert not outcome.dot_sent
            assert not outcome.is_unknown


TestAnyServer = AnyServer.TestCase


@given(
    pipelining=st.booleans(),
    turns=st.lists(st.lists(replies(), min_size=1, max_size=3), min_size=1, max_size=6),
    unsent=st.integers(0, 40),
)
def test_an_ended_transaction_denies_the_dot_only_if_it_was_held_back(
    pipelining: bool, turns: list[list[bytes]], unsent: int
) -> None:
    transaction = Transaction("a@b.example", "c@d.example", MESSAGE, Extensions(pipelining))
    transaction.start()
    body_given = False
    for turn in turns:
        command = transaction.receive(b"".join(turn), unsent if body_given else 0)
        body_given = body_given or command == MESSAGE + FINAL_DOT
    outcome = transaction.lost("over", unsent if body_given else 0)
    assert outcome.dot_sent == (body_given and unsent < len(FINAL_DOT))
