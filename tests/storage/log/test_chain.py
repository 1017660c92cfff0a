from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as some

from storage.log.chain import GENESIS, chained, microseconds, moment_of

MOMENTS = some.datetimes(min_value=datetime(1900, 1, 1), timezones=some.just(UTC))
ENTRIES = some.tuples(
    some.binary(min_size=16, max_size=16), some.integers(0, 2**31 - 1), some.text(), some.binary()
)


def plainly(previous: bytes, position: int, entry: tuple[bytes, int, str, bytes], microseconds: int) -> bytes:
    stream, version, topic, state = entry
    fields = [
        previous,
        position.to_bytes(8, "big"),
        stream,
        version.to_bytes(4, "big"),
        topic.encode(),
        microseconds.to_bytes(8, "big", signed=True),
        state,
    ]
    return sha256(b"".join(len(field).to_bytes(4, "big") + field for field in fields)).digest()


def test_the_hash_of_a_known_event_never_changes() -> None:
    stream = UUID("00000007-0003-8000-8000-00000000002a").bytes
    state = b'{"by":"processor:1","server":3,"reservation":12}'
    at = microseconds(datetime(2026, 3, 8, 7, 30, tzinfo=UTC))
    (hashed,) = chained(GENESIS, 1, at, [(stream, 1, "delivery.attempt_started", state)])
    assert hashed.hex() == "9b0e904fc71eb67c5e08a9a1ceba910e9959acf618b3acbedbd505aca3167506"


@given(some.lists(ENTRIES, max_size=5), some.integers(1, 2**62), MOMENTS)
def test_hashes_are_those_of_the_written_rule(
    entries: list[tuple[bytes, int, str, bytes]], position: int, moment: datetime
) -> None:
    at = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    expected, previous = [], GENESIS
    for n, entry in enumerate(entries):
        previous = plainly(previous, position + n, entry, at)
        expected.append(previous)

    assert chained(GENESIS, position, at, entries) == expected


@given(MOMENTS)
def test_a_time_survives_being_counted_in_microseconds(moment: datetime) -> None:
    assert moment_of(microseconds(moment)) == moment
