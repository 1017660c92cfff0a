"""SMTP replies as they come over the wire (RFC 5321 §4.2)."""

from __future__ import annotations

MAX_REPLY_BYTES = 16_384
MAX_REPLY_LINES = 128
MAX_TEXT = 1_000

_SEPARATORS = (b" ", b"-", b"")


class ReplyError(Exception):
    """What the server sent is no SMTP reply, or is longer than any reply has a reason to be."""


def take_reply(unread: bytes) -> tuple[int, list[bytes], bytes] | None:
    """The first whole reply in `unread`: its code, its lines without code, and what is left after it.

    None while the reply is incomplete. A reply may have several lines, all with one code; a line may
    end in a bare LF and may lack text (§4.2: a receiver should accept that).
    Raises ReplyError.
    """
    lines: list[bytes] = []
    code, start = b"", 0
    while (end := unread.find(b"\n", start)) >= 0:
        line = unread[start:end].removesuffix(b"\r")
        start = end + 1
        if start > MAX_REPLY_BYTES or len(lines) >= MAX_REPLY_LINES:
            raise ReplyError("the reply is too long")
        if not _well_formed(line) or (lines and line[:3] != code):
            raise ReplyError("not an SMTP reply")
        code = line[:3]
        lines.append(line[4:])
        if line[3:4] != b"-":
            return int(code), lines, unread[start:]
    if len(unread) > MAX_REPLY_BYTES:
        raise ReplyError("the reply is too long")
    return None


def _well_formed(line: bytes) -> bool:
    code = line[:3]
    return len(code) == 3 and code.isdigit() and b"200" <= code <= b"599" and line[3:4] in _SEPARATORS


def text_of(lines: list[bytes]) -> str:
    """The words of a reply on one line, at most MAX_TEXT characters; undecodable bytes are replaced."""
    return b" ".join(line.strip() for line in lines).decode("utf-8", "replace")[:MAX_TEXT]
