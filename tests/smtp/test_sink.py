"""The sink is the oracle of other tests, so it is tried with clients that are not ours."""

from __future__ import annotations

import json
import signal
import smtplib
import socket
import subprocess
import sys
import time
from email.message import EmailMessage
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mail.smtp.transport import connect, deliver
from postledger.sink.rules import SinkRule
from postledger.sink.sink import Sink, duplicates_among


def message(number: int = 1, domain: str = "mail.example", body: str = "A line.\n") -> EmailMessage:
    made = EmailMessage()
    made["Message-ID"] = f"<{number}.7@{domain}>"
    made["Subject"] = "hello"
    made.set_content(body)
    return made


def send(sink: Sink, what: EmailMessage, recipient: str = "reader@home.example") -> None:
    with smtplib.SMTP("127.0.0.1", sink.port) as client:
        client.send_message(what, "news@mail.example", [recipient])


def test_what_was_sent_is_kept_with_its_envelope_and_times() -> None:
    ticks = iter(range(100, 200))
    with Sink(now=lambda: float(next(ticks))) as sink:
        send(sink, message(body=".\n..\nend\n"))
    (received,) = sink.messages
    assert (received.mail_from, received.rcpt_to) == ("news@mail.example", ("reader@home.example",))
    assert received.message_id == "<1.7@mail.example>"
    assert received.message.endswith(b"\r\n\r\n.\r\n..\r\nend\r\n")
    assert (received.mail_at, received.dot_at) == (100.0, 101.0)
    assert sink.attempts == [(100.0, "news@mail.example")]


def test_duplicates_are_counted_by_delivery_over_all_sinks() -> None:
    with Sink() as first, Sink() as second:
        send(first, message(1))
        send(first, message(1))
        send(first, message(2))
        send(first, message(1), "another@home.example")
        send(second, message(2, domain="second.example"))
    assert sum(first.duplicates().values()) == 1
    assert second.duplicates() == {}
    together = duplicates_among([*first.messages, *second.messages])
    assert together == {"1.7 reader@home.example": 1, "2.7 reader@home.example": 1}


def test_a_folder_gets_a_readable_file_per_message_and_is_continued(tmp_path: Path) -> None:
    for _ in range(2):
        with Sink(keep=tmp_path / "alpha") as sink:
            send(sink, message(), "a/b@home.example")
    names = sorted(path.name for path in (tmp_path / "alpha").iterdir())
    assert names == ["000001-a_b@home.example.eml", "000002-a_b@home.example.eml"]
    kept = (tmp_path / "alpha" / names[0]).read_bytes()
    assert kept.startswith(b"Return-Path: <news@mail.example>\r\nDelivered-To: a/b@home.example\r\n")
    assert kept.endswith(sink.messages[0].message)


def test_rules_refuse_by_recipient_and_a_number_of_times() -> None:
    rules = (
        SinkRule("rcpt", reply="550 5.1.1 unknown", recipient="^bounce"),
        SinkRule("mail", reply="451 4.3.0 later", times=1),
    )
    with Sink(rules=rules) as sink, smtplib.SMTP("127.0.0.1", sink.port) as client:
        client.ehlo()
        assert client.mail("a@b.example")[0] == 451
        assert client.mail("a@b.example")[0] == 250
        assert client.rcpt("bounce1@home.example")[0] == 550
        assert client.rcpt("reader@home.example")[0] == 250


def test_a_message_may_be_kept_though_its_answer_is_lost() -> None:
    with Sink(rules=(SinkRule("dot", drop=True, keeps=True, times=1), SinkRule("dot", drop=True))) as sink:
        for _ in range(2):
            with pytest.raises(smtplib.SMTPServerDisconnected):
                send(sink, message())
    assert len(sink.messages) == 1


def test_a_refused_message_is_not_kept() -> None:
    with Sink(rules=(SinkRule("dot", reply="554 5.7.1 spam"),)) as sink, pytest.raises(smtplib.SMTPDataError):
        send(sink, message())
    assert sink.messages == []


def talk(sink: Sink, *lines: bytes) -> list[str]:
    """The codes of the replies to these writes, one reply awaited per write; then what is left."""
    codes = []
    with socket.create_connection(("127.0.0.1", sink.port), 10) as connection:
        replies = connection.makefile("rb")
        replies.readline()
        for line in lines:
            connection.sendall(line)
            while (reply := replies.readline())[3:4] == b"-":
                pass
            codes.append(reply[:3].decode())
    return codes


