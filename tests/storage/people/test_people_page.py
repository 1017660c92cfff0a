"""People page by page: whoever is wanted, and nobody twice, however they are found."""

from __future__ import annotations

from typing import Any

import pytest
from psycopg2.extensions import connection

from storage.people import finding, lists, paging, writing
from storage.people.finding import WantedPeople
from storage.people.paging import PeoplePage
from storage.subscriber_query.condition import condition

PEOPLE = 300

ASKED = {
    "anybody": WantedPeople(),
    "on a list": WantedPeople(lists=[1]),
    "who left a list": WantedPeople(lists=[1], subscription="unsubscribed"),
    "on a list in no such way": WantedPeople(lists=[2], subscription="unsubscribed"),
    "on a list that there is not": WantedPeople(lists=[7]),
    "few by their status": WantedPeople(status="blocklisted"),
    "many by their status": WantedPeople(status="enabled"),
    "many by a part of the address": WantedPeople(search="@example.org"),
    "few by a part of the name": WantedPeople(search="CLEO 1"),
    "nobody by what is between wildcards": WantedPeople(search="p%1@"),
    "by one letter": WantedPeople(search="4"),
    "by an attribute": WantedPeople(query=condition("subscribers.attribs->>'city' = 'Bern'")),
    "few, and then some of them": WantedPeople(search="p29", lists=[1], status="enabled"),
    "many, and then some of them": WantedPeople(search="example", lists=[1], subscription="unsubscribed"),
    "by everything": WantedPeople(
        search="cleo",
        query=condition("subscribers.id > 20"),
        lists=[1],
        subscription="confirmed",
        status="blocklisted",
    ),
}


@pytest.fixture(params=["with the index", "without the index"])
def cursor(admin: connection, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Three hundred people, of whom forty are few, and of whom sixty are looked at for one page."""
    monkeypatch.setattr(paging, "FEW", 40)
    monkeypatch.setattr(paging, "LOOK_AT", 60)
    with admin.cursor() as opened:
        for name in ("News", "Offers"):
            lists.create(opened, {"name": name})
        opened.execute(
            "INSERT INTO recipients (email, name, attributes)"
            " SELECT 'p' || n || '@example.org', (ARRAY['Ann', 'Cleo'])[n %% 2 + 1] || ' ' || n,"
            " jsonb_build_object('city', (ARRAY['Bern', 'Rome', 'Oslo'])[n %% 3 + 1])"
            " FROM generate_series(1, %s) n",
            (PEOPLE,),
        )
        numbers = list(range(1, PEOPLE + 1))
        writing.subscribe(opened, numbers[::2], [1], "confirmed")
        writing.subscribe(opened, numbers[:100], [2], "confirmed")
        writing.unsubscribe(opened, numbers[::9], [1])
        writing.set_status(opened, numbers[::11], "blocklisted")
        writing.erase(opened, numbers[::13])
        if request.param == "without the index":
            opened.execute("DROP INDEX recipients_search")
        yield opened


def walked(cursor: Any, wanted: WantedPeople, limit: int) -> list[PeoplePage]:
    pages = [paging.page(cursor, wanted, None, limit)]
    while pages[-1].older is not None:
        pages.append(paging.page(cursor, wanted, pages[-1].older, limit))
        assert len(pages) < PEOPLE
    return pages


@pytest.mark.parametrize("asked", ASKED)
def test_pages_have_everybody_who_is_wanted_once_and_the_newest_first(cursor: Any, asked: str) -> None:
    wanted = ASKED[asked]
    everybody = [one.number for one in finding.found(cursor, wanted, limit=PEOPLE)]
    for limit in (7, PEOPLE):
        pages = walked(cursor, wanted, limit)
        assert [one.number for page in pages for one in page.people] == everybody
        assert all(len(page.people) == limit for page in pages[:-1] if not page.looked)
        assert all(0 < page.looked <= 60 for page in pages if page.looked)
        for page in pages:
            assert page.total in (None, len(everybody)) or (page.is_more and page.total == 40)
            assert not page.is_more or len(everybody) > 40


def test_who_is_on_a_list_is_told_exactly_however_many(cursor: Any) -> None:
    total = paging.page(cursor, WantedPeople(lists=[1]), None, 10).total
    assert total == len(finding.found(cursor, WantedPeople(lists=[1]), limit=PEOPLE))
    assert total > 40


def test_a_whole_address_finds_its_owner_at_once_even_without_the_index(cursor: Any) -> None:
    page = paging.page(cursor, WantedPeople(search="P3@Example.org"), None, 10)
    assert [one.email for one in page.people] == ["p3@example.org"]
    assert (page.older, page.looked) == (None, 0)


def test_a_page_of_one_list_by_number_is_that_of_all_who_are_on_it(cursor: Any) -> None:
    for wanted in (
        WantedPeople(lists=[1]),
        WantedPeople(lists=[1], subscription="unsubscribed"),
        WantedPeople(lists=[7]),
    ):
        everybody = finding.found(cursor, wanted, order_by="created_at", ascending=True, limit=PEOPLE)
        assert len(everybody) == finding.count(cursor, wanted)
        for ascending in (True, False):
            pages = [
                finding.found(cursor, wanted, ascending=ascending, limit=50, offset=offset)
                for offset in range(0, PEOPLE, 50)
            ]
            shown = [one.number for page in pages for one in page]
            assert shown == sorted((one.number for one in everybody), reverse=not ascending)


def test_in_a_small_directory_nothing_is_left_to_look_at(
    cursor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paging, "LOOK_AT", 1000)
    wanted = ASKED["by an attribute"]
    page = paging.page(cursor, wanted, None, PEOPLE)
    assert page.total == len(page.people)
    assert (page.older, page.looked) == (None, 0)
