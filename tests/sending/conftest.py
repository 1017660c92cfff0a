from __future__ import annotations

from collections.abc import Iterator

import pytest

from postledger.sink.sink import Sink
from tests.sending.world import World


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    made = World(database_url)
    yield made
    made.close()


@pytest.fixture
def sink() -> Iterator[Sink]:
    """Slow enough that a campaign takes a while."""
    with Sink(latency=0.02) as made:
        yield made
