"""What planning and dispatching exchange: sends one way, remaining capacity the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from mail.message.compose import MessageRecipient


class Send(NamedTuple):
    """`version` is that of the delivery's last event; `remaining` the server's capacity when chosen;
    `attempts` those that counted so far; `first_failed_at` epoch seconds or None; `not_mailable` why the
    person must not be mailed, as the directory said when it was read for this; `read_at` is when that was,
    as the send permissions count; `id_domain` the Message-ID's domain that the first attempt has given it,
    None before that; `listed_as` the number that the directory has for the person where `recipient` is
    that of a message, 0 for an address that nobody has; `interruptions` how many of its attempts were
    interrupted; `provoked` how often servers refused it because of themselves once they knew whom it was
    for."""

    campaign: int
    recipient: int
    version: int
    attempts: int
    first_failed_at: float | None
    server: int
    remaining: int | None
    person: MessageRecipient
    not_mailable: str | None = None
    id_domain: str | None = None
    read_at: int = 0
    listed_as: int | None = None
    interruptions: int = 0
    provoked: int = 0

    @property
    def key(self) -> tuple[int, int]:
        return (self.campaign, self.recipient)

    @property
    def person_number(self) -> int:
        return self.recipient if self.listed_as is None else self.listed_as


@dataclass(frozen=True, slots=True)
class PoolCapacity:
    """How many more sends a connection pool takes, and how many planned deliveries it has."""

    free: int
    planned: int = 0
