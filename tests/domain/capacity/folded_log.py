"""The capacity that comes of all events, folded one by one from the first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from domain.capacity.capacity import LONGEST_WINDOW, Capacity, Limits, Reserved, Returned
from domain.capacity.past import PastCapacity
from domain.fact import Happened
from domain.streams import number_of


@dataclass
class FoldedLog:
    """`asked` counts the events that were read one by one, by server."""

    happened: list[Happened]
    asked: dict[int, int] = field(default_factory=dict)

    def capacities(self, wanted: Mapping[int, Limits], at: datetime) -> dict[int, Capacity]:
        found = {server: Capacity(LONGEST_WINDOW) for server in wanted}
        for server in wanted:
            for one, event in self._of(server):
                if one < at:
                    found[server].apply(event.originator_version, event)
        return found

    def following(self, versions: Mapping[int, int], most: int) -> dict[int, list[Happened]]:
        found = {}
        for server, version in versions.items():
            later = [
                Happened(at, event) for at, event in self._of(server) if event.originator_version > version
            ]
            found[server] = later[:most]
            self.asked[server] = self.asked.get(server, 0) + len(found[server])
        return found

    def _of(self, server: int) -> Iterable[tuple[datetime, Reserved | Returned]]:
        for at, event in self.happened:
            if isinstance(event, Reserved | Returned) and number_of(event.originator_id) == server:
                yield at, event


def past_capacity(happened: list[Happened], most: int = 10_000) -> PastCapacity:
    return PastCapacity(FoldedLog(happened), most)
