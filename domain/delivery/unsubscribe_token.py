"""The opaque name of a delivery in unsubscribe links.

A token is 24 bytes in URL-safe base64: a MAC of 16 and the two numbers, masked. The MAC is computed over
the numbers and the mask from the MAC (as in RFC 5297), so a token is the same each time, whoever makes it,
and tells neither who it is for nor how many others there are. Both are keyed BLAKE2b (RFC 7693, section 2.9),
whose two uses are told apart by its personalisation: a third of HMAC's time, and one is made for each e-mail.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode
from binascii import b2a_base64
from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from hmac import compare_digest
from struct import Struct
from typing import Any

LENGTH = 32
SHORTEST_KEY = 16

_MAC_LENGTH = 16
_numbers = Struct(">II")
_numbers_as_one = Struct(">Q")
_well_formed = re.compile(f"[A-Za-z0-9_-]{{{LENGTH}}}").fullmatch
_URL_SAFE = bytes.maketrans(b"+/", b"-_")


def token(key: bytes, campaign: int, recipient: int) -> str:
    """Raises ValueError for a key of less than 16 bytes, struct.error for numbers beyond 32 bits."""
    mac_of, mask_of = _keyed(key)
    mac_of, mask_of = mac_of.copy(), mask_of.copy()
    mac_of.update(_numbers.pack(campaign, recipient))
    mac = mac_of.digest()
    mask_of.update(mac)
    (mask,) = _numbers_as_one.unpack(mask_of.digest())
    masked = _numbers_as_one.pack((campaign << 32 | recipient) ^ mask)
    return b2a_base64(mac + masked, newline=False).translate(_URL_SAFE).decode("ascii")


def read(keys: Sequence[bytes], token: str) -> tuple[int, int] | None:
    """(campaign, recipient), or None when no key made this token. `keys` are those in force, newest first;
    all are tried whichever fits, so the time taken does not tell which."""
    if not _well_formed(token):
        return None
    raw = urlsafe_b64decode(token)
    mac, (masked,) = raw[:_MAC_LENGTH], _numbers_as_one.unpack(raw[_MAC_LENGTH:])
    found = None
    for key in keys:
        mac_of, mask_of = (keyed.copy() for keyed in _keyed(key))
        mask_of.update(mac)
        plain = _numbers_as_one.pack(masked ^ _numbers_as_one.unpack(mask_of.digest())[0])
        mac_of.update(plain)
        if compare_digest(mac, mac_of.digest()):
            found = plain
    if found is None:
        return None
    campaign, recipient = _numbers.unpack(found)
    return campaign, recipient


@lru_cache(maxsize=16)
def _keyed(key: bytes) -> tuple[Any, Any]:
    """What the MAC and the mask begin with, to be copied."""
    if len(key) < SHORTEST_KEY:
        raise ValueError(f"a key of unsubscribe tokens has at least {SHORTEST_KEY} bytes")
    if len(key) > blake2b.MAX_KEY_SIZE:
        key = blake2b(key).digest()
    return (
        blake2b(key=key, digest_size=_MAC_LENGTH, person=b"unsubscribe mac"),
        blake2b(key=key, digest_size=_numbers.size, person=b"unsubscribe mask"),
    )
