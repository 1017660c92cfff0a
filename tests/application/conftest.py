"""Two processors that reserve."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from storage.postgres.pool import Pool
from tests.application.desk import Desk, opened


@pytest.fixture
def desks(pool: Pool) -> Iterator[tuple[Desk, Desk]]:
    with ExitStack() as stack:
        yield opened(stack, pool, "processor:1"), opened(stack, pool, "processor:2")
