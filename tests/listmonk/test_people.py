"""Lists and subscribers, through a client of listmonk."""

from __future__ import annotations

import json
from typing import Any

import pytest

from storage.postgres.pool import Pool
from tests.listmonk.client import Listmonk, ListmonkError


def facts(pool: Pool) -> list[tuple[str, dict[str, Any]]]:
    with pool.transaction() as cursor:
        cursor.execute(
            "SELECT topic, convert_from(state, 'UTF8') FROM events"
            " WHERE topic LIKE 'person%' OR topic LIKE 'list.%' ORDER BY position"
        )
        return [(topic, json.loads(state)) for topic, state in cursor.fetchall()]


def topics(pool: Pool) -> list[str]:
    return [topic for topic, _ in facts(pool)]


@pytest.fixture
def friends(listmonk: Listmonk) -> int:
    return int(listmonk.post("/api/lists", {"name": "Friends", "type": "public", "optin": "single"})["id"])


def add(listmonk: Listmonk, email: str, lists: list[int], **others: Any) -> int:
    body = {
        "email": email,
        "name": email.split("@")[0].title(),
        "status": "enabled",
        "lists": lists,
        **others,
    }
    return int(listmonk.post("/api/subscribers", body)["id"])


def emails(answer: dict[str, Any]) -> list[str]:
    return [one["email"].split("@")[0] for one in answer["results"]]


def test_the_server_says_that_it_is_there(listmonk: Listmonk) -> None:
    assert listmonk.get("/api/health") is True


def test_a_list_is_made_looked_at_changed_and_deleted(listmonk: Listmonk, pool: Pool) -> None:
    body = {"name": "Test list", "type": "public", "optin": "double"}
    made = listmonk.post("/api/lists", {**body, "tags": ["spring sale", "x"], "description": "For tests"})
    assert {**made, "uuid": "", "created_at": "", "updated_at": ""} == {
        "id": 1, "uuid": "", "created_at": "", "updated_at": "", "name": "Test list", "type": "public",
        "optin": "double", "status": "active", "tags": ["spring-sale", "x"], "description": "For tests",
        "subscriber_count": 0, "subscriber_statuses": {},
    }  # fmt: skip
    changed = listmonk.form("PUT", "/api/lists/1", {"name": "modified test list", "type": "private"})
    assert (changed["name"], changed["type"], changed["optin"]) == ("modified test list", "private", "double")
    assert listmonk.get("/api/lists/1") == changed
    assert listmonk.delete("/api/lists/1") is True
    with pytest.raises(ListmonkError, match="404: There is no list 1"):
        listmonk.get("/api/lists/1")
    assert facts(pool) == [
        ("list.created", {"by": "local", "name": "Test list", "type": "public", "optin": "double"}),
        ("list.changed", {"by": "local", "changes": {"name": "modified test list", "type": "private"}}),
        ("list.deleted", {"by": "local", "subscribers": 0}),
    ]


@pytest.mark.parametrize("tags", [["one"], ["one", "two"]])
def test_a_form_may_bring_one_tag_or_several(listmonk: Listmonk, tags: list[str]) -> None:
    assert listmonk.form("POST", "/api/lists", {"name": "Tagged", "tags": tags})["tags"] == tags


def test_lists_are_found_by_name_tag_status_and_in_order(listmonk: Listmonk) -> None:
    for name, tags in [("Alpha", ["a"]), ("Beta", ["a", "b"]), ("Gamma", [])]:
        listmonk.post("/api/lists", {"name": name, "type": "private", "optin": "single", "tags": tags})
    listmonk.put("/api/lists/3", {"name": "Gamma", "status": "archived"})

    def names(**parameters: Any) -> list[str]:
        return [one["name"] for one in listmonk.get("/api/lists", **parameters)["results"]]

    assert names() == ["Gamma", "Beta", "Alpha"], "newest first"
    assert names(order_by="name", order="asc", per_page="all") == ["Alpha", "Beta", "Gamma"]
    assert names(query="ET") == ["Beta"]
    assert names(tag=["a", "b"]) == ["Beta"]
    assert names(status="active", minimal="true", order_by="name", order="ASC") == ["Alpha", "Beta"]
    page = listmonk.get("/api/lists", page=2, per_page=2)
    assert (page["total"], page["page"], page["per_page"], len(page["results"])) == (3, 2, 2, 1)
    assert listmonk.delete("/api/lists", id=[1, 2]) is True
    assert names() == ["Gamma"]


