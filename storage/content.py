"""Texts by their SHA-256: the log names the hash, so it proves which text a campaign had."""

from __future__ import annotations

from collections.abc import Collection
from hashlib import sha256
from typing import Any

LARGEST_TEXT = 1_000_000
"""Bytes in UTF-8 of one subject, body or header text."""


class TextTooLarge(ValueError):
    def __init__(self, size: int) -> None:
        super().__init__(f"a text has at most {LARGEST_TEXT:,} bytes; this one has {size:,}")


class TextNotKept(LookupError):
    def __init__(self, hashes: Collection[str]) -> None:
        super().__init__(f"no text is kept under {', '.join(sorted(hashes))}")


def keep(cursor: Any, text: str) -> str:
    """The SHA-256 of the text in UTF-8, as 64 hex digits. The same text is kept once.

    Raises TextTooLarge, and ValueError for text that has no UTF-8 (a lone surrogate)."""
    body = text.encode()
    if len(body) > LARGEST_TEXT:
        raise TextTooLarge(len(body))
    digest = sha256(body)
    cursor.execute(
        "INSERT INTO public.content (hash, body) VALUES (%s, %s) ON CONFLICT (hash) DO NOTHING",
        (digest.digest(), body),
    )
    return digest.hexdigest()


def text_of(cursor: Any, hash: str) -> str:
    """Raises TextNotKept."""
    return texts_of(cursor, [hash])[hash]


def texts_of(cursor: Any, hashes: Collection[str]) -> dict[str, str]:
    """Several at once, by hash. Raises TextNotKept when any is missing."""
    cursor.execute(
        "SELECT encode(hash, 'hex'), body FROM public.content"
        " WHERE hash IN (SELECT decode(h, 'hex') FROM unnest(%s::text[]) AS h)",
        (list(hashes),),
    )
    found = {hash: bytes(body).decode() for hash, body in cursor.fetchall()}
    if missing := set(hashes) - found.keys():
        raise TextNotKept(missing)
    return found
