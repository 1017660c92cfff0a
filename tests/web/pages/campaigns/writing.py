"""A campaign as a form brings it."""

from __future__ import annotations

from typing import Any

from tests.web.accounts.browsers import Browser
from tests.web.world import World

FORM: dict[str, Any] = {
    "name": "Spring letter",
    "subject": "Spring, {{ subscriber.first_name }}",
    "lists": ["1"],
    "html": "<p>Hello {{ subscriber.first_name }}</p>",
    "text": "Hello {{ subscriber.first_name }}",
    "messenger": "",
    "priority": "normal",
    "headers": "X-Campaign: spring\nReply-To: desk@example.com\n",
    "send_at": "",
}


def write(person: Browser, **changes: Any) -> Any:
    return person.post("/campaigns/new", "/campaigns/new", **{**FORM, **changes})


def many_people(world: World, count: int) -> None:
    friends = world.directory.list("Friends")
    with world.pool.transaction() as cursor:
        cursor.execute(
            "WITH made AS (INSERT INTO recipients (email) SELECT 'r' || n || '@example.org'"
            " FROM generate_series(1, %s) n RETURNING number)"
            " INSERT INTO subscriptions (list, recipient, status) SELECT %s, number, 'confirmed' FROM made",
            (count, friends),
        )
