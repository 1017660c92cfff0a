"""Opening a connection, keeping it, and ending it."""

from __future__ import annotations

import select
import socket

import pytest

from domain.delivery.reply import Stage
from mail.smtp.envelope import Extensions
from mail.smtp.settings import SmtpSettings
from mail.smtp.transport import Connection, connect, deliver
from mail.smtp.transport_errors import ConnectError, GreetingError, TransportError
from postledger.sink.rules import SinkRule
from postledger.sink.sink import Sink
from tests.smtp.scripted import Act, ScriptedServer, timeout_for

MESSAGE = b"Message-ID: <7.9@mail.example>\r\nSubject: hello\r\n\r\n.stuffed\r\nA line.\r\n"


def wait_for(connection: Connection) -> bytes | None:
    select.select([connection], [], [], 10)
    return connection.receive()


def test_what_the_server_offers_is_known_after_the_greeting() -> None:
    with Sink(pipelining=False, size_limit=12_345, smtputf8=False) as sink:
        connection = connect({"host": "127.0.0.1", "port": sink.port})
        assert connection.extensions == Extensions(False, 12_345, True, False)
        connection.close()


def test_a_server_that_knows_no_ehlo_is_greeted_with_helo() -> None:
    script = {"ehlo": [Act(b"502 5.5.1 what?\r\n"), Act(b"250 hello\r\n")]}
    with ScriptedServer(script) as server:
        connection = connect(server.settings)
        assert connection.extensions == Extensions()
        assert deliver(connection, connection.transaction("a@b.example", "c@d.example", MESSAGE)).accepted
        connection.close()
    assert [command[:4] for command in server.commands[:2]] == ["ehlo", "helo"]


def test_the_hello_name_is_the_configured_one_or_says_who_is_calling() -> None:
    with ScriptedServer() as server:
        connect({**server.settings, "hello_hostname": "client.example"}).close()
        connect(server.settings).close()
    hellos = [command for command in server.commands if command.startswith("ehlo")]
    assert hellos[0] == "ehlo client.example"
    name = hellos[1].removeprefix("ehlo ")
    assert name == "[127.0.0.1]" or "." in name


@pytest.mark.parametrize(
    ("script", "kind", "stage", "code"),
    [
        ({"greeting": Act(b"554 5.7.1 go away\r\n")}, GreetingError, Stage.CONNECT, 554),
        (
            {"greeting": Act(b"421 4.7.0 too many connections\r\n", "hang up")},
            GreetingError,
            Stage.CONNECT,
            421,
        ),
        ({"greeting": Act(b"", "hang up")}, ConnectError, Stage.CONNECT, None),
        ({"greeting": Act(b"", "be silent")}, ConnectError, Stage.CONNECT, None),
        ({"greeting": Act(b"SSH-2.0-server\r\n")}, ConnectError, Stage.CONNECT, None),
        ({"greeting": Act(b"220-x\r\n" * 4000)}, ConnectError, Stage.CONNECT, None),
        ({"ehlo": Act(b"421 4.3.2 bye\r\n", "hang up")}, GreetingError, Stage.EHLO, 421),
        ({"ehlo": Act(b"550 5.7.1 bad name\r\n")}, GreetingError, Stage.EHLO, 550),
        ({"ehlo": Act(b"", "hang up")}, ConnectError, Stage.EHLO, None),
        ({"ehlo": Act(b"", "be silent")}, ConnectError, Stage.EHLO, None),
        ({"ehlo": Act(b"250 ok\r\n250 and more\r\n")}, ConnectError, Stage.CONNECT, None),
    ],
)
def test_a_server_that_does_not_want_is_told_from_one_that_cannot(
    script: dict[str, Act], kind: type[TransportError], stage: Stage, code: int | None
) -> None:
    with ScriptedServer(script) as server, pytest.raises(kind) as caught:
        connect(server.settings, timeout=timeout_for(*script.values()))
    assert (caught.value.stage, caught.value.code) == (stage, code)
    assert caught.value.transient is (code is None or code < 500)


def test_nobody_listening_is_a_connect_error_with_the_reason() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(ConnectError, match="connection refused"):
        connect({"host": "127.0.0.1", "port": port})


def test_a_host_that_does_not_exist_is_a_connect_error() -> None:
    with pytest.raises(ConnectError, match="cannot be resolved"):
        connect({"host": "no-such-host.invalid", "port": 25})


