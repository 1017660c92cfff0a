"""Requests that can keep the database busy for seconds: few at once, so that all others find it free."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from flask import current_app

from application.turns import Turns
from web.http.access import actor

MOST, MOST_OF_ONE = 4, 2
MOST_WAITING, MOST_WAITING_OF_ONE = 4, 2
PATIENCE = 2.0
"""Seconds for which a request waits for its turn."""


def turns(patience: float = PATIENCE) -> Turns:
    return Turns(
        "searches, exports and forecasts",
        at_once=MOST, of_one=MOST_OF_ONE, waiting=MOST_WAITING, waiting_of_one=MOST_WAITING_OF_ONE,
        patience=patience, seconds=5,
    )  # fmt: skip


@contextmanager
def heavy() -> Iterator[None]:
    """Around what may take long. Raises Crowded, which is answered with 503."""
    kept = current_app.extensions["postledger.heavy"]
    assert isinstance(kept, Turns)
    with kept.taken(actor()):
        yield
