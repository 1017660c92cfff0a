"""What a sink keeps, and what the dialogues on its connections share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from postledger.sink.checks import message_id_of
from postledger.sink.rules import Behaviour, Occasions


class OpenDialogue(Protocol):
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


@dataclass
class MailTransaction:
    """What was said of a message before its data. `mail_from` is None before MAIL."""

    mail_from: str | None = None
    mail_at: float = 0.0
    parameters: str = ""
    rcpt_to: list[str] = field(default_factory=list)

    def received(
        self, message: bytes, at: float, connection: int, encrypted: bool, user: str | None
    ) -> Received:
        return Received(
            mail_at=self.mail_at,
            dot_at=at,
            mail_from=self.mail_from or "",
            rcpt_to=tuple(self.rcpt_to),
            parameters=self.parameters,
            message_id=message_id_of(message),
            size=len(message),
            message=message,
            connection=connection,
            is_encrypted=encrypted,
            user=user,
        )


class Keeper(Protocol):
    """What the dialogues of one sink share."""

    behaviour: Behaviour
    occasions: Occasions
    now: Callable[[], float]

    @property
    def open_connections(self) -> int: ...
    def opened(self, dialogue: OpenDialogue) -> int: ...
    def closed(self, dialogue: OpenDialogue) -> None: ...
    def attempted(self, at: float, mail_from: str) -> None: ...
    def keep(self, received: Received) -> None: ...
    def statistics(self) -> str: ...
