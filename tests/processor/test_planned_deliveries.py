"""What a processor knows of deliveries before the projection shows it."""

from __future__ import annotations

from processor.planner.planned_deliveries import PlannedDeliveries

ONE, OTHER = (1, 10), (2, 10)


def test_what_is_planned_is_in_hand_until_it_is_released() -> None:
    planned = PlannedDeliveries()
    planned.take(ONE)
    assert ONE in planned
    assert OTHER not in planned
    planned.release(ONE)
    assert ONE not in planned


def test_what_is_written_is_in_hand_until_the_projection_shows_it() -> None:
    planned = PlannedDeliveries()
    planned.take(ONE)
    planned.wrote(ONE, 7)
    planned.forget(6)
    assert ONE in planned
    planned.wrote(ONE, 9)
    planned.forget(8)
    assert ONE in planned
    planned.forget(9)
    assert ONE not in planned


def test_what_is_planned_and_not_written_is_not_forgotten_however_far_the_projection_is() -> None:
    planned = PlannedDeliveries()
    planned.take(ONE)
    planned.forget(1_000_000)
    assert ONE in planned


def test_campaigns_of_what_was_released_are_told_once() -> None:
    planned = PlannedDeliveries()
    planned.take(ONE)
    planned.take(OTHER)
    planned.release(ONE)
    assert planned.campaigns_released() == [1]
    assert planned.campaigns_released() == []


def test_servers_that_cannot_take_an_email_are_known_until_it_goes_another_way() -> None:
    planned = PlannedDeliveries()
    assert planned.unfit(ONE) == frozenset()
    planned.cannot_take(3, ONE)
    planned.cannot_take(4, ONE)
    planned.release(ONE)
    assert planned.unfit(ONE) == {3, 4}
    assert planned.unfit(OTHER) == frozenset()
    planned.wrote(ONE, 7)
    assert planned.unfit(ONE) == frozenset()


def test_what_the_projection_shows_before_the_processor_hears_of_it_is_not_kept() -> None:
    planned = PlannedDeliveries()
    planned.take(ONE)
    planned.forget(7)
    planned.wrote(ONE, 7)
    planned.forget(7)
    assert ONE not in planned
