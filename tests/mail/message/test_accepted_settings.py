"""Whatever the settings of a server may be, a message can be made with them and goes out."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import SMTP

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from domain.addresses.mailbox import Mailbox
from domain.errors import Refused
from domain.policy import SendingPolicy
from domain.server.settings import ServerSettings
from mail.message.compose import CampaignContent, Composer, MessageRecipient
from mail.smtp.settings import SmtpSettings
from mail.smtp.transport import connect, deliver
from postledger.sink.sink import Sink

AT = datetime(2026, 3, 6, tzinfo=UTC)
CAMPAIGN = CampaignContent(1, "00000001-0001-8000-8000-000000000000", "News", "News", "Hello", None)
COMPOSER = Composer(CAMPAIGN, "https://post.example.com", bytes(32))
READER = MessageRecipient(7, "c0ffee00-0000-4000-8000-000000000000", "jane@example.net", "Jane", {})
LEAST = {"name": "alpha", "host": "127.0.0.1", "port": 25, "tls_type": "none"}

parts = st.text('aZ09.-_ "\\<>()@,;:[]=?é', max_size=20)
locals_ = st.text("aZ09-_+", min_size=1, max_size=10) | parts
names = ["example.com", "Bücher.example", "my_host.example", "localhost"]
hosts = st.sampled_from(names) | st.text("aZ09-_éß.", max_size=30)
froms = (
    st.builds("{} <{}@{}>".format, parts, locals_, hosts)
    | st.builds('"{}" <{}@{}>'.format, parts, locals_, hosts)
    | st.builds("{}@{}".format, locals_, hosts)
)
hellos = hosts | st.sampled_from(["", "[127.0.0.1]", "[IPv6:::1]"]) | parts


@pytest.fixture(scope="module")
def sink() -> Iterator[Sink]:
    with Sink() as opened:
        yield opened


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)
@given(from_email=froms, hello=hellos)
@example(from_email="news@my_host.example.com", hello="")
@example(from_email="jörg@example.com", hello="")
@example(from_email='"a b"@example.com', hello="")
@example(from_email="a@[1.2.3.4", hello="")
@example(from_email='"Büro, 2. Stock" <post@bücher.example>', hello="bücher.example")
def test_what_the_settings_take_is_what_the_server_is_given(sink: Sink, from_email: str, hello: str) -> None:
    try:
        taken = ServerSettings.checked({**LEAST, "from_email": from_email, "hello_hostname": hello})
        SendingPolicy().change({"default_from": from_email}, by="test")
    except Refused:
        return
    skeleton = COMPOSER.for_server(taken.from_email)
    connection = connect(SmtpSettings.of({**taken.as_dict(), "port": sink.port}))
    with_address = connection.transaction(
        skeleton.envelope_from, skeleton.envelope_to(READER), skeleton.message(READER, AT)
    )
    assert deliver(connection, with_address).accepted
    connection.close()
    received = sink.messages[-1]
    (sender,) = message_from_bytes(received.message, policy=SMTP)["From"].addresses
    assert received.mail_from == sender.addr_spec == str(Mailbox.parse(taken.from_email).address)


@given(from_email=froms)
@example(from_email="a@[1.2.3.4")
def test_a_default_from_is_taken_exactly_when_a_server_could_have_it(from_email: str) -> None:
    assert is_taken_by_a_server(from_email) == is_taken_by_the_policy(from_email)


def is_taken_by_a_server(from_email: str) -> bool:
    try:
        ServerSettings.checked({**LEAST, "from_email": from_email})
    except Refused:
        return False
    return True


def is_taken_by_the_policy(from_email: str) -> bool:
    try:
        SendingPolicy().change({"default_from": from_email}, by="test")
    except Refused:
        return False
    return bool(from_email.strip())
