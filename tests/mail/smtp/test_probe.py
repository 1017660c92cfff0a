"""Trying a server's settings: the dialogue, the error and the remedy that a person sees."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from mail.smtp.dialogue import DialogueStep
from mail.smtp.envelope import Extensions
from mail.smtp.probe import ProbeResult, probe
from postledger.sink.sink import Sink
from tests.smtp.authority import Authority
from tests.smtp.scripted import Act, ScriptedServer, timeout_for


def test_a_server_that_works_is_shown_word_for_word_without_the_password(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with Sink(tls="STARTTLS", context=authority.serving("127.0.0.1"), users={"ann": "secret"}) as sink:
        settings = {
            "host": "127.0.0.1",
            "port": sink.port,
            "tls_type": "STARTTLS",
            "hello_hostname": "client.example",
        }
        result = probe(
            {**settings, "auth_protocol": "plain", "username": "ann"}, "secret", context=authority.trusting()
        )
    assert result.ok
    assert (result.error, result.remedy, result.warnings) == ("", "", ())
    assert result.extensions == Extensions(True, 50_000_000, True, True)
    said = [step.text for step in result.steps if step.who == "client"]
    assert said == ["ehlo client.example", "STARTTLS", "ehlo client.example", "AUTH PLAIN <hidden>", "QUIT"]
    assert DialogueStep("server", "235 2.7.0 welcome") in result.steps
    assert any(step.who == "note" and "TLSv1.3" in step.text for step in result.steps)
    assert sink.messages == []


def test_probing_sends_no_mail() -> None:
    with ScriptedServer() as server:
        assert probe(server.settings).ok
    assert [command[:4].lower() for command in server.commands] == ["ehlo", "quit"]


def failed(script: dict[str, Act], **settings: object) -> ProbeResult:
    extensions = ("STARTTLS", "AUTH PLAIN LOGIN")
    with ScriptedServer(script, extensions=extensions) as server:
        return probe({**server.settings, **settings}, "secret", timeout=timeout_for(*script.values()))


@pytest.mark.parametrize(
    ("script", "settings", "error", "remedy"),
    [
        ({"greeting": Act(b"", "be silent")}, {}, "no greeting", "tls_type TLS"),
        ({"greeting": Act(b"554 5.7.1 no\r\n")}, {}, "554 5.7.1 no", "allow its address"),
        ({"greeting": Act(b"421 4.7.0 busy\r\n")}, {}, "421", "max_conns"),
        ({}, {"tls_type": "TLS"}, "handshake failed", "STARTTLS"),
        ({"auth": Act(b"535 5.7.8 no\r\n")}, {"auth_protocol": "plain"}, "535 5.7.8 no", "app password"),
        ({"auth": Act(b"454 4.7.0 no\r\n")}, {"auth_protocol": "plain"}, "454", "later"),
        ({}, {"auth_protocol": "cram"}, "does not offer AUTH CRAM-MD5", "auth_protocol"),
        ({"ehlo": Act(b"", "hang up")}, {}, "closed the connection", "operator"),
        ({"starttls": Act(b"454 4.7.0 no\r\n")}, {"tls_type": "STARTTLS"}, "454", "operator"),
        ({"ehlo": Act(b"250 bare\r\n")}, {"tls_type": "STARTTLS"}, "does not offer STARTTLS", "465"),
    ],
)
def test_each_failure_comes_with_what_to_do_about_it(
    script: dict[str, Act], settings: dict[str, object], error: str, remedy: str
) -> None:
    result = failed(script, **settings)
    assert not result.ok
    assert error in result.error
    assert remedy in result.remedy


def test_an_untrusted_certificate_is_explained(tmp_path: Path) -> None:
    with Sink(tls="TLS", context=Authority(tmp_path).serving("127.0.0.1")) as sink:
        result = probe({"host": "127.0.0.1", "port": sink.port, "tls_type": "TLS"})
    assert "certificate not trusted" in result.error
    assert "SSL_CERT_FILE" in result.remedy


def test_nobody_there_is_explained() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    result = probe({"host": "127.0.0.1", "port": port})
    assert "connection refused" in result.error
    assert "firewall" in result.remedy


def test_settings_that_work_but_endanger_the_password_are_warned_of(tmp_path: Path) -> None:
    with Sink(tls="TLS", context=Authority(tmp_path).serving("127.0.0.1")) as sink:
        trusting = probe({"host": "127.0.0.1", "port": sink.port, "tls_type": "TLS", "tls_skip_verify": True})
    assert trusting.ok
    assert "not checked" in trusting.warnings[0]
    exposed = probe({"host": "mail.invalid", "port": 25, "auth_protocol": "login"}, "secret")
    assert "unencrypted" in exposed.warnings[0]