def test_settings_that_mean_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="tls_type"):
        SmtpSettings("127.0.0.1", 25, tls_type="ssl")
    with pytest.raises(ValueError, match="auth_protocol"):
        SmtpSettings("127.0.0.1", 25, auth_protocol="xoauth2")


def test_many_messages_go_over_one_connection_and_arrive_as_they_were() -> None:
    with Sink() as sink:
        connection = connect({"host": "127.0.0.1", "port": sink.port})
        for number in range(20):
            sent = connection.transaction("news@mail.example", f"reader{number}@home.example", MESSAGE)
            assert deliver(connection, sent).accepted
            assert connection.is_quiet()
        connection.close()
    assert sink.connections == 1
    assert [received.rcpt_to for received in sink.messages] == [
        (f"reader{n}@home.example",) for n in range(20)
    ]
    assert {received.message for received in sink.messages} == {MESSAGE}


def test_an_international_address_reaches_a_server_that_can_and_is_refused_for_one_that_cannot() -> None:
    address = "žena@domácnost.example"
    with Sink() as able, Sink(smtputf8=False) as unable:
        for sink, code in ((able, 250), (unable, 553)):
            connection = connect({"host": "127.0.0.1", "port": sink.port})
            outcome = deliver(connection, connection.transaction("news@mail.example", address, MESSAGE))
            assert outcome.code == code
            assert outcome.connection_usable
            connection.close()
    assert [received.rcpt_to for received in able.messages] == [(address,)]
    assert "SMTPUTF8" in able.messages[0].parameters
    assert unable.attempts == []


def test_eight_bit_text_is_announced() -> None:
    message = "Subject: hello\r\n\r\nGrüße\r\n".encode()
    with Sink() as sink:
        connection = connect({"host": "127.0.0.1", "port": sink.port})
        assert deliver(connection, connection.transaction("a@b.example", "c@d.example", message)).accepted
        connection.close()
    assert "BODY=8BITMIME" in sink.messages[0].parameters
    assert sink.messages[0].message == message


def test_an_idle_connection_that_the_server_gave_up_is_noticed_before_it_is_used() -> None:
    with Sink() as sink:
        connection = connect({"host": "127.0.0.1", "port": sink.port})
        assert connection.is_quiet()
        sink.hang_up()
        assert wait_for(connection) == b""
        assert not connection.is_quiet()
        assert connection.closed_because
        connection.close()


def test_what_a_server_says_before_it_hangs_up_makes_the_connection_unusable() -> None:
    script = {"rset": Act(b"250 ok\r\n421 4.4.2 idle for too long\r\n", "hang up")}
    with ScriptedServer(script) as server:
        connection = connect(server.settings)
        connection.queue(b"RSET\r\n")
        assert connection.flush()
        assert select.select([connection], [], [], 10)[0]
        assert not connection.is_quiet()
        assert connection.closed_because.startswith("the server spoke unasked: ")
        connection.close()


def test_nothing_read_yet_is_told_from_nothing_more_to_come() -> None:
    with ScriptedServer() as server:
        connection = connect(server.settings)
        assert connection.receive() is None
        connection.queue(b"QUIT\r\n")
        connection.flush()
        assert wait_for(connection) == b"221 2.0.0 bye\r\n"
        assert wait_for(connection) == b""
        connection.close()


def test_closing_says_quit_between_messages_and_nothing_within_one() -> None:
    with ScriptedServer() as server:
        polite, busy = connect(server.settings), connect(server.settings)
        polite.close()
        busy.queue(b"the middle of a message")
        busy.close()
        with pytest.raises(OSError, match="descriptor"):
            busy.socket.send(b"")
    assert server.commands.count("QUIT") == 1


def test_the_last_words_of_a_server_that_hung_up_are_read_although_writing_fails() -> None:
    script = {"data": Act(b"354 go\r\n"), "body": Act(b"552 5.3.4 too big\r\n", "hang up")}
    with ScriptedServer(script) as server:
        connection = connect(server.settings)
        outcome = deliver(connection, connection.transaction("a@b.example", "c@d.example", MESSAGE * 100_000))
        connection.close()
    assert outcome.code in (552, None)
    assert not outcome.dot_sent


def test_a_slow_answer_is_waited_for() -> None:
    with Sink(rules=(SinkRule("dot", delay=0.2),)) as sink:
        connection = connect({"host": "127.0.0.1", "port": sink.port})
        assert deliver(connection, connection.transaction("a@b.example", "c@d.example", MESSAGE)).accepted
        connection.close()
