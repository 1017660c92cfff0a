"""Which server gets what, and whose turn it is."""

from __future__ import annotations

from collections import Counter, defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.capacity.plan import Assignment, Batch, Candidate, Offer, Strategy, interleave, plan

strategies = st.sampled_from(sorted(Strategy))
offers = st.lists(
    st.builds(
        Offer,
        server=st.integers(1, 8),
        remaining=st.none() | st.integers(0, 30),
        limit=st.integers(0, 40),
        used_today=st.integers(0, 40),
        slots=st.integers(0, 12),
    ),
    max_size=8,
    unique_by=lambda offer: offer.server,
)
numbers_of_servers = st.none() | st.integers(1, 9)
candidates = st.lists(
    st.builds(
        Candidate,
        campaign=st.just(1),
        recipient=st.integers(1, 10**6),
        server=numbers_of_servers,
        avoid=numbers_of_servers,
        unfit=st.frozensets(st.integers(1, 9), max_size=3),
        key=st.none(),
    ),
    max_size=40,
)


def people(count: int, **others: int) -> list[Candidate]:
    return [Candidate(1, recipient, **others) for recipient in range(1, count + 1)]


def limited(server: int, remaining: int, slots: int = 10_000, limit: int = 1000) -> Offer:
    return Offer(server, remaining, limit, limit - remaining, slots)


def unlimited(server: int, used_today: int = 0, slots: int = 10_000) -> Offer:
    return Offer(server, None, 0, used_today, slots)


def per_server(assignments: list[Assignment]) -> Counter[int]:
    return Counter(assignment.server for assignment in assignments)


@settings(deadline=None, max_examples=150)
@given(candidates, offers, strategies)
def test_no_server_gets_more_than_its_remainder_or_its_slots(
    candidates: list[Candidate], offers: list[Offer], strategy: str
) -> None:
    taken = per_server(plan(candidates, offers, strategy))
    by_number = {offer.server: offer for offer in offers}
    for server, count in taken.items():
        offer = by_number[server]
        assert count <= offer.slots
        assert offer.remaining is None or count <= offer.remaining


@settings(deadline=None, max_examples=150)
@given(candidates, offers, strategies)
def test_each_candidate_is_assigned_once_in_order_and_left_out_only_for_want_of_room(
    candidates: list[Candidate], offers: list[Offer], strategy: str
) -> None:
    candidates = [candidate._replace(key=index) for index, candidate in enumerate(candidates)]
    assignments = plan(candidates, offers, strategy)
    assigned = [assignment.candidate for assignment in assignments]
    assert assigned == [candidate for candidate in candidates if candidate in assigned]
    room = {
        offer.server: offer.slots if offer.remaining is None else min(offer.slots, offer.remaining)
        for offer in offers
    }
    by_key = {assignment.candidate.key: assignment for assignment in assignments}
    for candidate in candidates:
        if candidate.key in by_key:
            room[by_key[candidate.key].server] -= 1
        elif candidate.server is not None:
            assert room.get(candidate.server, 0) == 0
        else:
            assert not any(left for server, left in room.items() if server not in candidate.unfit)


@settings(deadline=None, max_examples=150)
@given(candidates, offers, strategies)
def test_a_direct_candidate_goes_through_its_server_only(
    candidates: list[Candidate], offers: list[Offer], strategy: str
) -> None:
    for assignment in plan(candidates, offers, strategy):
        assert assignment.candidate.server in (None, assignment.server)


@settings(deadline=None, max_examples=150)
@given(candidates, offers, strategies)
def test_the_avoided_server_is_taken_only_when_there_is_no_other(
    candidates: list[Candidate], offers: list[Offer], strategy: str
) -> None:
    room = {
        offer.server: offer.slots if offer.remaining is None else min(offer.slots, offer.remaining)
        for offer in offers
    }
    for candidate, server, _ in plan(candidates, offers, strategy):
        assert candidate.server is not None or server not in candidate.unfit
        if candidate.server is None and candidate.avoid == server:
            others = room.keys() - {server} - candidate.unfit
            assert not any(room[other] for other in others)
        room[server] -= 1