def test_a_name_of_a_list_is_free_again_once_it_is_deleted(listmonk: Listmonk, friends: int) -> None:
    with pytest.raises(ListmonkError, match="409"):
        listmonk.post("/api/lists", {"name": "Friends", "type": "public", "optin": "single"})
    listmonk.delete(f"/api/lists/{friends}")
    assert (
        listmonk.post("/api/lists", {"name": "Friends", "type": "public", "optin": "single"})["id"] != friends
    )


def test_a_subscriber_as_in_the_documentation(listmonk: Listmonk, friends: int, pool: Pool) -> None:
    body = {
        "email": "Subscriber@Domain.com", "name": "The Subscriber", "status": "enabled", "lists": [friends],
        "attribs": {"city": "Bengaluru", "projects": 3, "stack": {"languages": ["go", "python"]}},
    }  # fmt: skip
    made = listmonk.post("/api/subscribers", body)
    assert (made["id"], made["email"], made["name"]) == (1, "subscriber@domain.com", "The Subscriber")
    assert made["attribs"] == body["attribs"]
    assert [(one["id"], one["name"], one["subscription_status"]) for one in made["lists"]] == [
        (friends, "Friends", "unconfirmed")
    ]
    assert listmonk.get("/api/subscribers/1") == made
    assert listmonk.get("/api/lists/1")["subscriber_statuses"] == {"unconfirmed": 1}
    with pytest.raises(ListmonkError) as refused:
        listmonk.post("/api/subscribers", {"email": "subscriber@domain.com", "name": "Other"})
    assert refused.value.status == 409
    assert "domain.com" not in str(facts(pool)), "no personal data in the log"


def test_who_gives_no_name_is_named_for_the_address(listmonk: Listmonk) -> None:
    made = listmonk.post(
        "/api/subscribers", {"email": "ann.berg@example.com", "preconfirm_subscriptions": True}
    )
    assert (made["name"], made["status"], made["lists"]) == ("Ann Berg", "enabled", [])


def test_subscribers_are_searched_queried_and_paged(listmonk: Listmonk, friends: int) -> None:
    other = listmonk.post("/api/lists", {"name": "Other", "type": "private", "optin": "single"})["id"]
    add(listmonk, "ann@example.com", [friends], attribs={"city": "Oslo", "projects": 4})
    add(listmonk, "bob@example.org", [friends, other], preconfirm_subscriptions=True)
    add(listmonk, "cleo@example.com", [], attribs={"city": "Oslo"})

    def found(**parameters: Any) -> list[str]:
        return emails(listmonk.get("/api/subscribers", **parameters))

    assert found() == ["cleo", "bob", "ann"]
    assert found(order_by="email", order="ASC") == ["ann", "bob", "cleo"]
    assert found(search="EXAMPLE.com") == ["cleo", "ann"]
    assert found(list_id=friends) == ["bob", "ann"]
    assert found(list_id=[friends, other], subscription_status="confirmed") == ["bob"]
    assert found(list_id=friends, subscription_status="unconfirmed") == ["ann"]
    query = "subscribers.attribs->>'city' = 'Oslo' AND (subscribers.attribs->>'projects')::INT > 3"
    answer = listmonk.get("/api/subscribers", query=query)
    assert (emails(answer), answer["query"], answer["total"]) == (["ann"], query, 1)
    page = listmonk.get("/api/subscribers", page=2, per_page=2, order_by="name", order="asc")
    assert (emails(page), page["total"], page["page"], page["per_page"]) == (["cleo"], 3, 2, 2)
    assert len(listmonk.get("/api/subscribers", page=1, per_page=100)["results"]) == 3
    assert listmonk.get("/api/subscribers", search="nobody")["results"] == []


def test_a_query_that_is_none_is_refused_at_its_place(listmonk: Listmonk) -> None:
    with pytest.raises(ListmonkError) as refused:
        listmonk.get("/api/subscribers", query="subscribers.email LIKE '%' OR pg_sleep(5) IS NULL")
    assert refused.value.status == 400
    assert "functions and subqueries are not offered" in refused.value.message


