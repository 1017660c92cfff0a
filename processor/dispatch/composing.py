"""Making messages in the dispatcher's thread: whatever goes wrong is one delivery's trouble, and what goes
wrong again and again, or takes long, is its campaign's."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from time import monotonic

from domain.campaign.composition import SLOW_SECONDS, Composition
from mail.message.skeleton import Skeleton
from mail.smtp.transaction import Transaction
from mail.smtp.transport import Connection
from mail.template.render import MessageError, reason_of
from processor.planner.send import Send

log = logging.getLogger(__name__)


class Composing:
    """`give_up` is told of a campaign that is to be paused, and why; it must not block."""

    def __init__(self, give_up: Callable[[int, str], None]) -> None:
        self._give_up = give_up
        self._troubled: dict[int, Composition] = {}
        """Campaigns of which all went well are not counted, which costs nothing."""

    def transaction(
        self, send: Send, skeleton: Skeleton, connection: Connection, at: datetime
    ) -> Transaction | str:
        """That hands the message over; or why there is none, in words that quote nobody."""
        began, error = monotonic(), ""
        try:
            message = skeleton.message(send.person, at, send.id_domain)
            address = skeleton.envelope_to(send.person)
            made: Transaction | str = connection.transaction(skeleton.envelope_from, address, message)
        except Exception as raised:  # noqa: BLE001  # It ends this delivery, not the dispatcher.
            made = error = reason_of(raised)
            if not isinstance(raised, MessageError):
                log.error("%s:%s: %s", *send.key, error)
        seconds = monotonic() - began
        if error or seconds > SLOW_SECONDS or send.campaign in self._troubled:
            self._watch(send.campaign, seconds, error)
        return made

    def _watch(self, campaign: int, seconds: float, error: str) -> None:
        composition = self._troubled.setdefault(campaign, Composition())
        if reason := composition.tried(seconds, error):
            del self._troubled[campaign]
            self._give_up(campaign, reason)
