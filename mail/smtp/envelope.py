"""The envelope of one message for one server: the commands, or why this server cannot take it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple


class Extensions(NamedTuple):
    """What a server offered after EHLO. `size_limit` is None without SIZE, 0 for no fixed limit, else
    bytes (RFC 1870); the others are RFC 2920, 6152 and 6531."""

    pipelining: bool = False
    size_limit: int | None = None
    eight_bit: bool = False
    smtputf8: bool = False

    @classmethod
    def offered(cls, features: Mapping[str, str]) -> Extensions:
        """From EHLO keywords in lower case with their parameters."""
        size = features.get("size")
        return cls(
            pipelining="pipelining" in features,
            size_limit=None if size is None else int(size) if size.isdecimal() else 0,
            eight_bit="8bitmime" in features,
            smtputf8="smtputf8" in features,
        )


class Obstacle(NamedTuple):
    """A reply of our own, in the server's place (RFC 3463, RFC 6531 §3.5). `about` is the command that
    the server would have refused: mail, rcpt or data."""

    code: int
    text: str
    about: str


_UNSAFE_IN_ADDRESS = re.compile(r"[\x00-\x20<>\x7f\ud800-\udfff]").search
FINAL_DOT = b".\r\n"


def framed(message: bytes) -> bytes:
    """The message as it follows DATA: no line of it ends it (RFC 5321 §4.5.2), and the final dot does. Raises
    ValueError for one that does not end with CRLF, after which no dot would."""
    if not message.endswith(b"\r\n"):
        raise ValueError("the message does not end with CRLF")
    if message.startswith(b"."):
        message = b"." + message
    if b"\n." in message:
        message = message.replace(b"\n.", b"\n..")
    return message + FINAL_DOT


def commands(
    mail_from: str, rcpt_to: str, message: bytes, offered: Extensions
) -> tuple[bytes, bytes] | Obstacle:
    """MAIL and RCPT, each with CRLF and the parameters that this message needs and the server knows."""
    wants_utf8 = not (mail_from.isascii() and rcpt_to.isascii())
    is_eight_bit = not message.isascii()
    obstacle = _in_addresses(mail_from, rcpt_to, wants_utf8 and not offered.smtputf8)
    obstacle = obstacle or _in_message(len(message), is_eight_bit, offered)
    if obstacle is not None:
        return obstacle
    parameters = "" if offered.size_limit is None else f" SIZE={len(message)}"
    if is_eight_bit:
        parameters += " BODY=8BITMIME"
    if wants_utf8:
        parameters += " SMTPUTF8"
    return f"MAIL FROM:<{mail_from}>{parameters}\r\n".encode(), f"RCPT TO:<{rcpt_to}>\r\n".encode()


def _in_addresses(mail_from: str, rcpt_to: str, must_be_ascii: bool) -> Obstacle | None:
    if _UNSAFE_IN_ADDRESS(mail_from):
        return Obstacle(501, "5.1.7 the sender's address has forbidden characters", "mail")
    if not rcpt_to or _UNSAFE_IN_ADDRESS(rcpt_to):
        return Obstacle(501, "5.1.3 the recipient's address is empty or has forbidden characters", "rcpt")
    if must_be_ascii:
        about = "rcpt" if mail_from.isascii() else "mail"
        return Obstacle(553, "5.6.7 the address needs SMTPUTF8, which the server does not offer", about)
    return None


def _in_message(size: int, is_eight_bit: bool, offered: Extensions) -> Obstacle | None:
    if offered.size_limit and size > offered.size_limit:
        return Obstacle(
            552, f"5.3.4 the message has {size} bytes, the server takes {offered.size_limit}", "data"
        )
    if is_eight_bit and not offered.eight_bit:
        return Obstacle(554, "5.6.3 the message needs 8BITMIME, which the server does not offer", "data")
    return None
