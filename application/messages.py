"""What the pages can ask of the part that makes and sends messages; whoever puts the application together
hands it in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

from domain.campaign.transactional import Particulars
from web.http.errors import Refusal
from web.http.services import services


class Draft(NamedTuple):
    """A campaign as far as it is written. `number` is 0 before there is one; `text` or `html` may be None."""

    number: int
    name: str
    subject: str
    text: str | None
    html: str | None
    headers: Sequence[tuple[str, str]]
    lists: Sequence[int]
    attributes: Mapping[str, Any] = MappingProxyType({})
    transactional: bool = False


class Shown(NamedTuple):
    """A message as its recipient would see it."""

    sender: str
    to: str
    subject: str
    text: str | None
    html: str | None


class Trial(NamedTuple):
    """What became of one test e-mail. `outcome` is accepted, refused, unknown, or `not sent`, when nothing
    was given to a server; `detail` is its reply, or why not."""

    address: str
    outcome: str
    detail: str
    server: str = ""


class Reader(NamedTuple):
    """Of a transactional message, as its templates see them."""

    uuid: str
    email: str
    name: str
    attributes: Mapping[str, Any]


class UnmakeableError(ValueError):
    """No message can be made of it; the text says where and why."""


class Messages(Protocol):
    def problems(self, draft: Draft) -> list[str]:
        """What is wrong with its templates, tried with some people of its lists. Empty when nothing is."""

    def transactional_problems(
        self, draft: Draft, particulars: Particulars, readers: Sequence[Reader]
    ) -> list[str]:
        """Why messages to these people cannot be made, each reason once. Empty when all can."""

    def preview(self, draft: Draft, recipient: int | None, from_email: str) -> Shown:
        """For somebody on its lists when `recipient` is None. Raises UnmakeableError."""

    def send_test(
        self,
        draft: Draft,
        addresses: Sequence[str],
        server: int | None,
        *,
        like: int | None = None,
        by: str,
    ) -> list[Trial]:
        """Sends at once, whatever the hours, within the limits of the servers, and puts it on record.
        `server` is the only one to use, None for the one with the most remaining; `like` is the recipient
        whose name and attributes stand in for those of addresses that nobody has."""


def messages() -> Messages:
    """Raises Refusal 503 where there is no such part."""
    found = services().messages
    if found is None:
        raise Refusal(503, "Messages cannot be made from here.")
    return found
