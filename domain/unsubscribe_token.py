"""The opaque name of a delivery in unsubscribe links.

A token is 24 bytes in URL-safe base64: a MAC of 16 and the two numbers, masked. The MAC is computed over
the numbers and the mask from the MAC (as in RFC 5297), so a token is the same each time, whoever makes it,
and tells neither who it is for nor how many others there are. HMAC-SHA256 throughout (RFC 2104).
"""

from __future__ import annotations

import binascii
import re
from base64 import urlsafe_b64decode
from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256
from hmac import compare_digest
from struct import Struct
from typing import Any

LENGTH = 32
SHORTEST_KEY = 16

_MAC_LENGTH = 16
_MAC = b"postledger unsubscribe mac"
_MASK = b"postledger unsubscribe mask"
_BLOCK = 64
_INNER = bytes(byte ^ 0x36 for byte in range(256))
_OUTER = bytes(byte ^ 0x5C for byte in range(256))
_numbers = Struct(">II")
_well_formed = re.compile(f"[A-Za-z0-9_-]{{{LENGTH}}}").fullmatch
_URL_SAFE = bytes.maketrans(b"+/", b"-_")


def token(key: bytes, campaign: int, recipient: int) -> str:
    """Raises ValueError for a key of less than 16 bytes, struct.error for numbers beyond 32 bits."""
    if len(key) < SHORTEST_KEY:
        raise ValueError(f"a key of unsubscribe tokens has at least {SHORTEST_KEY} bytes")
    plain = _numbers.pack(campaign, recipient)
    mac = _hmac(key, _MAC + plain)[:_MAC_LENGTH]
    encoded = binascii.b2a_base64(mac + _masked(key, mac, plain), newline=False)
    return encoded.translate(_URL_SAFE).decode("ascii")


def read(keys: Sequence[bytes], token: str) -> tuple[int, int] | None:
    """(campaign, recipient), or None when no key made this token. `keys` are those in force, newest first;
    all are tried whichever fits, so the time taken does not tell which."""
    if not _well_formed(token):
        return None
    raw = urlsafe_b64decode(token)
    mac, masked = raw[:_MAC_LENGTH], raw[_MAC_LENGTH:]
    found = None
    for key in keys:
        plain = _masked(key, mac, masked)
        if compare_digest(mac, _hmac(key, _MAC + plain)[:_MAC_LENGTH]):
            found = plain
    if found is None:
        return None
    campaign, recipient = _numbers.unpack(found)
    return campaign, recipient


def _masked(key: bytes, mac: bytes, numbers: bytes) -> bytes:
    mask = _hmac(key, _MASK + mac)[: len(numbers)]
    return (int.from_bytes(numbers, "big") ^ int.from_bytes(mask, "big")).to_bytes(len(numbers), "big")


def _hmac(key: bytes, text: bytes) -> bytes:
    """HMAC-SHA256 with the half that depends on the key alone kept. `hmac.digest` takes three times as long
    and gives other threads the interpreter's lock, twice for each e-mail."""
    keyed = _keyed(key)
    inner, outer = keyed[0].copy(), keyed[1].copy()
    inner.update(text)
    outer.update(inner.digest())
    return bytes(outer.digest())


@lru_cache(maxsize=16)
def _keyed(key: bytes) -> tuple[Any, Any]:
    """RFC 2104, section 4."""
    if len(key) > _BLOCK:
        key = sha256(key).digest()
    key = key.ljust(_BLOCK, b"\0")
    return sha256(key.translate(_INNER)), sha256(key.translate(_OUTER))