def test_a_subscriber_is_changed_whole_or_in_part(listmonk: Listmonk, friends: int, pool: Pool) -> None:
    number = add(listmonk, "ann@example.com", [friends], attribs={"a": 1, "b": 2})
    patched = listmonk.patch(f"/api/subscribers/{number}", {"name": "Updated Name", "attribs": {"b": 3}})
    assert (patched["name"], patched["attribs"], len(patched["lists"])) == (
        "Updated Name",
        {"a": 1, "b": 3},
        1,
    )
    put = listmonk.put(
        f"/api/subscribers/{number}",
        {"email": "anna@example.com", "name": "Anna", "status": "disabled", "attribs": {"c": 4}},
    )
    assert (put["email"], put["status"], put["attribs"], put["lists"]) == (
        "anna@example.com", "disabled", {"c": 4}, [],
    )  # fmt: skip
    assert facts(pool)[2:] == [
        ("person.changed", {"by": "local", "fields": ["name", "attributes"]}),
        ("person.changed", {"by": "local", "fields": ["email", "name", "attributes"]}),
        ("person.disabled", {"by": "local"}),
        ("person.taken_off", {"by": "local", "lists": [friends]}),
    ]


def test_memberships_of_many_are_added_ended_and_removed(listmonk: Listmonk, friends: int) -> None:
    people = [add(listmonk, f"p{n}@example.com", []) for n in range(3)]

    def statuses() -> dict[str, int]:
        counts: dict[str, int] = listmonk.get(f"/api/lists/{friends}")["subscriber_statuses"]
        return counts

    body = {"ids": people, "target_list_ids": [friends]}
    assert listmonk.put("/api/subscribers/lists", {**body, "action": "add", "status": "confirmed"}) is True
    assert statuses() == {"confirmed": 3}
    assert (
        listmonk.put("/api/subscribers/lists", {**body, "action": "unsubscribe", "ids": people[:1]}) is True
    )
    assert statuses() == {"confirmed": 2, "unsubscribed": 1}
    assert listmonk.put("/api/subscribers/lists", {**body, "action": "remove", "ids": people[1:2]}) is True
    assert statuses() == {"confirmed": 1, "unsubscribed": 1}
    selection = {"query": "subscribers.email LIKE 'p%'", "action": "add", "target_list_ids": [friends]}
    assert listmonk.put("/api/subscribers/query/lists", {**selection, "status": "confirmed"}) is True
    assert statuses() == {"confirmed": 2, "unsubscribed": 1}, "a query brings nobody back"
    assert listmonk.put("/api/subscribers/lists", {**body, "action": "add"}) is True
    assert statuses() == {"confirmed": 2, "unsubscribed": 1}, "nor does it when no status is given"
    assert listmonk.put("/api/subscribers/lists", {**body, "action": "add", "status": "confirmed"}) is True
    assert statuses() == {"confirmed": 3}


def test_people_are_blocklisted_one_by_one_together_and_by_a_query(listmonk: Listmonk, pool: Pool) -> None:
    people = [add(listmonk, f"p{n}@example.com", []) for n in range(5)]
    assert listmonk.put(f"/api/subscribers/{people[0]}/blocklist") is True
    assert listmonk.put("/api/subscribers/blocklist", {"ids": people[:3]}) is True
    assert (
        listmonk.put("/api/subscribers/query/blocklist", {"query": "subscribers.email = 'p3@example.com'"})
        is True
    )
    blocklisted = listmonk.get("/api/subscribers", query="subscribers.status = 'blocklisted'", order="asc")
    assert emails(blocklisted) == ["p0", "p1", "p2", "p3"]
    assert topics(pool).count("person.blocklisted") == 4, "once each"
    with pytest.raises(ListmonkError, match="400"):
        listmonk.put("/api/subscribers/query/blocklist", {"query": " "})


