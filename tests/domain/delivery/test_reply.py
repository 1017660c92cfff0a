"""What servers answer, as they were heard to, and what it means."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.delivery.about import About
from domain.delivery.reply import (
    MOST_PROVOKED,
    UNREACHABLE,
    Stage,
    Verdict,
    classify,
    is_provoked,
    weigh,
    with_code,
)

AUTH, CONNECT, DATA, DOT, EHLO, MAIL, RCPT, STARTTLS = (
    Stage.AUTH,
    Stage.CONNECT,
    Stage.DATA,
    Stage.DOT,
    Stage.EHLO,
    Stage.MAIL,
    Stage.RCPT,
    Stage.STARTTLS,
)

SERVER_RESTS = [
    (CONNECT, 421, "4.7.0 mx.example.com Too many connections"),
    (CONNECT, 554, "5.7.1 Too many concurrent connections from your host"),
    (CONNECT, 450, "no service here today"),
    (EHLO, 421, "shutting down"),
    (STARTTLS, 454, "4.7.0 TLS not available due to local problem"),
    (AUTH, 454, "4.7.0 Temporary authentication failure"),
    (AUTH, 535, "5.7.0 Too many login attempts, please try again later"),
    (AUTH, 432, "4.7.12 A password transition is needed"),
    (MAIL, 421, "4.3.2 Service not available, closing transmission channel"),
    (MAIL, 450, "4.5.127 Excessive message rate"),
    (MAIL, 452, "4.3.1 Insufficient system storage"),
    (MAIL, 451, "4.7.1 Please try again later"),
    (MAIL, 450, "4.1.8 <news@example.com>: Sender address rejected: Domain not found"),
    (RCPT, 421, "4.4.5 Server busy"),
    (RCPT, 450, "4.5.127 Excessive message rate"),
    (RCPT, 450, "Too many messages, slow down"),
    (RCPT, 452, "4.5.3 Too many recipients"),
    (RCPT, 452, "Insufficient system storage"),
    (RCPT, 451, "4.7.650 The mail server has been temporarily rate limited due to IP reputation"),
    (RCPT, 550, "5.4.5 Daily user sending quota exceeded"),
    (RCPT, 550, "5.7.0 Hourly sending limit reached for this account"),
    (RCPT, 454, "4.7.1 <jo@example.com>: Relay access denied"),
    (DATA, 451, "4.3.0 Error: queue file write error"),
    (DOT, 421, "4.7.0 Try again later, closing connection"),
    (DOT, 451, "4.7.1 Rate limit exceeded"),
    (DOT, 550, "5.7.1 Message rate exceeded"),
    (DOT, 454, "Throttling failure: Maximum sending rate exceeded."),
    (RCPT, 250, "out of step"),
    (DATA, 250, "OK where 354 was due"),
    (MAIL, 0, ""),
]
SERVER_NEEDS_SOMEBODY = [
    (CONNECT, 554, "No SMTP service here"),
    (EHLO, 550, "Access denied"),
    (STARTTLS, 502, "5.5.1 command not implemented"),
    (AUTH, 535, "5.7.8 Authentication credentials invalid"),
    (AUTH, 534, "5.7.9 Application-specific password required"),
    (AUTH, 538, "5.7.11 Encryption required for requested authentication mechanism"),
    (AUTH, 504, "5.5.4 Unrecognized authentication type"),
    (MAIL, 530, "5.7.0 Authentication required"),
    (MAIL, 525, "5.7.13 User account disabled"),
    (MAIL, 550, "5.1.0 <news@example.com> sender rejected"),
    (MAIL, 501, "5.1.7 Bad sender address syntax"),
    (MAIL, 553, "5.7.1 <news@example.com>: Sender address rejected: not owned by user relay"),
    (MAIL, 503, "5.5.1 Bad sequence of commands"),
    (MAIL, 555, "Parameters not recognised"),
    (RCPT, 530, "5.7.1 Client was not authenticated"),
    (RCPT, 550, "5.7.1 Unable to relay"),
    (RCPT, 554, "5.7.1 <jo@example.com>: Relay access denied"),
    (RCPT, 550, "relaying denied"),
    (RCPT, 554, "5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org"),
    (RCPT, 554, "5.7.1 <unknown[192.0.2.1]>: Client host rejected: Access denied"),
    (RCPT, 550, "5.7.25 reverse DNS validation failed"),
    (RCPT, 550, "5.7.23 SPF validation failed"),
    (DOT, 550, "5.7.26 Unauthenticated email from example.com is not accepted due to DMARC policy"),
    (DOT, 550, "5.7.515 Access denied, sending domain does not meet the required authentication level"),
    (DOT, 550, "5.7.60 SMTP; Client does not have permissions to send as this sender"),
    (DOT, 554, "Message rejected: Sender not allowed. SPF check"),
    (DOT, 554, "5.3.5 System incorrectly configured"),
]
RECIPIENT_LATER = [
    (RCPT, 450, "4.2.1 Mailbox busy"),
    (RCPT, 450, "mailbox unavailable"),
    (RCPT, 451, "local error in processing"),
    (RCPT, 450, "4.7.1 <jo@example.com>: Recipient address rejected: Greylisted, see http://postgrey"),
    (RCPT, 451, "4.7.1 Greylisting in action, please come back later"),
    (RCPT, 452, "4.2.2 The email account that you tried to reach is over quota"),
    (RCPT, 452, "Mailbox is full"),
    (
        RCPT,
        450,
        "4.2.1 The user you are trying to contact is receiving mail at a rate that prevents delivery",
    ),
    (RCPT, 450, "4.1.2 Recipient address rejected: Domain not found"),
    (RCPT, 451, "4.4.1 Host did not respond"),
    (DOT, 452, "4.2.2 Mailbox full"),
]
RECIPIENT_NEVER = [
    (RCPT, 550, "5.1.1 <jo@example.com>: Recipient address rejected: User unknown"),
    (RCPT, 550, "No such user here"),
    (RCPT, 551, "User not local"),
    (RCPT, 553, "mailbox name not allowed"),
    (RCPT, 501, "5.1.3 Bad recipient address syntax"),
    (RCPT, 501, "5.5.4 Invalid address"),
    (RCPT, 550, "5.5.0 Requested action not taken: mailbox unavailable"),
    (RCPT, 552, "5.2.2 Mailbox full"),
    (RCPT, 552, "Mailbox is over quota"),
    (RCPT, 550, "5.2.1 The email account that you tried to reach is disabled"),
    (RCPT, 550, "5.4.1 Recipient address rejected: Access denied"),
    (RCPT, 550, "5.7.1 Delivery not authorized"),
    (RCPT, 550, "5.7.17 Mailbox owner has changed"),
    (RCPT, 550, "5.6.7 The address needs SMTPUTF8"),
    (DOT, 550, "5.1.1 User unknown"),
    (DOT, 550, "unknown user"),
]
MESSAGE_LATER = [
    (DATA, 451, "local error in processing"),
    (DOT, 451, "Requested action aborted: error in processing"),
    (DOT, 452, "4.2.3 Message too long for the mailbox"),
    (DOT, 451, "Message looks like spam, try again later"),
]
MESSAGE_NEVER = [
    (MAIL, 552, "5.3.4 Message size exceeds fixed limit"),
    (MAIL, 552, "message size limit exceeded"),
    (RCPT, 552, "5.2.3 Message length exceeds administrative limit"),
    (DATA, 554, "5.5.1 No valid recipients"),
    (DOT, 554, "5.7.1 Spam message rejected"),
    (DOT, 552, "5.3.4 Message too big for system"),
    (DOT, 550, "5.6.0 Invalid header"),
    (DOT, 554, "Transaction failed"),
    (DOT, 550, "5.7.1 URL listed in blacklist"),
    (DOT, 550, "5.7.1 Our system has detected that this message is likely unsolicited mail"),
    (DOT, 550, "5.7.7 Message integrity failure"),
]


def judged(cases: list[tuple[Stage, int, str]], about: About, transient: bool) -> list[object]:
    return [
        pytest.param(*case, Verdict(about, transient), id=f"{case[0]} {case[1]} {case[2]}") for case in cases
    ]


@pytest.mark.parametrize(
    ("stage", "code", "text", "verdict"),
    [
        *judged(SERVER_RESTS, About.SERVER, True),
        *judged(SERVER_NEEDS_SOMEBODY, About.SERVER, False),
        *judged(RECIPIENT_LATER, About.RECIPIENT, True),
        *judged(RECIPIENT_NEVER, About.RECIPIENT, False),
        *judged(MESSAGE_LATER, About.MESSAGE, True),
        *judged(MESSAGE_NEVER, About.MESSAGE, False),
    ],
)
def test_replies_are_judged(stage: Stage, code: int, text: str, verdict: Verdict) -> None:
    assert classify(code, text, stage) == verdict


@given(st.text(), st.sampled_from(Stage))
def test_no_reply_at_all_is_the_networks_matter(text: str, stage: Stage) -> None:
    assert classify(None, text, stage) == UNREACHABLE


@pytest.mark.parametrize(
    ("code", "reply", "shown"),
    [
        (550, "5.1.1 No", "550 5.1.1 No"),
        (250, "", "250"),
        (None, "cut off", "cut off"),
    ],
)
def test_a_reply_is_shown_as_the_server_gave_it(code: int | None, reply: str, shown: str) -> None:
    assert with_code(code, reply) == shown


@given(st.integers(400, 499), st.text(), st.sampled_from(Stage))
def test_a_4xx_never_fails_an_e_mail_for_good(code: int, text: str, stage: Stage) -> None:
    assert classify(code, text, stage).transient or classify(code, text, stage).about is About.SERVER


@given(st.integers(0, 999), st.text(), st.sampled_from([CONNECT, EHLO, STARTTLS, AUTH, MAIL]))
def test_before_a_recipient_is_named_no_recipient_is_blamed(code: int, text: str, stage: Stage) -> None:
    about = classify(code, text, stage).about
    assert about is About.SERVER or stage is MAIL


verdicts = st.builds(Verdict, st.sampled_from(About), st.booleans())


@given(verdicts, st.sampled_from(Stage))
def test_a_first_refusal_of_a_server_s_own_is_held_against_the_server(verdict: Verdict, stage: Stage) -> None:
    assert weigh(verdict, stage, 0) == verdict


@given(verdicts, st.sampled_from(Stage), st.integers(0, 100))
def test_what_says_nothing_of_the_e_mail_never_counts_against_it(
    verdict: Verdict, stage: Stage, before: int
) -> None:
    is_named = stage in (RCPT, DATA, DOT)
    if verdict.about is not About.SERVER or not is_named:
        assert not is_provoked(verdict, stage)
        assert weigh(verdict, stage, before) == verdict


@given(st.booleans(), st.sampled_from([RCPT, DATA, DOT]), st.integers(1, 100))
def test_an_e_mail_that_servers_keep_refusing_because_of_themselves_ends(
    transient: bool, stage: Stage, before: int
) -> None:
    weighed = weigh(Verdict(About.SERVER, transient), stage, before)
    assert weighed.about is not About.SERVER, "it counts as an attempt, of which there are only so many"
    assert weighed.transient == (transient or before < MOST_PROVOKED - 1)
