"""What a sink keeps, and what the dialogues on its connections share."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from postledger.sink.sink_rules import Behaviour, Occasions


class Client(Protocol):
    """On a connection that is open."""

    def hang_up(self) -> None: ...


class Received(NamedTuple):
    """A message that the sink kept. Times are seconds since the epoch: of MAIL FROM and of the final dot.
    `parameters` are those of MAIL; `message` is as it was before dot-stuffing, empty when not remembered."""

    mail_at: float
    dot_at: float
    mail_from: str
    rcpt_to: tuple[str, ...]
    parameters: str
    message_id: str
    size: int
    message: bytes
    connection: int
    is_encrypted: bool
    user: str | None

    @property
    def delivery(self) -> str:
        """What stays the same when one delivery is sent again, through whichever server: the recipients and
        the Message-ID without its domain."""
        return f"{self.message_id.strip('<>').partition('@')[0]} {' '.join(self.rcpt_to)}"


class Keeper(Protocol):
    """What the dialogues of one sink share."""

    behaviour: Behaviour
    occasions: Occasions
    now: Callable[[], float]

    @property
    def open_connections(self) -> int: ...
    def opened(self, client: Client) -> int: ...
    def closed(self, client: Client) -> None: ...
    def attempted(self, at: float, mail_from: str) -> None: ...
    def keep(self, received: Received) -> None: ...
    def statistics(self) -> str: ...
