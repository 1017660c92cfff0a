"""Messages a second over one reused connection into Postfix's smtp-sink; the baseline is smtplib's sendmail.

Prints one JSON line. `cpu` and `baseline_cpu` are microseconds of this process's time per message.
`python -m benchmarks.transport 10` uses that many connections at once, and threads for the baseline.
"""

from __future__ import annotations

import json
import select
import smtplib
import sys
import time
from collections.abc import Callable
from threading import Thread
from typing import Any

from benchmarks.postfix_tools import free_port, smtp_sink
from mail.smtp.transaction import Transaction
from mail.smtp.transport import Connection, connect

MESSAGES = 10_000
BODY = b"Subject: benchmark\r\nMessage-ID: <1.2@mail.example.com>\r\n\r\n" + (b"x" * 74 + b"\r\n") * 53
SENDER, RECIPIENT = "news@mail.example.com", "reader@home.example.net"
REACH = 2.0


def ours(port: int, connections: int, messages: int) -> None:
    """One thread, all connections: what the dispatcher does, without what it records."""
    poll = select.epoll()
    under_way: dict[int, tuple[Connection, Transaction]] = {}
    left = messages
    for _ in range(min(connections, messages)):
        connection = connect({"host": "127.0.0.1", "port": port})
        poll.register(connection, select.EPOLLIN)
        under_way[connection.fileno()] = connection, _begin(connection)
        left -= 1
    while under_way:
        for number, _ in poll.poll():
            connection, transaction = under_way[number]
            data = connection.receive()
            assert data
            reply = transaction.receive(data)
            if reply:
                connection.queue(reply)
                connection.flush()
            elif transaction.outcome is not None:
                assert transaction.outcome.accepted
                if left:
                    under_way[number] = connection, _begin(connection)
                    left -= 1
                else:
                    poll.unregister(connection)
                    del under_way[number]
                    connection.close()


def _begin(connection: Connection) -> Transaction:
    transaction = connection.transaction(SENDER, RECIPIENT, BODY)
    connection.queue(transaction.start())
    connection.flush()
    return transaction


def smtplibs(port: int, connections: int, messages: int) -> None:
    threads = [
        Thread(target=_smtplib_thread, args=(port, messages // connections)) for _ in range(connections)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _smtplib_thread(port: int, messages: int) -> None:
    with smtplib.SMTP("127.0.0.1", port) as client:
        for _ in range(messages):
            client.sendmail(SENDER, [RECIPIENT], BODY)


def measured(send: Callable[[int, int, int], None], port: int, connections: int) -> tuple[float, float]:
    """Messages a second, and microseconds of processor time per message."""
    started, cpu = time.perf_counter(), time.process_time()
    send(port, connections, MESSAGES)
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    return MESSAGES / seconds, cpu / MESSAGES * 1e6


def run(connections: int = 1) -> dict[str, Any]:
    port = free_port()
    with smtp_sink(port):
        # Turn and turn about, and the best of each, so that a busy moment of the machine decides nothing.
        rounds = [
            (measured(ours, port, connections), measured(smtplibs, port, connections)) for _ in range(3)
        ]
    value, baseline = max(pair[0][0] for pair in rounds), max(pair[1][0] for pair in rounds)
    return {
        "name": "transport",
        "value": round(value),
        "unit": "messages/s",
        "baseline": round(baseline),
        "ratio": round(value / baseline, 1),
        "reach": REACH,
        "ok": value >= REACH * baseline,
        "cpu": round(min(pair[0][1] for pair in rounds), 1),
        "baseline_cpu": round(min(pair[1][1] for pair in rounds), 1),
        "connections": connections,
    }


if __name__ == "__main__":
    print(json.dumps(run(int(sys.argv[1]) if len(sys.argv) > 1 else 1)))
