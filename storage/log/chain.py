"""The hash chain: each event's hash covers the event, its position and the hash of the event before.

    hash = SHA-256(previous hash, position, stream, version, topic, recorded_at, state)

Before each field stands its length, 4 bytes big-endian. Position is 8 bytes, stream 16, version 4,
recorded_at 8 (microseconds since the epoch), all big-endian and signed but for the stream; topic is
UTF-8, state as it is stored. The hash before the first event is 32 zero bytes.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from struct import Struct

GENESIS = bytes(32)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

_pack_position = Struct(">32sIqI16sIi").pack
_pack_moment = Struct(">Iq").pack
_pack_length = Struct(">I").pack
_LENGTH_OF_HASH = _pack_length(32)


def microseconds(moment: datetime) -> int:
    """Since the epoch. Raises TypeError for a datetime without a time zone."""
    return (moment - _EPOCH) // _MICROSECOND


def moment_of(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)


def chained(
    previous: bytes, position: int, recorded_at: int, events: Iterable[tuple[bytes, int, str, bytes]]
) -> list[bytes]:
    """The hashes of events (stream, version, topic, state) that lie one after the other from `position`
    on and were recorded at the same time (microseconds since the epoch)."""
    moment = _pack_moment(8, recorded_at)
    hashes = []
    for stream, version, topic, state in events:
        previous = sha256(
            b"%b%b%b%b%b%b"
            % (
                _LENGTH_OF_HASH,
                _pack_position(previous, 8, position, 16, stream, 4, version),
                _prefixed(topic),
                moment,
                _pack_length(len(state)),
                state,
            )
        ).digest()
        hashes.append(previous)
        position += 1
    return hashes


@lru_cache(maxsize=1024)
def _prefixed(topic: str) -> bytes:
    encoded = topic.encode()
    return _pack_length(len(encoded)) + encoded
