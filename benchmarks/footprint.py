"""What an e-mail leaves behind and what a processor needs: log bytes and peak memory over 300,000 e-mails.

Memory is the resident set of the processor, sampled while it sends; flat means that the last third of the
campaign needs no more than the first, but for a tenth.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.installation import Installation, installation
from benchmarks.postfix_tools import free_port, smtp_sink

E_MAILS = 300_000
SERVERS = 10
CONNECTIONS = 10
MOST_BYTES = 600
MOST_MEGABYTES = 120
GROWTH = 1.1


def run() -> list[dict[str, Any]]:
    port = free_port()
    with smtp_sink(port), installation() as made:
        made.add_servers(SERVERS, port, max_conns=CONNECTIONS)
        people = made.add_people(E_MAILS)
        before = _log_bytes(made)
        samples = _send(made, people)
        log_bytes = (_log_bytes(made) - before) / E_MAILS
    third = len(samples) // 3
    growth = max(samples[-third:]) / max(samples[:third])
    return [
        _figure("log bytes per e-mail", round(log_bytes), "bytes", MOST_BYTES, log_bytes <= MOST_BYTES),
        _figure(
            "peak memory of the processor",
            round(max(samples)),
            "MB",
            MOST_MEGABYTES,
            max(samples) <= MOST_MEGABYTES,
        ),
        _figure("memory, last third to first", round(growth, 2), "ratio", GROWTH, growth <= GROWTH),
    ]


def _figure(name: str, value: float, unit: str, reach: float, ok: bool) -> dict[str, Any]:
    return {
        "name": f"footprint: {name}",
        "value": value,
        "unit": unit,
        "baseline": None,
        "ratio": None,
        "reach": reach,
        "ok": ok,
    }


def _log_bytes(made: Installation) -> int:
    with made.pool.transaction() as cursor:
        cursor.execute("SELECT pg_total_relation_size('events')")
        (size,) = cursor.fetchone() or (0,)
    return int(size)


def _send(made: Installation, people: int) -> list[float]:
    """Resident megabytes, about ten a second, from the first e-mail to the last."""
    campaign = made.create_campaign(people)
    made.application.start(campaign, by="benchmark")
    command = [sys.executable, "-m", "postledger", "processor"]
    sender = subprocess.Popen(command, env={**os.environ, **made.environment})
    samples = []
    try:
        while not made.application.campaign(campaign).state.is_over:
            if sender.poll() is not None:
                raise RuntimeError(f"the processor ended with exit code {sender.returncode}")
            samples.append(_resident_megabytes(sender.pid))
            time.sleep(0.1)
    finally:
        sender.terminate()
        sender.wait()
    return samples


def _resident_megabytes(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
