"""Encryption: asked for means had, and the certificate counts unless told otherwise."""

from __future__ import annotations

import select
import socket
import ssl
import threading
from pathlib import Path

import pytest

from domain.delivery.reply import Stage
from mail.smtp.session import tls_context
from mail.smtp.transport import connect, deliver
from mail.smtp.transport_errors import TlsError, TransportError
from postledger.sink.rules import SinkRule
from postledger.sink.sink import Sink
from tests.smtp.authority import Authority
from tests.smtp.scripted import PATIENCE, Act, ScriptedServer

MESSAGE = b"Subject: hello\r\n\r\nA line.\r\n"
KINDS = ("STARTTLS", "TLS")


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def settings(sink: Sink, tls_type: str, **more: object) -> dict[str, object]:
    return {"host": "127.0.0.1", "port": sink.port, "tls_type": tls_type, **more}


@pytest.mark.parametrize("kind", KINDS)
def test_a_message_travels_encrypted_to_a_server_whose_certificate_is_trusted(
    kind: str, authority: Authority
) -> None:
    with Sink(tls=kind, context=authority.serving("127.0.0.1")) as sink:
        connection = connect(settings(sink, kind), context=authority.trusting())
        for _ in range(3):
            assert deliver(connection, connection.transaction("a@b.example", "c@d.example", MESSAGE)).accepted
            assert connection.is_quiet()
        connection.close()
    assert [received.is_encrypted for received in sink.messages] == [True] * 3


@pytest.mark.parametrize("kind", KINDS)
def test_a_big_message_goes_out_encrypted_in_pieces(kind: str, authority: Authority) -> None:
    message = (b"x" * 76 + b"\r\n") * 60_000
    with Sink(tls=kind, context=authority.serving("127.0.0.1")) as sink:
        connection = connect(settings(sink, kind), context=authority.trusting())
        assert deliver(connection, connection.transaction("a@b.example", "c@d.example", message)).accepted
        connection.close()
    assert sink.messages[0].message == message


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fault", ["wrong name", "expired", "unknown authority"])
def test_a_certificate_that_proves_nothing_is_refused_and_no_word_is_said(
    kind: str, fault: str, authority: Authority, tmp_path: Path
) -> None:
    serving = authority.serving(
        "mail.example" if fault == "wrong name" else "127.0.0.1", expired=fault == "expired"
    )
    stranger = tmp_path / "stranger"
    stranger.mkdir()
    trusting = (
        Authority(stranger, "Another").trusting() if fault == "unknown authority" else authority.trusting()
    )
    with Sink(tls=kind, context=serving, users={"ann": "secret"}) as sink:
        with pytest.raises(TlsError, match="certificate not trusted") as caught:
            connect(settings(sink, kind, auth_protocol="plain", username="ann"), "secret", context=trusting)
        assert caught.value.stage is Stage.STARTTLS
        assert not caught.value.transient
        connect(
            settings(sink, kind, auth_protocol="plain", username="ann", tls_skip_verify=True), "secret"
        ).close()


def test_by_default_the_systems_authorities_are_trusted_and_no_others(authority: Authority) -> None:
    with Sink(tls="TLS", context=authority.serving("127.0.0.1")) as sink, pytest.raises(TlsError):
        connect(settings(sink, "TLS"))
    assert tls_context(False).verify_mode is ssl.CERT_REQUIRED
    assert tls_context(False).check_hostname
    assert tls_context(False).minimum_version >= ssl.TLSVersion.TLSv1_2


def test_starttls_that_is_not_offered_is_never_done_without(authority: Authority) -> None:
    with Sink(users={"ann": "secret"}) as sink, pytest.raises(TlsError, match="does not offer") as caught:
        connect(settings(sink, "STARTTLS", auth_protocol="plain", username="ann"), "secret")
    assert not caught.value.transient


