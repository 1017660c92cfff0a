"""Signing in, and what must not become known by it."""

from __future__ import annotations

import logging
import traceback
from base64 import b64encode

import pytest

from domain.delivery.reply import Stage
from mail.smtp.dialogue import Dialogue
from mail.smtp.transport import connect, deliver
from mail.smtp.transport_errors import ConnectError, LoginError
from postledger.sink.rules import SinkRule
from postledger.sink.sink import Sink
from tests.smtp.scripted import Act, ScriptedServer, timeout_for

MESSAGE = b"Subject: hello\r\n\r\nA line.\r\n"
PROTOCOLS = ("plain", "login", "cram")
USER, PASSWORD = "news@mail.example", "pässword ü=/ 0"


def settings(port: int, protocol: str, username: str = USER) -> dict[str, object]:
    return {"host": "127.0.0.1", "port": port, "auth_protocol": protocol, "username": username}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_right_password_lets_a_message_through(protocol: str) -> None:
    with Sink(users={USER: PASSWORD}) as sink:
        connection = connect(settings(sink.port, protocol), PASSWORD)
        assert deliver(connection, connection.transaction("a@b.example", "c@d.example", MESSAGE)).accepted
        connection.close()
    assert sink.messages[0].user == USER


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(("user", "password"), [(USER, "wrong"), ("nobody", PASSWORD), (USER, ""), ("", "")])
def test_a_wrong_one_does_not(protocol: str, user: str, password: str) -> None:
    with Sink(users={USER: PASSWORD}) as sink, pytest.raises(LoginError) as caught:
        connect(settings(sink.port, protocol, user), password)
    assert (caught.value.stage, caught.value.code, caught.value.transient) == (Stage.AUTH, 535, False)


def test_a_long_password_waits_for_the_servers_go_ahead() -> None:
    long = "x" * 600
    dialogue = Dialogue()
    with Sink(users={USER: long}) as sink:
        connect(settings(sink.port, "plain"), long, dialogue=dialogue).close()
    assert "AUTH PLAIN" in [step.text for step in dialogue.steps]


def test_a_way_to_sign_in_that_is_not_offered_is_not_tried() -> None:
    with Sink(users={USER: PASSWORD}, mechanisms=("LOGIN",)) as sink:
        with pytest.raises(LoginError, match="does not offer AUTH PLAIN; it offers LOGIN") as caught:
            connect(settings(sink.port, "plain"), PASSWORD)
        assert caught.value.code is None
    with Sink() as open_to_all, pytest.raises(LoginError, match="it offers nothing"):
        connect(settings(open_to_all.port, "plain"), PASSWORD)


@pytest.mark.parametrize(
    ("act", "code", "transient"),
    [
        (Act(b"454 4.7.0 directory down\r\n"), 454, True),
        (Act(b"535 5.7.8 no\r\n"), 535, False),
        (Act(b"503 5.5.1 already\r\n"), 503, False),
        (Act(b"250 fine\r\n"), 250, True),
    ],
)
def test_only_235_is_a_welcome(act: Act, code: int, transient: bool) -> None:
    with (
        ScriptedServer({"auth": act}, extensions=("AUTH PLAIN",)) as server,
        pytest.raises(LoginError) as caught,
    ):
        connect({**server.settings, "auth_protocol": "plain", "username": "ann"}, "secret")
    assert (caught.value.code, caught.value.transient) == (code, transient)


def test_a_server_that_asks_for_ever_is_left() -> None:
    answers = [b64encode(answer).decode()[:4].lower() for answer in (b"ann", b"secret")]
    script = dict.fromkeys(["auth", *answers], Act(b"334 \r\n")) | {"*": Act(b"501 cancelled\r\n")}
    with (
        ScriptedServer(script, extensions=("AUTH LOGIN",)) as server,
        pytest.raises(LoginError, match="keeps asking"),
    ):
        connect({**server.settings, "auth_protocol": "login", "username": "ann"}, "secret")
    assert server.commands[-1] == "*"


@pytest.mark.parametrize(
    "act", [Act(b"334 !!!not base64!!!\r\n"), Act(b"", "hang up"), Act(b"334 \xff\xff\r\n"), Act(b"what\r\n")]
)
def test_nonsense_in_place_of_a_challenge_is_an_error_and_no_crash(act: Act) -> None:
    with (
        ScriptedServer({"auth": act}, extensions=("AUTH CRAM-MD5",)) as server,
        pytest.raises((LoginError, ConnectError)),
    ):
        connect(
            {**server.settings, "auth_protocol": "cram", "username": "ann"},
            "secret",
            timeout=timeout_for(act),
        )


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_password_is_in_no_error_no_log_and_no_dialogue(
    protocol: str, caplog: pytest.LogCaptureFixture
) -> None:
    password = "hunter2-hunter2"
    plain = b64encode(f"\0{USER}\0{password}".encode()).decode()
    encoded = b64encode(password.encode()).decode()
    tattling = SinkRule("auth", reply=f"535 5.7.8 {password} ({encoded}, {plain}) is wrong")
    dialogue = Dialogue()
    caplog.set_level(logging.DEBUG)
    with Sink(users={USER: "other"}, rules=(tattling,)) as sink, pytest.raises(LoginError) as caught:
        connect(settings(sink.port, protocol), password, dialogue=dialogue)
    everything = "".join(traceback.format_exception(caught.value)) + caught.value.text + repr(caught.value)
    everything += caplog.text + "".join(step.text for step in dialogue.steps)
    for secret in (password, encoded, plain):
        assert secret not in everything
    assert USER not in str(caught.value)
    assert "is wrong" in caught.value.text


def test_a_password_over_an_open_network_is_the_operators_choice_and_is_warned_of(
    caplog: pytest.LogCaptureFixture,
) -> None:
    exposed = {"host": "exposed.invalid", "port": 25, "auth_protocol": "plain", "username": USER}
    for _ in range(2):
        with pytest.raises(ConnectError):
            connect(exposed, PASSWORD)
    assert caplog.text.count("unencrypted") == 1
    assert PASSWORD not in caplog.text
