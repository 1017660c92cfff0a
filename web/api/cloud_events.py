"""Events of the log as CloudEvents 1.0, in their JSON format."""

from __future__ import annotations

import json
from typing import Any, Literal
from uuid import UUID

from pydantic import ConfigDict

from domain.clock import instant
from domain.streams import Kind, campaign_of, kind_of, number_of
from storage.log.feed import Recorded
from web.http.services import services
from web.http.shapes import Answer, Told

PREFIX = "org.postledger."
OF_THE_LIBRARY = frozenset({"timestamp", "originator_topic"})
"""Of events of aggregates: `time` and `type` say the same."""
SOURCE = "urn:postledger"
"""Where no public address is configured."""


class CloudEvent(Answer):
    """`id` and `position` are the event's position in the log; `subject` says what it is about, `data` what
    happened, `by` in it who did it. `stream` and `streamversion` name its place in its own stream, `hash`
    its link of the chain."""

    model_config = ConfigDict(extra="forbid")

    specversion: Literal["1.0"]
    id: str
    source: str
    type: str
    subject: str
    time: Told
    datacontenttype: Literal["application/json"]
    position: str
    stream: UUID
    streamversion: int
    hash: str
    data: dict[str, Any]


def source() -> str:
    return services().public_url or SOURCE


def cloud_event(event: Recorded, from_where: str) -> dict[str, Any]:
    """An Integer of CloudEvents has 32 bits, so a position is told as a String."""
    return {
        "specversion": "1.0",
        "id": str(event.position),
        "source": from_where,
        "type": f"{PREFIX}{event.topic}.v1",
        "subject": subject(event.stream),
        "time": instant(event.recorded_at),
        "datacontenttype": "application/json",
        "position": str(event.position),
        "stream": str(event.stream),
        "streamversion": event.version,
        "hash": event.hash.hex(),
        "data": told(json.loads(event.state)),
    }


def told(state: dict[str, Any]) -> dict[str, Any]:
    """What happened, without what the library adds for itself."""
    return {name: plain(value) for name, value in state.items() if name not in OF_THE_LIBRARY}


def plain(value: Any) -> Any:
    """Values of kinds that JSON has none for are kept with the name of their kind."""
    if isinstance(value, dict):
        if value.keys() == {"_type_", "_data_"}:
            return plain(value["_data_"])
        return {name: plain(one) for name, one in value.items()}
    return [plain(one) for one in value] if isinstance(value, list) else value


def subject(stream: UUID) -> str:
    """`campaigns/7`, `campaigns/7/audience`, `campaigns/7/test_sends`, `deliveries/30064771084`, `servers/3`,
    `servers/3/capacity`, `policy`, and for all others their kind and number."""
    kind, campaign, number = kind_of(stream), campaign_of(stream), number_of(stream)
    match kind:
        case Kind.CAMPAIGN:
            return f"campaigns/{campaign}"
        case Kind.AUDIENCE:
            return f"campaigns/{campaign}/audience"
        case Kind.SEND_TEST:
            return f"campaigns/{campaign}/test_sends"
        case Kind.DELIVERY:
            return f"deliveries/{campaign << 32 | number}"
        case Kind.CAPACITY:
            return f"servers/{number}/capacity"
        case Kind.POLICY:
            return "policy"
        case _:
            return f"{kind.name.lower()}s/{number}"
