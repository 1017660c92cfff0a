"""People to write to."""

from __future__ import annotations

import pytest

from tests.web.world import World


@pytest.fixture
def people(world: World) -> list[int]:
    """Five, on the list Friends, which is number 1; the first is Ada Lovelace of Turin."""
    numbers = world.people(5)
    with world.pool.transaction() as cursor:
        cursor.execute(
            "UPDATE recipients SET name = 'Ada Lovelace', attributes = '{\"city\": \"Turin\"}'"
            " WHERE number = %s",
            (numbers[0],),
        )
    return numbers
