"""The API against its own description: what it says it takes it takes, and all else it refuses."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import schemathesis
from flask import Flask
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema

from tests.web.world import World

PHASES = ("coverage", "fuzzing")
"""Each boundary of each parameter by itself, and whatever comes up."""

EXAMPLES = 10
"""Of what comes up, for each operation and phase: so many, however long that takes."""

TAKEN = ["2xx", "3xx", "401", "403", "404", "409", "412", "422", "429", "5xx"]
REFUSED = ["400", "401", "403", "404", "405", "406", "409", "412", "413", "415", "422", "428", "429", "5xx"]
NO_FAULT = ["2xx", "3xx", "4xx", "503"]

RULED = [
    # `send_at` belongs to the status `scheduled` alone, and lies ahead.
    "PUT /api/campaigns/{number}/status",
    # That all are meant is said in so many words.
    "POST /api/queue/cancel",
    "POST /api/queue/retry",
    "POST /api/queue/send-all",
    # Hosts, addresses, windows, time zones.
    "POST /api/servers",
    "PUT /api/servers/{number}",
    "PUT /api/servers/{number}/suspend",
    "PUT /api/policy",
    # A position is one that the log has.
    "GET /api/events",
    # A cursor is one that an answer gave.
    "GET /api/deliveries",
    # A number that is left empty is none.
    "GET /api/forecast",
    # Recipients, or a campaign that has some.
    "POST /api/forecast",
]
"""Operations with rules that no schema can tell: what it allows may be refused all the same. So has
everything that listmonk's clients know: addresses, queries, templates."""


def config(document: dict[str, Any], phase: str) -> SchemathesisConfig:
    of_listmonk = [
        f"{method.upper()} {path}"
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if operation["operationId"].startswith("listmonk")
    ]
    ruled = {"positive_data_acceptance": {"expected-statuses": [*TAKEN, "400"]}}
    # listmonk counts what is too much as the most there is, and an order that it does not know as none.
    lenient = {**ruled, "negative_data_rejection": {"enabled": False}}
    return SchemathesisConfig.from_dict(
        {
            "seed": 1,
            "generation": {"deterministic": True, "max-examples": EXAMPLES, "no-shrink": True},
            "phases": {name: {"enabled": name == phase} for name in ("examples", "stateful", *PHASES)},
            "checks": {
                "ignored_auth": {"enabled": False},
                "positive_data_acceptance": {"expected-statuses": TAKEN},
                "negative_data_rejection": {"expected-statuses": REFUSED},
                "not_a_server_error": {"expected-statuses": NO_FAULT},
            },
            "operations": [
                *({"include-name": name, "checks": ruled} for name in RULED),
                *({"include-name": name, "checks": lenient} for name in of_listmonk),
            ],
        }
    )


@pytest.mark.parametrize("phase", PHASES)
def test_the_api_does_as_it_says(app: Flask, world: World, phase: str) -> None:
    server, campaign, people = world.server("alpha", daily_limit=10), world.campaign(), world.people(4)
    world.queued(campaign, people)
    world.accepted(campaign, people[0], server)
    world.failed(campaign, people[1], server)
    world.shown()
    app.extensions["postledger.waiters"].close()  # so that nobody waits for what never comes
    document = app.test_client().get("/api/openapi.json").json
    schema = schemathesis.openapi.from_wsgi("/api/openapi.json", app, config=config(document, phase))
    complaints: dict[str, str] = {}
    asked = Counter[str]()
    for event in from_schema(schema).execute():
        if isinstance(event, events.ScenarioFinished):
            asked[event.recorder.label] += len(event.recorder.interactions)
            complaints |= failures(event.recorder)
        elif isinstance(event, events.NonFatalError | events.FatalError):
            complaints[repr(event)] = ""
    assert not complaints, "\n".join(f"{what}\n{why}" for what, why in complaints.items())
    described = [method for methods in document["paths"].values() for method in methods]
    assert len(asked) == len(described) > 60
    assert asked.total() > 5 * len(described)


def failures(recorder: Any) -> dict[str, str]:
    """What went wrong, once for each operation and check, with a request that shows it."""
    return {
        f"{recorder.label}: {check.name}": f"{check.failure_info.failure}\n{check.failure_info.code_sample}"
        for checks in recorder.checks.values()
        for check in checks
        if check.failure_info is not None
    }
