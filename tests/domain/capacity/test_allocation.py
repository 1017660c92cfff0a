"""How many each server gets at once is what choosing one after the other comes to."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.capacity.allocation import shares
from domain.capacity.plan import Candidate, Offer, Strategy, plan

limited = st.integers(0, 40).flatmap(
    lambda limit: st.builds(
        Offer,
        server=st.just(0),
        remaining=st.integers(0, 40),
        limit=st.just(limit),
        used_today=st.integers(0, 40),
        slots=st.one_of(st.integers(0, 50), st.just(10_000)),
    )
)
unlimited = st.builds(
    Offer,
    server=st.just(0),
    remaining=st.none(),
    limit=st.just(0),
    used_today=st.integers(0, 60),
    slots=st.one_of(st.integers(0, 50), st.just(10_000)),
)


def numbered(offers: list[Offer]) -> list[Offer]:
    return [offer._replace(server=number) for number, offer in enumerate(offers, 1)]


def counted(offers: list[Offer], n: int, strategy: str) -> Counter[int]:
    candidates = [Candidate(1, recipient) for recipient in range(n)]
    return Counter(assignment.server for assignment in plan(candidates, offers, strategy))


@settings(max_examples=400)
@given(offers=st.lists(st.one_of(limited, unlimited), max_size=7).map(numbered), n=st.integers(0, 200))
def test_the_greatest_remaining_first_gives_each_server_the_same(offers: list[Offer], n: int) -> None:
    assert shares(offers, n) == counted(offers, n, Strategy.MOST_REMAINING)


@given(offers=st.lists(unlimited, max_size=7).map(numbered), n=st.integers(0, 200))
def test_so_it_does_with_unlimited_servers_alone(offers: list[Offer], n: int) -> None:
    assert shares(offers, n) == counted(offers, n, Strategy.MOST_REMAINING)


@settings(max_examples=200)
@given(offers=st.lists(st.one_of(limited, unlimited), max_size=7).map(numbered), n=st.integers(0, 200))
def test_the_weighted_round_robin_gives_each_nearly_the_same(offers: list[Offer], n: int) -> None:
    fast, slow = (
        shares(offers, n, Strategy.WEIGHTED_ROUND_ROBIN),
        counted(offers, n, Strategy.WEIGHTED_ROUND_ROBIN),
    )
    assert sum(fast.values()) == sum(slow.values())
    for offer in offers:
        # Reckoned in whole turns: each server that fills up on the way may shift the others by a turn.
        assert abs(fast.get(offer.server, 0) - slow[offer.server]) <= 3 * len(offers)


def test_thirty_servers_share_ten_thousand() -> None:
    offers = [Offer(number, 1000, 1000, 0, 10**9) for number in range(1, 31)]
    assert sorted(shares(offers, 10_000).values()) == [333] * 20 + [334] * 10
