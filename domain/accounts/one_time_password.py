"""One-time passwords that a telephone makes from the time (TOTP, RFC 6238, with SHA-1, 6 digits, 30 s)."""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from datetime import datetime
from urllib.parse import quote

STEP = 30
DIGITS = 6
DRIFT = 1
"""Steps that a clock may be off, either way (RFC 6238, section 5.2)."""

SECRET_BYTES = 20


def new_secret() -> str:
    """160 random bits in base32 (RFC 4226, section 4)."""
    return base64.b32encode(secrets.token_bytes(SECRET_BYTES)).decode()


def is_secret(text: str) -> bool:
    try:
        return len(base64.b32decode(text)) == SECRET_BYTES
    except (binascii.Error, ValueError):
        return False


def code_at(secret: str, step: int) -> str:
    """RFC 4226, section 5.3, with the number of the time step as the counter."""
    digest = hmac.digest(base64.b32decode(secret), step.to_bytes(8, "big"), "sha1")
    offset = digest[-1] & 0x0F
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFFFFFF
    return f"{number % 10**DIGITS:0{DIGITS}}"


def step_of(secret: str, code: str, at: datetime) -> int | None:
    """The time step that the code is of; None when it is of none near `at`. Whoever accepts a code keeps
    its step and takes no code of that step or an earlier one again (RFC 6238, section 5.2)."""
    given = "".join(code.split()).encode()
    now = int(at.timestamp()) // STEP
    found = None
    for step in range(now - DRIFT, now + DRIFT + 1):
        if hmac.compare_digest(code_at(secret, step).encode(), given):
            found = step
    return found


def address(secret: str, name: str) -> str:
    """What authenticator apps open or read from a QR code."""
    return f"otpauth://totp/Postledger:{quote(name)}?secret={secret}&issuer=Postledger"