def test_starttls_that_is_refused_for_now_may_pass(authority: Authority) -> None:
    rules = (SinkRule("starttls", reply="454 4.7.0 no entropy"),)
    with (
        Sink(tls="STARTTLS", context=authority.serving("127.0.0.1"), rules=rules) as sink,
        pytest.raises(TlsError) as caught,
    ):
        connect(settings(sink, "STARTTLS"))
    assert (caught.value.code, caught.value.transient) == (454, True)


@pytest.mark.parametrize(
    "said",
    [
        b"220 go ahead\r\n250-injected.example\r\n250 AUTH PLAIN\r\n",
        b"220 go ahead\r\n220 again\r\n",
        b"220 go ahead\r\nx",
    ],
)
def test_plain_text_behind_the_answer_to_starttls_is_an_attack(said: bytes) -> None:
    with (
        ScriptedServer({"starttls": Act(said, "be silent")}, extensions=("STARTTLS",)) as server,
        pytest.raises(TlsError, match="injected"),
    ):
        connect({**server.settings, "tls_type": "STARTTLS"}, timeout=PATIENCE)
    assert not [command for command in server.commands[2:] if command.isprintable()]


def test_plain_text_in_place_of_the_handshake_is_no_handshake() -> None:
    script = {"starttls": Act(b"220 go ahead\r\n", "hang up")}
    with ScriptedServer(script, extensions=("STARTTLS",)) as server, pytest.raises(TransportError) as caught:
        connect({**server.settings, "tls_type": "STARTTLS"}, timeout=PATIENCE)
    assert caught.value.stage is Stage.STARTTLS


def test_tls_on_a_port_that_speaks_plain_text_is_told_so() -> None:
    with ScriptedServer() as server, pytest.raises(TlsError, match="handshake failed"):
        connect({**server.settings, "tls_type": "TLS"}, timeout=PATIENCE)


def test_what_was_offered_before_encryption_is_forgotten(authority: Authority) -> None:
    with Sink(tls="STARTTLS", context=authority.serving("127.0.0.1"), users={"ann": "secret"}) as sink:
        connection = connect(
            settings(sink, "STARTTLS", auth_protocol="login", username="ann"),
            "secret",
            context=authority.trusting(),
        )
        assert deliver(connection, connection.transaction("a@b.example", "c@d.example", MESSAGE)).accepted
        connection.close()
    assert sink.messages[0].user == "ann"


@pytest.mark.parametrize("kind", KINDS)
def test_a_connection_cut_under_encryption_leaves_a_sent_dot_unknown(kind: str, authority: Authority) -> None:
    rules = (SinkRule("dot", drop=True, keeps=True),)
    with Sink(tls=kind, context=authority.serving("127.0.0.1"), rules=rules) as sink:
        connection = connect(settings(sink, kind), context=authority.trusting())
        outcome = deliver(connection, connection.transaction("a@b.example", "c@d.example", MESSAGE))
        connection.close()
    assert outcome.is_unknown
    assert len(sink.messages) == 1


def test_under_encryption_nothing_counts_as_sent_before_the_system_took_it(authority: Authority) -> None:
    """The peer stops reading: what is unsent stays known to the byte, and goes out when it reads on."""
    serving = authority.serving("127.0.0.1")
    message = (b"x" * 76 + b"\r\n") * 120_000
    may_read, got = threading.Event(), bytearray()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]

        def serve() -> None:
            plain, _ = listening.accept()
            with serving.wrap_socket(plain, server_side=True) as peer:
                peer.sendall(b"220 hi\r\n")
                peer.recv(1000)
                peer.sendall(b"250 hi\r\n")
                may_read.wait(10)
                while data := peer.recv(65_536):
                    got.extend(data)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        connection = connect(
            {"host": "127.0.0.1", "port": port, "tls_type": "TLS"}, context=authority.trusting()
        )
        connection.queue(message)
        assert not connection.flush()
        assert connection.wants_write
        assert 0 < connection.unsent < len(message)
        may_read.set()
        while not connection.flush():
            select.select([connection] if not connection.wants_write else [], [connection], [], 10)
        assert connection.unsent == 0
        connection.close()
        thread.join(10)
    assert bytes(got) == message + b"QUIT\r\n"
