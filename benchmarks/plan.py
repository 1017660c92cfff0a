"""One planning round with ten million deliveries due and with ten thousand: the median of many.

A round reads what is due, plans it onto thirty servers, reserves their capacity in the log, and reads
the people from the directory. The baseline is measured before and after, since the log grows meanwhile.
"""

from __future__ import annotations

import json
import statistics
import time
from typing import Any

from application.reservations import Reservations
from benchmarks.histories.ten_million import fill, start_campaign
from benchmarks.installation import Installation, installation
from domain.clock import SystemClock
from processor.planner.planned_deliveries import PlannedDeliveries
from processor.planner.rounds import Rounds
from processor.planner.send import PoolCapacity
from processor.send_permissions import SendPermissions
from storage.log.committer import Committer
from storage.secrets import Secrets, new_key
from storage.shared_clock import set_by_database

SMALL, LARGE = 10_000, 10_000_000
SERVERS, CAPACITY = 30, 4
ROUNDS = 80
REACH = 1.5


def run() -> dict[str, Any]:
    with installation() as made:
        made.add_servers(SERVERS, 25)
        campaign = start_campaign(made, SMALL)
        fill(made.pool, campaign, SMALL)
        before = rounds(made)
        fill(made.pool, campaign, LARGE)
        value = statistics.median(rounds(made))
        fill(made.pool, campaign, SMALL)
        baseline = statistics.median(before + rounds(made))
    ratio = value / baseline
    line = {"name": "plan", "value": round(value, 2), "unit": "ms (median)", "baseline": round(baseline, 2)}
    line |= {"ratio": round(ratio, 2), "reach": REACH, "ok": ratio <= REACH}
    return line


def rounds(made: Installation) -> list[float]:
    """Milliseconds each."""
    clock = SystemClock()
    permissions = SendPermissions(
        made.pool, made.application, Secrets([new_key()]), "https://mail.example.com"
    )
    permissions.refresh(clock.now())
    committer = Committer(made.url)
    planner = Rounds(
        made.pool, permissions, Reservations(made.pool, committer, "benchmark"), PlannedDeliveries(), clock
    )
    capacities = {server: PoolCapacity(CAPACITY) for server in permissions.view.servers}
    took = []
    for _ in range(ROUNDS):
        with made.pool.transaction() as cursor:
            set_by_database(clock, cursor)
        started = time.perf_counter()
        sends = planner.plan(capacities)
        took.append((time.perf_counter() - started) * 1000)
        assert len(sends) == SERVERS * CAPACITY
    committer.close()
    return took


if __name__ == "__main__":
    print(json.dumps(run()))
