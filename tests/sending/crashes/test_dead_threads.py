"""A processor that lost a part of itself ends, so that its supervisor starts it anew."""

from __future__ import annotations

import logging

import pytest

from projections.following.follower import Follower
from tests.sending.world import World


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_processor_whose_projections_stand_still_cannot_go_on(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(follower: Follower) -> bool:
        raise ValueError("an event that nobody can fold")

    caplog.set_level(logging.ERROR)
    monkeypatch.setattr(Follower, "_step", fail)
    with world.sending() as processor:
        assert processor.wait() is False
    assert "cannot go on: its follower ended on an error" in caplog.text


def test_a_processor_that_is_whole_waits_until_it_is_asked_to_stop(world: World) -> None:
    with world.sending() as processor:
        processor.ask_to_stop()
        assert processor.wait() is True
