"""When a campaign waits for a person because its messages cannot be made, or take too long."""

from __future__ import annotations

from domain.campaign.composition import MOST_FAILED, Composition


def reason_after(composition: Composition, count: int, seconds: float = 0.0, error: str = "") -> str:
    """The first that is given, if any is."""
    return next(filter(None, (composition.tried(seconds, error) for _ in range(count))), "")


def test_a_campaign_of_which_every_message_fails_is_paused_soon() -> None:
    composition = Composition()
    assert reason_after(composition, MOST_FAILED - 1, error="text: it divides by zero") == ""
    reason = composition.tried(0.0, "text: it divides by zero")
    assert reason == ("20 of 20 messages could not be made; the last one: text: it divides by zero")


def test_a_few_people_whose_data_is_at_fault_do_not_stop_the_others() -> None:
    composition = Composition()
    for _ in range(500):
        assert reason_after(composition, 1, error="a name") == ""
        assert reason_after(composition, 3) == ""


def test_what_went_well_long_ago_does_not_count() -> None:
    composition = Composition()
    assert reason_after(composition, 1, error="a name") == ""
    assert reason_after(composition, 100_000) == ""
    assert "could not be made" in reason_after(composition, 1500, error="text: it divides by zero")


def test_a_campaign_whose_messages_take_long_is_paused() -> None:
    assert "300 ms each" in reason_after(Composition(), 4, seconds=0.3)
    assert "30 ms each" in reason_after(Composition(), 40, seconds=0.03)
    assert reason_after(Composition(), 100_000, seconds=0.001) == ""


def test_one_message_that_takes_long_among_many_stops_nothing() -> None:
    composition = Composition()
    for _ in range(100):
        assert reason_after(composition, 1, seconds=0.5) == ""
        assert reason_after(composition, 500, seconds=0.0001) == ""
