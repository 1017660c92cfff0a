"""What a processor knows of deliveries before the projection shows it."""

from __future__ import annotations

from processor.planner.planned_deliveries import InHand

ONE, OTHER = (1, 10), (2, 10)


def test_what_is_planned_is_in_hand_until_it_is_released() -> None:
    in_hand = InHand()
    in_hand.take(ONE)
    assert ONE in in_hand
    assert OTHER not in in_hand
    in_hand.release(ONE)
    assert ONE not in in_hand


def test_what_is_written_is_in_hand_until_the_projection_shows_it() -> None:
    in_hand = InHand()
    in_hand.take(ONE)
    in_hand.wrote(ONE, 7)
    in_hand.forget(6)
    assert ONE in in_hand
    in_hand.wrote(ONE, 9)
    in_hand.forget(8)
    assert ONE in in_hand
    in_hand.forget(9)
    assert ONE not in in_hand


def test_what_is_planned_and_not_written_is_not_forgotten_however_far_the_projection_is() -> None:
    in_hand = InHand()
    in_hand.take(ONE)
    in_hand.forget(1_000_000)
    assert ONE in in_hand


def test_campaigns_of_what_was_released_are_told_once() -> None:
    in_hand = InHand()
    in_hand.take(ONE)
    in_hand.take(OTHER)
    in_hand.release(ONE)
    assert in_hand.campaigns_released() == [1]
    assert in_hand.campaigns_released() == []


def test_servers_that_cannot_take_an_email_are_known_until_it_goes_another_way() -> None:
    in_hand = InHand()
    assert in_hand.unfit(ONE) == frozenset()
    in_hand.cannot_take(3, ONE)
    in_hand.cannot_take(4, ONE)
    in_hand.release(ONE)
    assert in_hand.unfit(ONE) == {3, 4}
    assert in_hand.unfit(OTHER) == frozenset()
    in_hand.wrote(ONE, 7)
    assert in_hand.unfit(ONE) == frozenset()


def test_what_the_projection_shows_before_the_processor_hears_of_it_is_not_kept() -> None:
    in_hand = InHand()
    in_hand.take(ONE)
    in_hand.forget(7)
    in_hand.wrote(ONE, 7)
    in_hand.forget(7)
    assert ONE not in in_hand
