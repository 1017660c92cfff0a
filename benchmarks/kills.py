"""What kills leave unknown: processors are killed again and again while they send into sinks that count.

The baseline is what the kills left without an outcome in the log, which would all be unknown if nothing but
the log were known. Each life ends with SIGKILL in full swing, at a moment that has to do with nothing.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from benchmarks.installation import Installation, installation
from postledger.sink.sink import Sink, duplicates_among
from projections.queue import queue

E_MAILS = 30_000
KILLS = 65
CONNECTIONS = (9, 9, 9, 9, 9, 8)
SEED = 65
REACH = 0.2
PATIENCE = 300.0
SWING = 0.05
"""Seconds within which the moment of a kill lies."""

# An attempt that is ended by another processor than its own was left without an outcome.
LEFT_OPEN = """
    SELECT ended.topic, count(*)
    FROM event_log started
    JOIN event_log ended ON ended.stream_id = started.stream_id AND ended.version = started.version + 1
    WHERE started.topic = 'delivery.attempt_started' AND ended.state->>'by' <> started.state->>'by'
    GROUP BY ended.topic
"""


def run(e_mails: int = E_MAILS, kills: int = KILLS) -> dict[str, Any]:
    with installation() as made, ExitStack() as stack:
        sinks = [stack.enter_context(Sink(remembers_messages=False)) for _ in CONNECTIONS]
        for sink, connections in zip(sinks, CONNECTIONS, strict=True):
            made.add_servers(1, sink.port, max_conns=connections)
        campaign = made.create_campaign(made.add_people(e_mails))
        made.application.start(campaign, by="benchmark")
        _kill(made, sinks, e_mails, kills)
        with _processor(made):
            _wait(lambda: made.application.campaign(campaign).state == "finished")
        return _figure(made, sinks, e_mails)


def _kill(made: Installation, sinks: list[Sink], e_mails: int, kills: int) -> None:
    """Each life sends no more than its share, so that there is something left for the last one."""
    chance, share = random.Random(SEED), e_mails // (kills + 1)
    for _ in range(kills):
        wanted = _seen(sinks) + share // 2
        with _processor(made) as process:
            _wait(lambda wanted=wanted: _seen(sinks) >= wanted)  # type: ignore[misc]
            time.sleep(chance.random() * SWING)
            process.kill()


def _figure(made: Installation, sinks: list[Sink], e_mails: int) -> dict[str, Any]:
    made.runner.catch_up()
    with made.pool.transaction() as cursor:
        counts = queue.counts(cursor)
        cursor.execute(LEFT_OPEN)
        left_open = Counter(dict(cursor.fetchall()))
    unknown, total = left_open["delivery.outcome_unknown"], left_open.total()
    arrived = {message.delivery for sink in sinks for message in sink.messages}
    doubled = duplicates_among([message for sink in sinks for message in sink.messages])
    ratio = unknown / max(1, total)
    return {
        "name": "kills",
        "value": unknown,
        "unit": "deliveries unknown",
        "baseline": total,
        "ratio": round(ratio, 3),
        "reach": REACH,
        "ended": dict(left_open),
        "doubled": sum(doubled.values()),
        "lost": e_mails - counts["sent"] - counts["unknown"],
        "unknown_arrived": len(arrived) - counts["sent"],
        "ok": ratio <= REACH and not doubled and counts["sent"] + counts["unknown"] == e_mails,
    }


@contextmanager
def _processor(made: Installation) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "postledger", "processor"]
    process = subprocess.Popen(
        command, env={**os.environ, **made.environment, "POSTLEDGER_LOG_LEVEL": "error"}
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def _seen(sinks: list[Sink]) -> int:
    return sum(len(sink.messages) for sink in sinks)


def _wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("nothing more is sent")
        time.sleep(0.01)