@settings(deadline=None, max_examples=150)
@given(candidates, offers)
def test_the_greatest_remainder_is_taken_and_noted(candidates: list[Candidate], offers: list[Offer]) -> None:
    """The rule of the issue, worked out again for each choice from all servers."""
    limits = [max(offer.limit, offer.remaining) for offer in offers if offer.remaining is not None]
    taken: Counter[int] = Counter()
    for candidate, server, remaining in plan(candidates, offers):
        ranks = {}
        for offer in offers:
            used, room = taken[offer.server], offer.slots - taken[offer.server]
            if offer.remaining is not None:
                room, weight = min(room, offer.remaining - used), offer.remaining - used
            elif limits:
                weight = max(0, max(limits) - offer.used_today - used)
            else:
                weight = -(offer.used_today + used)
            if room > 0:
                ranks[offer.server] = (-weight, used, offer.server)
        fit = [number for number in ranks if number not in candidate.unfit]
        choice = [number for number in fit if number != candidate.avoid] or fit
        best = candidate.server or min(choice, key=ranks.__getitem__)
        assert server == best
        assert remaining == (-ranks[best][0] if limits else None)
        taken[server] += 1


@settings(deadline=None, max_examples=50)
@given(candidates, offers, strategies)
def test_planning_is_deterministic(candidates: list[Candidate], offers: list[Offer], strategy: str) -> None:
    assert plan(candidates, offers, strategy) == plan(iter(candidates), iter(offers), strategy)


@pytest.mark.parametrize("strategy", sorted(Strategy))
def test_thirty_equal_servers_share_a_day_equally(strategy: str) -> None:
    servers = [limited(number, 1000) for number in range(1, 31)]
    assert set(per_server(plan(people(3000), servers, strategy)).values()) == {100}
    taken = per_server(plan(people(100_000), servers, strategy))
    assert set(taken.values()) == {1000}
    assert len(taken) == 30


def test_servers_are_levelled_before_they_share() -> None:
    taken = per_server(plan(people(100), [limited(1, 100), limited(2, 50), limited(3, 10)]))
    assert taken == {1: 75, 2: 25}


def test_an_unlimited_server_shares_with_the_limited_ones() -> None:
    taken = per_server(plan(people(300), [limited(1, 1000), unlimited(2), limited(3, 1000)]))
    assert taken == {1: 100, 2: 100, 3: 100}


def test_a_server_with_a_rolling_limit_alone_counts_by_its_remainder() -> None:
    taken = per_server(plan(people(60), [limited(1, 100, limit=0), unlimited(2)]))
    assert taken == {1: 30, 2: 30}


def test_an_unlimited_server_takes_the_rest_when_the_limited_ones_are_used_up() -> None:
    taken = per_server(plan(people(100), [limited(1, 10), unlimited(2, used_today=5000)]))
    assert taken == {1: 10, 2: 90}


def test_unlimited_servers_alone_are_levelled_by_what_they_sent_today() -> None:
    assignments = plan(people(30), [unlimited(1, used_today=20), unlimited(2), unlimited(3)])
    assert per_server(assignments) == {2: 15, 3: 15}
    assert {assignment.remaining for assignment in assignments} == {None}


def test_weighted_round_robin_is_smooth_as_in_nginx() -> None:
    weights = [limited(1, 50), limited(2, 10), limited(3, 10)]
    assignments = plan(people(7), weights, Strategy.WEIGHTED_ROUND_ROBIN)
    assert [assignment.server for assignment in assignments] == [1, 1, 2, 1, 3, 1, 1]


