"""What a sink finds wrong with its client, as the replies that say so."""

from __future__ import annotations

import re

from postledger.sink.rules import Behaviour

NO_RECIPIENT = "554 5.5.1 no valid recipients"

_MESSAGE_ID = re.compile(rb"(?im)^message-id:\s*(<[^>\r\n]+>)").search


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


def message_id_of(message: bytes) -> str:
    """From its header; empty without one."""
    found = _MESSAGE_ID(message, 0, message.find(b"\r\n\r\n") + 2)
    return found.group(1).decode("ascii", "replace") if found else ""
