"""What a browser keeps that somebody has signed in from: others who fail in that person's name hold it up no
more (OWASP, "Slow Down Online Guessing Attacks with Device Cookies"). It opens nothing by itself.

A token is a nonce of 16 bytes and an HMAC-SHA256 over it, the user and when the password was set, both in
URL-safe base64: with a new password all devices are unknown again.
"""

from __future__ import annotations

import hmac
import re
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from datetime import datetime

_WELL_FORMED = re.compile(r"([A-Za-z0-9_-]{22})\.([A-Za-z0-9_-]{43})")


def token(key: bytes, user: int, password_set: datetime, nonce: bytes) -> str:
    text = _text(nonce)
    return f"{text}.{_mac(key, user, password_set, text)}"


def device(keys: Sequence[bytes], user: int, password_set: datetime, token: str) -> str | None:
    """The name of the device, or None when it is not one that `user` has signed in from."""
    found = _WELL_FORMED.fullmatch(token)
    if found is None:
        return None
    is_known = [hmac.compare_digest(found[2], _mac(key, user, password_set, found[1])) for key in keys]
    return found[1] if any(is_known) else None


def _mac(key: bytes, user: int, password_set: datetime, nonce: str) -> str:
    return _text(hmac.digest(key, f"{user} {password_set.timestamp()} {nonce}".encode(), "sha256"))


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()