def test_weighted_round_robin_goes_on_from_round_to_round() -> None:
    servers = [limited(1, 3), limited(2, 3), limited(3, 3)]
    state: dict[int, int] = {}
    rounds = [plan(people(1), servers, Strategy.WEIGHTED_ROUND_ROBIN, state)[0].server for _ in range(6)]
    assert rounds == [1, 2, 3, 1, 2, 3]


def test_a_server_that_is_gone_leaves_no_memory() -> None:
    state: dict[int, int] = {}
    plan(people(2), [limited(1, 3), limited(2, 3)], Strategy.WEIGHTED_ROUND_ROBIN, state)
    plan(people(1), [limited(2, 3)], Strategy.WEIGHTED_ROUND_ROBIN, state)
    assert state.keys() == {2}


def batch(campaign: int, count: int, priority: str = "normal") -> Batch:
    return Batch(campaign, priority, [Candidate(campaign, recipient) for recipient in range(count)])


def test_high_goes_before_normal_before_low() -> None:
    order = list(interleave([batch(1, 2, "low"), batch(2, 2), batch(3, 2, "high")]))
    assert [candidate.campaign for candidate in order] == [3, 3, 2, 2, 1, 1]


def test_campaigns_of_one_priority_take_turns() -> None:
    order = list(interleave([batch(2, 4), batch(1, 2), batch(3, 1)]))
    assert [candidate.campaign for candidate in order] == [1, 2, 3, 1, 2, 2, 2]


def test_turns_go_on_after_the_campaign_that_was_served_last() -> None:
    order = list(interleave([batch(1, 2), batch(2, 2), batch(3, 2)], after=1))
    assert [candidate.campaign for candidate in order] == [2, 3, 1, 2, 3, 1]


@given(
    st.lists(
        st.builds(batch, st.integers(1, 20), st.integers(0, 9), st.sampled_from(["high", "normal", "low"])),
        max_size=8,
        unique_by=lambda one: one.campaign,
    ),
    st.integers(0, 21),
)
def test_everybody_gets_a_turn_and_nobody_two_more_than_another(batches: list[Batch], after: int) -> None:
    order = list(interleave(batches, after))
    assert sorted(order) == sorted(candidate for one in batches for candidate in one.candidates)
    priorities = {one.campaign: one.priority for one in batches}
    left = {one.campaign: len(one.candidates) for one in batches}
    served: dict[int, list[int]] = defaultdict(list)
    for candidate in order:
        served[candidate.campaign].append(candidate.recipient)
        left[candidate.campaign] -= 1
        for other, waiting in left.items():
            if waiting and priorities[other] == priorities[candidate.campaign]:
                assert len(served[candidate.campaign]) - len(served[other]) <= 1
    assert all(recipients == sorted(recipients) for recipients in served.values())


@pytest.mark.parametrize("strategy", sorted(Strategy))
def test_a_server_that_cannot_take_an_email_never_gets_it(strategy: str) -> None:
    servers = [limited(1, 500), limited(2, 400), limited(3, 100)]
    assert [a.server for a in plan([Candidate(1, 7, unfit=frozenset({1, 2}))], servers, strategy)] == [3]
    assert plan([Candidate(1, 7, unfit=frozenset({1, 2, 3}))], servers, strategy) == []


@pytest.mark.parametrize("strategy", sorted(Strategy))
def test_of_the_fit_servers_the_one_that_failed_it_is_the_last_choice(strategy: str) -> None:
    servers = [limited(1, 500), limited(2, 400), limited(3, 100)]
    assert [a.server for a in plan([Candidate(1, 7, avoid=2, unfit=frozenset({1}))], servers, strategy)] == [
        3
    ]
    only = [Candidate(1, 7, avoid=2, unfit=frozenset({1, 3}))]
    assert [a.server for a in plan(only, servers, strategy)] == [2]


def test_who_waits_for_a_fit_server_holds_nobody_up() -> None:
    waiting, other = Candidate(1, 7, unfit=frozenset({1})), Candidate(1, 8)
    assert [a.candidate for a in plan([waiting, other], [limited(1, 5)])] == [other]
