"""Every example in docs/api.md is a request that is answered as it says."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient

from tests.web.world import NOON, World

PAGE = Path(__file__).parents[3] / "docs" / "api.md"
BLOCK = re.compile(r"^```(http|json)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def examples() -> list[tuple[str, tuple[int, Any]]]:
    """Requests in the order of the page, each with the status and the body of its answer; of a body that
    is not shown None."""
    found: list[tuple[str, tuple[int, Any]]] = []
    for kind, text in BLOCK.findall(PAGE.read_text()):
        if kind == "json":
            found[-1] = (found[-1][0], (0, json.loads(text)))
        elif text.startswith("HTTP/1.1 "):
            head, _, body = text.partition("\n\n")
            found[-1] = (found[-1][0], (int(head.split()[1]), json.loads(body)))
        else:
            found.append((text, (0, None)))
    return found


def send(client: FlaskClient, text: str) -> Any:
    head, _, body = text.partition("\n\n")
    first, *others = head.strip().splitlines()
    method, path = first.split(" ")
    headers = dict(line.split(": ", 1) for line in others)
    return client.open(
        path, method=method, headers=headers, **({"json": json.loads(body)} if body.strip() else {})
    )


def differences(shown: Any, given: Any, where: str = "") -> list[str]:
    """Where the form of what is shown is not that of what is given. Texts and numbers may be others, and
    null stands for either."""
    if isinstance(shown, dict) and isinstance(given, dict):
        if shown.keys() != given.keys():
            return [f"{where}: {sorted(shown.keys() ^ given.keys())}"]
        return [one for key in shown for one in differences(shown[key], given[key], f"{where}.{key}")]
    if isinstance(shown, list) and isinstance(given, list):
        return differences(shown[0], given[0], f"{where}[]") if shown and given else []
    kinds = {type(shown), type(given)}
    return [] if len(kinds) == 1 or type(None) in kinds else [f"{where}: {shown!r} and {given!r}"]


def test_every_example_is_answered_as_the_page_says(world: World, app: Flask) -> None:
    server, campaign, people = world.server("mail2", daily_limit=1000), world.campaign(), world.people(5)
    world.queued(campaign, people)
    world.deferred(campaign, people[0], server, NOON + timedelta(minutes=4))
    world.accepted(campaign, people[2], server)
    world.failed(campaign, people[3], server)
    world.shown()
    found = examples()
    assert len(found) > 20
    for request, (status, body) in found:
        answer = send(app.test_client(), request)
        assert answer.status_code in ((status,) if status else (200, 201)), (request, answer.json)
        if body is not None:
            assert differences(body, answer.json) == [], request
        if status:
            assert body == answer.json, request
