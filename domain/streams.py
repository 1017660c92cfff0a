"""Names of streams: numbers packed into UUIDs, so that no stream needs a lookup.

Layout of the 16 bytes (version 8 and variant as in RFC 9562, section 5.8):

    0-3 campaign   4-5 kind   6 version (0x80)   7 zero   8 variant (0x80)   9-11 zero   12-15 number

`campaign` is 0 where no campaign is meant; `number` is the recipient of a delivery, the
number of a server, and 0 elsewhere. Deliveries of one campaign lie side by side in an index.
"""

from __future__ import annotations

from enum import IntEnum
from struct import Struct
from uuid import UUID

_VERSION_AND_VARIANT = (0x8000 << 64) | (0x80 << 56)
_LARGEST = 0xFFFFFFFF

LARGEST_NUMBER = 2**31 - 1
"""Of a campaign, a recipient, a server and whatever else is numbered: as far as a column of ours goes."""


class Kind(IntEnum):
    CAMPAIGN = 1
    AUDIENCE = 2
    DELIVERY = 3
    SERVER = 4
    CAPACITY = 5
    POLICY = 6
    USER = 7
    KEY = 8
    TEMPLATE = 9
    PERSON = 10
    LIST = 11
    ESTIMATE = 12
    SEND_TEST = 13


def _pack(kind: Kind, campaign: int = 0, number: int = 0) -> UUID:
    if not (0 <= campaign <= _LARGEST and 0 <= number <= _LARGEST):
        raise ValueError(f"stream numbers go from 0 to {_LARGEST}: {campaign}, {number}")
    return UUID(int=(campaign << 96) | (kind << 80) | _VERSION_AND_VARIANT | number)


def campaign_stream(campaign: int) -> UUID:
    return _pack(Kind.CAMPAIGN, campaign)


def audience_stream(campaign: int) -> UUID:
    return _pack(Kind.AUDIENCE, campaign)


def delivery_stream(campaign: int, recipient: int) -> UUID:
    return _pack(Kind.DELIVERY, campaign, recipient)


def delivery_stream_bytes(campaign: int, recipient: int) -> bytes:
    """The bytes of `delivery_stream`, for who has one to name for each e-mail. Raises struct.error for
    numbers beyond 32 bits."""
    return _pack_delivery(campaign, Kind.DELIVERY, 0x8000, 0x80 << 24, recipient)


_pack_delivery = Struct(">IHHII").pack


def estimate_stream(campaign: int) -> UUID:
    return _pack(Kind.ESTIMATE, campaign)


def send_test_stream(campaign: int) -> UUID:
    return _pack(Kind.SEND_TEST, campaign)


def server_stream(server: int) -> UUID:
    return _pack(Kind.SERVER, number=server)


def capacity_stream(server: int) -> UUID:
    return _pack(Kind.CAPACITY, number=server)


def template_stream(template: int) -> UUID:
    return _pack(Kind.TEMPLATE, number=template)


def person_stream(recipient: int) -> UUID:
    """0 is for what was done with many people at once."""
    return _pack(Kind.PERSON, number=recipient)


def list_stream(number: int) -> UUID:
    return _pack(Kind.LIST, number=number)


def policy_stream() -> UUID:
    return _pack(Kind.POLICY)


def user_stream(user: int) -> UUID:
    """0 is for what is asked of all."""
    return _pack(Kind.USER, number=user)


def key_stream(key: int) -> UUID:
    return _pack(Kind.KEY, number=key)


def kind_of(stream: UUID) -> Kind:
    """Raises ValueError for a UUID that is no stream of ours."""
    return Kind((stream.int >> 80) & 0xFFFF)


def campaign_of(stream: UUID) -> int:
    return stream.int >> 96


def number_of(stream: UUID) -> int:
    """The recipient of a delivery stream, the server of a server or capacity stream."""
    return stream.int & _LARGEST