def test_deleting_erases_a_person_and_keeps_the_number(listmonk: Listmonk, friends: int, pool: Pool) -> None:
    people = [add(listmonk, f"p{n}@example.com", [friends]) for n in range(4)]
    assert listmonk.delete(f"/api/subscribers/{people[0]}") is True
    assert listmonk.delete("/api/subscribers", id=people[1:3]) is True
    assert listmonk.post("/api/subscribers/query/delete", {"query": "subscribers.id > 0"}) is True
    assert listmonk.get("/api/subscribers")["total"] == 0
    assert listmonk.get(f"/api/lists/{friends}")["subscriber_count"] == 0
    with pytest.raises(ListmonkError, match="404"):
        listmonk.get(f"/api/subscribers/{people[0]}")
    with pool.transaction() as cursor:
        cursor.execute("SELECT count(*), count(email) FROM recipients")
        assert cursor.fetchone() == (4, 0)
    assert topics(pool).count("person.erased") == 4


@pytest.mark.parametrize("ids", [{}, {"id": ""}, {"id": "0"}, {"id": ["1", "x"]}])
def test_nobody_is_erased_without_a_number(
    listmonk: Listmonk, friends: int, pool: Pool, ids: dict[str, Any]
) -> None:
    add(listmonk, "ann@example.com", [friends])
    with pytest.raises(ListmonkError, match="400: id: "):
        listmonk.delete("/api/subscribers", **ids)
    assert "person.erased" not in topics(pool)


def test_an_export_holds_all_that_is_known(listmonk: Listmonk, friends: int) -> None:
    hidden = listmonk.post("/api/lists", {"name": "Secret", "type": "private", "optin": "single"})["id"]
    number = add(listmonk, "ann@example.com", [friends, hidden], attribs={"city": "Oslo"})
    exported = json.loads(listmonk.raw("GET", f"/api/subscribers/{number}/export", {}))
    assert exported["profile"][0]["attribs"] == {"city": "Oslo"}
    assert [one["name"] for one in exported["subscriptions"]] == ["Friends", "Private list"]
    assert (exported["campaign_views"], exported["link_clicks"]) == ([], [])


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"status": "sleeping"}, "status: one of 'enabled', 'disabled' or 'blocklisted' is expected"),
        ({"email": "nobody"}, "email: the e-mail address must have exactly one @"),
    ],
)
def test_a_refusal_names_the_field_alone(
    listmonk: Listmonk, friends: int, body: dict[str, Any], words: str
) -> None:
    number = add(listmonk, "ann@example.com", [friends])
    with pytest.raises(ListmonkError) as refused:
        listmonk.patch(f"/api/subscribers/{number}", body)
    assert refused.value.message == words


@pytest.mark.parametrize(
    ("method", "path", "body", "field"),
    [
        ("POST", "/api/subscribers", {"email": "nobody", "name": "x"}, "email"),
        ("POST", "/api/subscribers", {"name": "x"}, "email"),
        ("POST", "/api/subscribers", {"email": "a@example.com", "status": "sleeping"}, "status"),
        ("POST", "/api/subscribers", {"email": "a@example.com", "lists": ["1"]}, "lists"),
        ("POST", "/api/subscribers", {"email": "a@example.com", "lists": [99]}, "lists"),
        ("POST", "/api/subscribers", {"email": "a@example.com", "attribs": "x"}, "attribs"),
        ("POST", "/api/subscribers", {"email": "a@example.com", "attribs": {"a": "\x00"}}, "attribs"),
        ("PUT", "/api/subscribers/lists", {"ids": [], "action": "add", "target_list_ids": [1]}, "ids"),
        ("PUT", "/api/subscribers/lists", {"ids": [1], "action": "move", "target_list_ids": [1]}, "action"),
        ("PUT", "/api/subscribers/blocklist", {}, "ids"),
        ("POST", "/api/lists", {"type": "public"}, "name"),
        ("POST", "/api/lists", {"name": "x", "type": "secret"}, "type"),
    ],
)
def test_what_is_wrong_is_said_and_changes_nothing(
    listmonk: Listmonk, pool: Pool, method: str, path: str, body: dict[str, Any], field: str
) -> None:
    with pytest.raises(ListmonkError) as refused:
        listmonk.send(method, path, body)
    assert refused.value.status == 400
    assert field in refused.value.message
    assert facts(pool) == []
