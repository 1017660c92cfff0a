"""What a transaction says on the wire and how it judges the answers, without a socket."""

from __future__ import annotations

import pytest

from domain.delivery.reply import Stage
from mail.smtp.envelope import Extensions
from mail.smtp.transaction import OutcomeKind, Transaction, TransactionState

MESSAGE = b"Subject: hello\r\n\r\nA line.\r\n"
PIPELINING = Extensions(pipelining=True)


def transaction(extensions: Extensions = PIPELINING, **parts: object) -> Transaction:
    given = {"mail_from": "news@mail.example", "rcpt_to": "reader@home.example", "message": MESSAGE, **parts}
    return Transaction(extensions=extensions, **given)  # type: ignore[arg-type]


def test_a_pipelining_server_gets_the_envelope_in_one_write_and_then_the_message() -> None:
    sent = transaction()
    assert sent.start() == b"MAIL FROM:<news@mail.example>\r\nRCPT TO:<reader@home.example>\r\nDATA\r\n"
    assert sent.receive(b"250 ok\r\n250 ok\r\n354 go\r\n") == MESSAGE + b".\r\n"
    assert sent.receive(b"250 2.0.0 queued as 7\r\n") == b""
    assert sent.outcome is not None
    assert sent.outcome.accepted
    assert (sent.outcome.code, sent.outcome.text) == (250, "2.0.0 queued as 7")
    assert sent.outcome.dot_sent
    assert sent.outcome.connection_usable


def test_another_server_gets_one_command_at_a_time() -> None:
    sent = transaction(Extensions())
    assert sent.start() == b"MAIL FROM:<news@mail.example>\r\n"
    assert sent.receive(b"250 ok\r\n") == b"RCPT TO:<reader@home.example>\r\n"
    assert sent.receive(b"251 will forward\r\n") == b"DATA\r\n"
    assert sent.receive(b"354 go\r\n") == MESSAGE + b".\r\n"
    sent.receive(b"250-several\r\n250 lines\r\n")
    assert sent.outcome is not None
    assert sent.outcome.accepted
    assert sent.outcome.text == "several lines"


