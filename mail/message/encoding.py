"""Texts as bytes that any mail server passes on unchanged.

Everything is 7-bit with lines of at most 998 bytes, so that 8BITMIME never matters. The one exception is an
address with a part before the @ that is not ASCII: it has no other form (RFC 6532).
"""

from __future__ import annotations

import re
import struct
from binascii import b2a_base64, b2a_qp
from collections.abc import Iterable
from functools import lru_cache

from domain.addresses.mailbox import Mailbox

LONGEST_LINE = 998
PREFERRED_LINE = 78
"""RFC 5322, section 2.1.1; both without the CRLF."""

FOLD = "\r\n "
_BYTES_A_WORD = 45
_OVERHEAD_OF_WORD = len("=?utf-8?b??=")
_LONGEST_WORD_LINE = 76  # RFC 2047, section 2
_LONGEST_PLAIN_NAME = 60
_BASE64_LINE = 76
_MOST_LINES_AT_ONCE = 300

_controls = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_atoms = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*").fullmatch
_break = re.compile("(?<=[^ ]) (?=[^ ])")


def one_line(value: str) -> str:
    """A header value without CR, LF, NUL and other control characters: each run becomes a space."""
    if value.isprintable():
        return value.strip(" ")
    return _controls.sub(" ", value).strip(" ")


def field(name: str, value: str) -> str:
    """An unstructured header field, folded where it has spaces, with its CRLF. RFC 2047 words when it is not
    ASCII, looks like such words, or has no place to fold it."""
    value = one_line(value)
    if value.isascii() and "=?" not in value:
        if len(name) + len(value) <= PREFERRED_LINE - 2:
            return f"{name}: {value}\r\n"
        lines = _folded(f"{name}: ", value)
        if max(map(len, lines)) <= LONGEST_LINE:
            return "\r\n".join(lines) + "\r\n"
    return f"{name}: {_words(value, len(name) + 2)}\r\n"


def mailbox_field(name: str, display_name: str, address: str) -> str:
    """A header field with one mailbox (RFC 5322, section 3.4). `address` is as it is on the wire."""
    return f"{name}: {_mailbox(display_name, address, len(name) + 2)}\r\n"


def mailboxes_field(name: str, mailboxes: Iterable[Mailbox]) -> str:
    """A header field with a list of them, one a line."""
    used = len(name) + 2
    return (
        f"{name}: {f',{FOLD}'.join(_mailbox(one.display, str(one.address), used) for one in mailboxes)}\r\n"
    )


def _mailbox(display_name: str, address: str, used: int) -> str:
    """`used` columns of its first line are taken."""
    display_name = one_line(display_name)
    if not display_name:
        return address
    if not display_name.isascii() or len(display_name) > _LONGEST_PLAIN_NAME or "=?" in display_name:
        phrase = _words(display_name, used)
    elif _atoms(display_name):
        phrase = display_name
    else:
        escaped = display_name.replace("\\", "\\\\").replace('"', '\\"')
        phrase = f'"{escaped}"'
    last_line = len(phrase) - phrase.rfind("\n") + used + len(address) + 3
    fold = "\r\n" if last_line > PREFERRED_LINE else ""
    return f"{phrase}{fold} <{address}>"


def _folded(start: str, value: str) -> list[str]:
    lines = []
    line = start
    for word in _break.split(value):
        if len(line) + len(word) > PREFERRED_LINE and line != start:
            lines.append(line[:-1])
            line = " "
        line += word + " "
    return [*lines, line[:-1]]


def _words(text: str, used: int) -> str:
    """Encoded words (RFC 2047), whole characters in each; `used` columns of the first line are taken."""
    raw = text.encode("utf-8", "replace")
    room = (_LONGEST_WORD_LINE - used - _OVERHEAD_OF_WORD) // 4 * 3
    words = []
    start = 0
    size = max(min(room, _BYTES_A_WORD), 6)
    while start < len(raw):
        end = start + size
        while end < len(raw) and raw[end] & 0xC0 == 0x80:
            end -= 1
        words.append(f"=?utf-8?b?{b2a_base64(raw[start:end], newline=False).decode('ascii')}?=")
        start = end
        size = _BYTES_A_WORD
    return "\r\n ".join(words)


def body(text: str, boundary: str) -> tuple[str, bytes]:
    """(Content-Transfer-Encoding, content). The content ends with CRLF and never holds the boundary.

    ASCII goes as it is where its lines allow. Else quoted-printable, which leaves a text readable, while few
    characters need it; base64, shorter and faster then, when many do."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not text.endswith("\n"):
        text += "\n"
    if text.isascii():
        if "\0" not in text and _lines_fit(text) and boundary not in text:
            return "7bit", text.replace("\n", "\r\n").encode("ascii")
        return "quoted-printable", b2a_qp(text.replace("\n", "\r\n").encode("ascii"), istext=True)
    text = text.replace("\n", "\r\n")
    raw = text.encode("utf-8", "replace")
    if (len(raw) - len(text)) * 8 < len(raw):
        return "quoted-printable", b2a_qp(raw, istext=True)
    return "base64", _base64(raw)


def _lines_fit(text: str) -> bool:
    """Hops from one line end to the last one in reach, which looks at few characters."""
    start, length = 0, len(text)
    while length - start > LONGEST_LINE:
        end = text.rfind("\n", start, start + LONGEST_LINE + 1)
        if end < 0:
            return False
        start = end + 1
    return True


def _base64(raw: bytes) -> bytes:
    encoded = b2a_base64(raw, newline=False)
    full, rest = divmod(len(encoded), _BASE64_LINE)
    if full <= _MOST_LINES_AT_ONCE:
        lines = _lines(full).unpack_from(encoded)
    else:
        lines = tuple(encoded[at : at + _BASE64_LINE] for at in range(0, full * _BASE64_LINE, _BASE64_LINE))
    return b"\r\n".join((*lines, encoded[-rest:], b"") if rest else (*lines, b""))


@lru_cache(maxsize=_MOST_LINES_AT_ONCE)
def _lines(count: int) -> struct.Struct:
    """Cuts in a third of the time that slicing takes."""
    return struct.Struct(f"{_BASE64_LINE}s" * count)
