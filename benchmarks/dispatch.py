"""E-mails a second, end to end, into a sink: planned, rendered, each attempt durable before its MAIL FROM.

One processor: on two cores a second one takes as much from the database as it adds. From the first
AttemptStarted to the last Accepted as the log dates them. Baseline: smtp-source, which renders and records
nothing, with 10 sessions and 4,000 bytes, into the same sink.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from typing import Any

from benchmarks.installation import Installation, installation
from benchmarks.postfix_tools import free_port, smtp_sink, smtp_source

E_MAILS = 100_000
SERVERS = 20
CONNECTIONS = 10
ROUNDS = 5
REACH = 1.0

SPAN = """
    SELECT extract(epoch FROM max(recorded_at) FILTER (WHERE topic = 'delivery.accepted')
                            - min(recorded_at) FILTER (WHERE topic = 'delivery.attempt_started'))::float8,
           count(*) FILTER (WHERE topic = 'delivery.accepted')
    FROM events WHERE position > %s
"""


def run(processes: int = 1) -> dict[str, Any]:
    ours, theirs = [], []
    port = free_port()
    with smtp_sink(port), installation() as made:
        made.add_servers(SERVERS, port, max_conns=CONNECTIONS)
        people = made.add_people(E_MAILS)
        for _ in range(ROUNDS):
            theirs.append(smtp_source(port, E_MAILS // 2))
            ours.append(_send(made, people, processes))
    # Each round beside the baseline that was measured just before it: the machine's speed varies meanwhile.
    ratio = statistics.median(mine / its for mine, its in zip(ours, theirs, strict=True))
    return {
        "name": "dispatch",
        "value": round(statistics.median(ours)),
        "unit": "e-mails/s",
        "baseline": round(statistics.median(theirs)),
        "ratio": round(ratio, 2),
        "reach": REACH,
        "ok": ratio >= REACH,
    }


def _send(made: Installation, people: int, processes: int) -> float:
    campaign = made.create_campaign(people)
    made.application.start(campaign, by="benchmark")
    with made.pool.transaction() as cursor:
        cursor.execute("SELECT position FROM log_head")
        (before,) = cursor.fetchone() or (0,)
    command = [sys.executable, "-m", "postledger", "processor"]
    senders = [subprocess.Popen(command, env={**os.environ, **made.environment}) for _ in range(processes)]
    try:
        _wait_for_the_end(made, campaign)
    finally:
        for sender in senders:
            sender.terminate()
        for sender in senders:
            sender.wait()
    with made.pool.transaction() as cursor:
        cursor.execute(SPAN, (before,))
        seconds, accepted = cursor.fetchone() or (0.0, 0)
    assert accepted == E_MAILS, f"{accepted} of {E_MAILS} were accepted"
    return accepted / seconds


def _wait_for_the_end(made: Installation, campaign: int) -> None:
    deadline = time.monotonic() + 300
    while made.application.campaign(campaign).state != "finished":
        if time.monotonic() > deadline:
            raise TimeoutError("the campaign does not finish")
        time.sleep(0.2)
