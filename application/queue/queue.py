"""Stepping into the queue: one e-mail, or all that match, cancelled, tried again or sent now; and pausing it.

Nothing is ever taken out of the log: each step is an event in the delivery's stream, with its actor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic

from application import permission
from application.installation import Installation
from application.queue.deliveries import Deliveries, DescribedDelivery, progress_of
from domain.campaign.state import State
from domain.delivery.delivery import Status
from domain.delivery.stepping_in import FACT_OF, Action, hindrance, is_possible_while, possible_in
from domain.errors import Outrun, Refused
from domain.fact import Fact
from domain.streams import delivery_stream
from projections.queue.items import Item, WantedItems, items
from storage.log.append import Conflict

REASON = "asked for"
CHUNK = 500
MOST_AT_ONCE = 5000
"""How many one request steps into; the rest takes another one."""

SECONDS = 8.0


@dataclass(frozen=True)
class SteppedInto:
    """What became of a request about all that match: `left` match still."""

    changed: int
    left: int


class Queue:
    """Every command names who gives it (`by`). Raises Refused when the state forbids it, Missing, Behind."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._deliveries = Deliveries(installation)

    def step_in(self, action: Action, number: int, *, by: str, reason: str = REASON) -> DescribedDelivery:
        """The delivery as it is then. One that is sent now waits for no other try any more, and what was
        counted against it is forgotten. Raises Outrun when it changed at the same moment."""
        if not self.step_into(action, [number], by=by, reason=reason).changed:
            raise Outrun("It changed just now. Reload the page, then try again.")
        return self._deliveries.one(number)

    def step_into(
        self, action: Action, numbers: Sequence[int], *, by: str, reason: str = REASON
    ) -> SteppedInto:
        """None when one of them must not be, else all but those that change at the same moment."""
        found = [self._deliveries.one(number) for number in numbers]
        for one in found:
            if why_not := self.hindrance(action, one):
                raise Refused(
                    f"{one.item.campaign}/{one.item.recipient}: {why_not}" if found[1:] else why_not
                )
        changed = self.append(action, [one.item for one in found], by=by, reason=reason)
        return SteppedInto(changed, len(found) - changed)

    def hindrance(self, action: Action, one: DescribedDelivery) -> str:
        """Why this cannot be done with it; empty when it can."""
        now = self._installation.clock.now()
        return hindrance(action, one.status, one.campaign.state, one.item.due, now)

    def matching(self, action: Action, wanted: WantedItems) -> WantedItems | None:
        """Of what is wanted, that with which this can be done; None when there can be nothing."""
        possible = {status.number for status in possible_in(action)}
        chosen = possible & set(wanted.statuses) if wanted.statuses else possible
        if not chosen:
            return None
        due_after = self._installation.clock.now() if action == "send_now" else None
        in_cancelled = is_possible_while(action, State.CANCELLED)
        return wanted._replace(statuses=sorted(chosen), in_cancelled=in_cancelled, due_after=due_after)

    def how_many(self, action: Action, wanted: WantedItems) -> int:
        found = self.matching(action, wanted)
        if found is None:
            return 0
        self._installation.catch_up()
        with self._installation.reading() as cursor:
            return items(cursor, found, 0, 1)[1]

    def step_into_all(
        self, action: Action, wanted: WantedItems, *, by: str, reason: str = REASON
    ) -> SteppedInto:
        """At most MOST_AT_ONCE, in appends of CHUNK. What changes at the same moment is left alone."""
        found = self.matching(action, wanted)
        changed, skipped, started = 0, 0, monotonic()
        while found is not None:
            self._installation.catch_up()
            with self._installation.reading() as cursor:
                page, left = items(cursor, found, skipped, max(1, min(CHUNK, MOST_AT_ONCE - changed)))
            if not page or changed >= MOST_AT_ONCE or monotonic() - started > SECONDS:
                return SteppedInto(changed, left)
            done = self.append(action, page, by=by, reason=reason)
            changed += done
            skipped += len(page) - done
        return SteppedInto(changed, 0)

    def retry_campaign(self, campaign: int, statuses: Sequence[str], *, by: str) -> SteppedInto:
        """All of a campaign that are in one of the states, however many. Raises Refused when it is
        cancelled."""
        with self._installation.reading() as cursor:
            if not is_possible_while("retry", progress_of(cursor, campaign).state):
                raise Refused(f"campaign {campaign} is cancelled, so none of its e-mails would be sent")
        wanted = WantedItems(campaign, [Status(status).number for status in statuses])
        changed, step = 0, SteppedInto(1, 1)
        while step.changed and step.left:
            step = self.step_into_all("retry", wanted, by=by)
            changed += step.changed
        return SteppedInto(changed, step.left)

    def append(self, action: Action, found: Sequence[Item], *, by: str, reason: str = REASON) -> int:
        """All at once; one by one when one of them has changed at this very moment. How many it were."""
        facts = [self._fact(action, one, by, reason) for one in found]
        if self._appended(facts):
            return len(facts)
        return sum(self._appended([fact]) for fact in facts) if len(facts) > 1 else 0

    def pause(self, *, by: str) -> None:
        """Nothing is begun in any campaign until it is resumed."""
        self._set_paused(True, by)

    def resume(self, *, by: str) -> None:
        self._set_paused(False, by)

    def _set_paused(self, is_paused: bool, by: str) -> None:
        done = self._installation.application.change_policy({"queue_paused": is_paused}, by=by)
        self._installation.wait_until_shown(done)

    def check_open(self) -> None:
        """Raises Refused while the queue is paused, since nothing would be sent."""
        if self._installation.application.policy().queue_paused:
            raise Refused("The queue is paused, so nothing would be sent. Resume it first.")

    def _fact(self, action: Action, one: Item, by: str, reason: str) -> Fact:
        return FACT_OF[action](
            originator_id=delivery_stream(one.campaign, one.recipient),
            originator_version=one.version + 1,
            by=by,
            reason=reason,
        )

    def _appended(self, facts: Sequence[Fact]) -> bool:
        """False when one of the deliveries changed at this very moment; nothing is appended then. Raises
        ScopeMissing."""
        for fact in facts:
            permission.check(fact.TOPIC)
        try:
            self._installation.log.append([fact.stored() for fact in facts])
        except Conflict:
            return False
        return True
