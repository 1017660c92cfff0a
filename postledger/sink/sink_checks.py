"""What a sink finds wrong with its client, as the replies that say so."""

from __future__ import annotations

import hmac
from collections.abc import Mapping

from postledger.sink.sink_rules import Behaviour

CHALLENGE = b"<1896.697170952@sink.invalid>"
NO_RECIPIENT = "554 5.5.1 no valid recipients"


def fault_of_parameters(parameters: str, behaviour: Behaviour) -> str | None:
    """Of MAIL: only what was offered may be used (RFC 5321 §4.1.1.11)."""
    for parameter in parameters.upper().split():
        name, _, value = parameter.partition("=")
        if name == "SIZE" and behaviour.size_limit is not None and value.isdecimal():
            if int(value) > behaviour.size_limit:
                return "552 5.3.4 message too big"
        elif not (
            (parameter == "BODY=8BITMIME" and behaviour.eight_bit)
            or (parameter == "SMTPUTF8" and behaviour.smtputf8)
        ):
            return "555 5.5.4 unknown parameter"
    return None


def fault_of_address(address: str, parameters: str) -> str | None:
    if address.isascii() or "SMTPUTF8" in parameters:
        return None
    return "553 5.6.7 not without SMTPUTF8"


def fault_of_message(message: bytes, parameters: str, behaviour: Behaviour) -> str | None:
    if behaviour.size_limit is not None and len(message) > behaviour.size_limit:
        return "552 5.3.4 message too big"
    ends = message.count(b"\r\n")
    if message.count(b"\n") != ends or message.count(b"\r") != ends:
        return "550 5.6.11 bare CR or LF"
    if not message.isascii() and "BODY=8BITMIME" not in parameters:
        return "554 5.6.3 8-bit data without BODY=8BITMIME"
    return None


def signed_in(mechanism: str, answers: list[str], users: Mapping[str, str]) -> str | None:
    """The user who these answers to AUTH's challenges prove to be; None when they prove nothing."""
    if mechanism == "CRAM-MD5":
        user, _, digest = answers[0].rpartition(" ")
        expected = hmac.new(users.get(user, "").encode(), CHALLENGE, "md5").hexdigest()
        return user if user in users and digest == expected else None
    parts = answers if mechanism == "LOGIN" else answers[0].split("\0")[1:]
    if len(parts) != 2 or parts[0] not in users:
        return None
    return parts[0] if users[parts[0]] == parts[1] else None