def test_a_client_that_pipelines_unasked_is_thrown_out() -> None:
    with Sink(pipelining=False) as sink:
        assert talk(sink, b"MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\n", b"") == ["503", ""]


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        ((b"RCPT TO:<c@d.example>\r\n",), "503"),
        ((b"DATA\r\n",), "503"),
        ((b"MAIL FROM:<a@b.example>\r\n", b"DATA\r\n"), "554"),
        ((b"MAIL FROM:<a@b.example>\r\n", b"MAIL FROM:<a@b.example>\r\n"), "503"),
        ((b"MAIL FROM:<a@b.example> SIZE=99999999\r\n",), "552"),
        ((b"MAIL FROM:<a@b.example> RET=FULL\r\n",), "555"),
        ((b"MAIL FROM:a@b.example\r\n",), "501"),
        (("MAIL FROM:<ž@b.example>\r\n".encode(),), "553"),
        ((b"STARTTLS\r\n",), "503"),
        ((b"AUTH PLAIN\r\n",), "504"),
        ((b"NONSENSE\r\n",), "502"),
        ((b"x" * 5000,), "500"),
    ],
)
def test_a_client_out_of_step_is_told_so(lines: tuple[bytes, ...], code: str) -> None:
    with Sink() as sink:
        assert talk(sink, *lines)[-1] == code


@pytest.mark.parametrize(
    ("body", "code"),
    [(b"a\nb\r\n", "550"), (b"a\rb\r\n", "550"), ("ü\r\n".encode(), "554"), (b"x" * 3000 + b"\r\n", "552")],
)
def test_a_message_that_breaks_the_rules_is_refused(body: bytes, code: str) -> None:
    with Sink(size_limit=2000) as sink:
        envelope = (b"MAIL FROM:<a@b.example>\r\n", b"RCPT TO:<c@d.example>\r\n", b"DATA\r\n")
        assert talk(sink, *envelope, body + b".\r\n")[-1] == code
    assert sink.messages == []


def test_latency_keeps_the_order() -> None:
    with Sink(latency=0.02) as sink:
        started = time.monotonic()
        for number in range(3):
            send(sink, message(number))
        assert time.monotonic() - started > 0.2
    assert [received.message_id for received in sink.messages] == [f"<{n}.7@mail.example>" for n in range(3)]


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.sampled_from([b"", b".", b"..", b".x", b"x.", b"\t.", b"...x"]) | st.binary(max_size=20).map(
        lambda line: line.replace(b"\r", b"").replace(b"\n", b"")
    ), max_size=8)
)  # fmt: skip
def test_any_lines_come_back_as_they_were(lines: list[bytes]) -> None:
    body = b"".join(line + b"\r\n" for line in lines)
    with Sink() as sink:
        connection = connect({"host": "127.0.0.1", "port": sink.port})
        outcome = deliver(connection, connection.transaction("a@b.example", "c@d.example", body or b"\r\n"))
        connection.close()
    assert outcome.accepted
    assert sink.messages[0].message == (body or b"\r\n")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.com", ""])
def test_it_listens_to_nobody_but_this_machine(host: str) -> None:
    with pytest.raises(ValueError, match="this machine only"):
        Sink(host=host)


def test_a_port_that_is_taken_is_an_error_at_the_start() -> None:
    with Sink() as sink, pytest.raises(OSError, match="in use"):
        Sink(port=sink.port).start()


def test_as_a_process_it_counts_for_whoever_asks_and_ends_on_sigterm(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "postledger.sink", "--keep", str(tmp_path), "--refuse", "^bounce"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = json.loads(process.stdout.readline())["port"]
        with smtplib.SMTP("127.0.0.1", port) as client:
            client.send_message(message(), "news@mail.example", ["reader@home.example"])
            client.send_message(message(), "news@mail.example", ["reader@home.example"])
            with pytest.raises(smtplib.SMTPRecipientsRefused):
                client.send_message(message(), "news@mail.example", ["bounce@home.example"])
        with smtplib.SMTP("127.0.0.1", port) as client:
            counted = json.loads(client.docmd("XSTATS")[1])
        assert counted == {"messages": 2, "duplicates": 1, "attempts": 3, "connections": 2}
        process.send_signal(signal.SIGTERM)
        assert json.loads(process.stdout.readline())["messages"] == 2
        assert process.wait(10) == 0
    assert len(list(tmp_path.glob("*.eml"))) == 2


def test_as_a_process_it_ends_with_its_parent() -> None:
    command = [sys.executable, "-m", "postledger.sink", "--with-parent"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        process.stdout.readline()
        process.stdin.close()
        assert process.wait(10) == 0