def test_the_patience_at_each_stage_is_that_of_rfc_5321() -> None:
    sent = transaction(Extensions())
    seconds = []
    sent.start()
    for reply in (b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n", b"250 ok\r\n"):
        seconds.append(sent.deadline)
        sent.receive(reply)
    assert seconds == [300, 300, 120, 600]


def test_only_what_the_server_offered_is_used() -> None:
    everything = Extensions(pipelining=False, size_limit=1000, eight_bit=True, smtputf8=True)
    sent = transaction(everything, rcpt_to="žena@home.example", message="Grüße\r\n".encode())
    assert sent.start() == b"MAIL FROM:<news@mail.example> SIZE=9 BODY=8BITMIME SMTPUTF8\r\n"
    assert sent.receive(b"250 ok\r\n") == "RCPT TO:<žena@home.example>\r\n".encode()
    assert transaction(everything).start().endswith(b" SIZE=27\r\n")


@pytest.mark.parametrize(
    ("extensions", "parts", "code", "stage"),
    [
        (PIPELINING, {"rcpt_to": "žena@home.example"}, 553, Stage.RCPT),
        (PIPELINING, {"mail_from": "žena@home.example"}, 553, Stage.MAIL),
        (PIPELINING, {"message": "Grüße\r\n".encode()}, 554, Stage.DATA),
        (PIPELINING._replace(size_limit=20), {}, 552, Stage.DATA),
        (PIPELINING, {"rcpt_to": ""}, 501, Stage.RCPT),
        (PIPELINING, {"rcpt_to": "a@b.example>\r\nRSET\r\nMAIL FROM:<x@y.example"}, 501, Stage.RCPT),
        (PIPELINING, {"rcpt_to": "a@b.example> NOTIFY=NEVER"}, 501, Stage.RCPT),
        (PIPELINING, {"mail_from": "a\0@b.example"}, 501, Stage.MAIL),
        (PIPELINING._replace(smtputf8=True), {"rcpt_to": "\ud800@b.example"}, 501, Stage.RCPT),
    ],
)
def test_what_this_server_cannot_take_is_refused_before_a_word_is_sent(
    extensions: Extensions, parts: dict[str, object], code: int, stage: Stage
) -> None:
    refused = transaction(extensions, **parts)
    assert refused.start() == b""
    assert refused.outcome is not None
    assert refused.outcome.local
    assert (refused.outcome.kind, refused.outcome.code, refused.outcome.stage) == (
        OutcomeKind.REFUSED,
        code,
        stage,
    )
    assert refused.outcome.connection_usable
    assert not refused.outcome.dot_sent


def test_no_fixed_size_limit_is_no_limit() -> None:
    assert b" SIZE=27\r\n" in transaction(PIPELINING._replace(size_limit=0)).start()


@pytest.mark.parametrize("message", [b"no end", b"", b"a\r\n.", b"a\n"])
def test_a_message_after_which_no_dot_would_end_it_is_an_error(message: bytes) -> None:
    with pytest.raises(ValueError, match="does not end with CRLF"):
        transaction(message=message)


@pytest.mark.parametrize(
    ("message", "on_the_wire"),
    [
        (b"a\r\n.\r\nb\r\n", b"a\r\n..\r\nb\r\n"),
        (b".\r\n", b"..\r\n"),
        (b"..\r\n..a\r\n...\r\n", b"...\r\n...a\r\n....\r\n"),
        (b"a\n.\r\nb\r\n", b"a\n..\r\nb\r\n"),
        (b"no. dots.\r\n", b"no. dots.\r\n"),
    ],
)
def test_no_line_of_a_message_ends_it(message: bytes, on_the_wire: bytes) -> None:
    sent = transaction(message=message)
    sent.start()
    assert sent.receive(b"250 ok\r\n250 ok\r\n354 go\r\n") == on_the_wire + b".\r\n"


def test_a_refused_recipient_with_354_gets_a_lone_dot_whose_answer_means_nothing() -> None:
    refused = transaction()
    refused.start()
    assert refused.receive(b"250 ok\r\n550 5.1.1 unknown\r\n354 go\r\n") == b".\r\n"
    assert refused.outcome is None
    refused.receive(b"250 an empty message, thanks\r\n")
    assert refused.outcome is not None
    assert (refused.outcome.kind, refused.outcome.code) == (OutcomeKind.REFUSED, 550)
    assert refused.outcome.stage is Stage.RCPT
    assert not refused.outcome.dot_sent
    assert refused.outcome.connection_usable


def test_a_refused_recipient_is_followed_by_a_reset_before_the_next_transaction() -> None:
    for extensions, replies in (
        (PIPELINING, b"250 ok\r\n550 5.1.1 unknown\r\n503 no recipient\r\n"),
        (Extensions(), b"550 5.1.1 unknown\r\n"),
    ):
        refused = transaction(extensions)
        refused.start()
        if not extensions.pipelining:
            refused.receive(b"250 ok\r\n")
        assert refused.receive(replies) == b"RSET\r\n"
        assert refused.receive(b"250 ok\r\n") == b""
        assert refused.outcome is not None
        assert (refused.outcome.code, refused.outcome.connection_usable) == (550, True)


def test_after_a_refused_sender_the_other_replies_are_taken_in() -> None:
    refused = transaction()
    refused.start()
    assert refused.receive(b"451 4.3.0 later\r\n") == b""
    assert refused.receive(b"503 no sender\r\n") == b""
    assert refused.outcome is None
    assert refused.receive(b"503 no sender\r\n") == b""
    assert refused.outcome is not None
    assert (refused.outcome.code, refused.outcome.stage) == (451, Stage.MAIL)
    assert refused.outcome.connection_usable


def test_no_dot_is_sent_to_a_server_that_took_a_recipient_without_a_sender() -> None:
    refused = transaction()
    refused.start()
    assert refused.receive(b"550 no\r\n250 ok\r\n354 go\r\n") == b""
    assert refused.outcome is not None
    assert (refused.outcome.code, refused.outcome.connection_usable) == (550, False)


def test_a_failed_reset_costs_the_connection_and_not_the_outcome() -> None:
    for after in (b"500 what?\r\n", b"nonsense\r\n", b"421 bye\r\n"):
        refused = transaction(Extensions())
        refused.start()
        refused.receive(b"250 ok\r\n")
        refused.receive(b"550 unknown\r\n")
        assert refused.state is TransactionState.RSET
        refused.receive(after)
        assert refused.outcome is not None
        assert (refused.outcome.code, refused.outcome.connection_usable) == (550, False)


def test_a_reply_to_the_message_that_came_before_the_message_was_out_never_counts_as_accepted() -> None:
    early = transaction()
    early.start()
    early.receive(b"250 ok\r\n250 ok\r\n354 go\r\n")
    early.receive(b"250 ok\r\n", unsent=20)
    assert early.outcome is not None
    assert (early.outcome.kind, early.outcome.dot_sent) == (OutcomeKind.PROTOCOL_ERROR, False)


def test_a_refusal_in_the_middle_of_the_message_is_a_refusal_without_a_dot() -> None:
    early = transaction()
    early.start()
    early.receive(b"250 ok\r\n250 ok\r\n354 go\r\n")
    early.receive(b"552 5.3.4 too big\r\n", unsent=20)
    assert early.outcome is not None
    assert (early.outcome.kind, early.outcome.code, early.outcome.dot_sent) == (
        OutcomeKind.REFUSED,
        552,
        False,
    )
    assert not early.outcome.connection_usable


@pytest.mark.parametrize(("unsent", "dot_sent"), [(0, True), (1, True), (2, True), (3, False), (1000, False)])
def test_the_dot_counts_as_sent_from_its_first_byte_on(unsent: int, dot_sent: bool) -> None:
    lost = transaction()
    lost.start()
    lost.receive(b"250 ok\r\n250 ok\r\n354 go\r\n")
    outcome = lost.lost("the cable was cut", unsent)
    assert (outcome.kind, outcome.text) == (OutcomeKind.LOST, "the cable was cut")
    assert outcome.dot_sent is outcome.is_unknown is dot_sent


def test_an_early_354_and_250_in_one_piece_deliver_nothing_and_claim_nothing() -> None:
    eager = transaction()
    eager.start()
    assert eager.receive(b"250 ok\r\n250 ok\r\n354 go\r\n250 queued\r\n") == b""
    assert eager.outcome is not None
    assert (eager.outcome.kind, eager.outcome.dot_sent) == (OutcomeKind.PROTOCOL_ERROR, False)


def test_421_may_come_unasked() -> None:
    leaving = transaction(Extensions())
    leaving.start()
    leaving.receive(b"250 ok\r\n421 4.3.2 shutting down\r\n")
    assert leaving.outcome is not None
    assert (leaving.outcome.kind, leaving.outcome.code) == (OutcomeKind.REFUSED, 421)
    assert not leaving.outcome.connection_usable


def test_words_after_the_acceptance_cost_the_connection_and_not_the_acceptance() -> None:
    for late in (False, True):
        sent = transaction()
        sent.start()
        sent.receive(b"250 ok\r\n250 ok\r\n354 go\r\n")
        if late:
            sent.receive(b"250 queued\r\n")
            sent.receive(b"421 enough for today\r\n")
        else:
            sent.receive(b"250 queued\r\n421 enough for today\r\n")
        assert sent.outcome is not None
        assert sent.outcome.accepted
        assert not sent.outcome.connection_usable


@pytest.mark.parametrize(
    "reply",
    [b"hello\r\n", b"25\r\n",
     b"2500 ok\r\n", b"250?ok\r\n", b"150 ok\r\n", b"650 ok\r\n", b"\r\n", b"\xb2\xb2\xb2 ok\r\n",
     b"250-ok\r\n251 ok\r\n", b"250-ok\r\n" * 200, b"250 " + b"x" * 20_000, b"x" * 20_000],
)  # fmt: skip
def test_what_is_no_reply_is_a_protocol_error_and_after_the_dot_an_unknown_outcome(reply: bytes) -> None:
    before, after = transaction(), transaction()
    before.start()
    before.receive(reply)
    assert before.outcome is not None
    assert (before.outcome.kind, before.outcome.is_unknown) == (OutcomeKind.PROTOCOL_ERROR, False)
    after.start()
    after.receive(b"250 ok\r\n250 ok\r\n354 go\r\n")
    after.receive(reply)
    assert after.outcome is not None
    assert (after.outcome.kind, after.outcome.is_unknown) == (OutcomeKind.PROTOCOL_ERROR, True)


def test_a_wordy_reply_is_understood_and_cut() -> None:
    wordy = transaction()
    wordy.start()
    wordy.receive(b"250 ok\r\n250 ok\r\n354 go\r\n")
    wordy.receive(b"250-" + b"x" * 4096 + b"\r\n250 done\r\n")
    assert wordy.outcome is not None
    assert wordy.outcome.accepted
    assert len(wordy.outcome.text) == 1000


def test_codes_alone_and_bare_line_feeds_are_tolerated() -> None:
    terse = transaction()
    terse.start()
    assert terse.receive(b"250\r\n250\n354\r\n") == MESSAGE + b".\r\n"
    terse.receive(b"250\n")
    assert terse.outcome is not None
    assert terse.outcome.accepted


def test_a_half_reply_at_the_end_is_no_reply() -> None:
    lost = transaction()
    lost.start()
    lost.receive(b"250 ok\r\n250 ok\r\n354 go\r\n")
    lost.receive(b"250-ok\r\n250 ok")
    assert lost.lost("closed").is_unknown


def test_silence_is_told_from_an_answer() -> None:
    silent, talking = transaction(), transaction()
    silent.start()
    assert silent.timed_out()[:3] == (OutcomeKind.LOST, None, "no answer to MAIL in time")
    assert not silent.lost("again").replied
    talking.start()
    talking.receive(b"250 ok\r\n")
    assert talking.timed_out().replied
