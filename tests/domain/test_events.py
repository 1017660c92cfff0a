"""Topics and states of events stand in logs for ever: what changes here breaks a log."""

from __future__ import annotations

import json
from dataclasses import MISSING, fields
from datetime import UTC, datetime
from inspect import get_annotations
from typing import Any
from uuid import UUID

import pytest
from eventsourcing.application import Application
from eventsourcing.persistence import StoredEvent
from eventsourcing.utils import get_topic, resolve_topic

from application.decisions.postledger import Postledger
from domain.fact import Fact
from domain.streams import campaign_stream
from domain.topics import EVENT_CLASSES

TOPICS = """
audience.recipients_queued by count ranges
campaign.cancelled by reason timestamp
campaign.created attributes body by content_type headers html lists messenger name number \
originator_topic planned_for priority subject tags template text timestamp transactional
campaign.edited by changes timestamp
campaign.estimated by days finish first recipients
campaign.finished by timestamp
campaign.paused by reason timestamp
campaign.priority_changed by priority reason timestamp
campaign.queueing_finished by recipients timestamp
campaign.resumed by reason timestamp
campaign.scheduled by send_at timestamp
campaign.started by timestamp
campaign.test_started by recipient reservation server
campaign.tried by code outcome recipient reply reservation server started
campaign.unscheduled by timestamp
capacity.reserved by day n until
capacity.returned at by refused reservation unused
delivery.accepted by code reply server
delivery.attempt_started by id_domain remaining reservation server
delivery.cancelled by reason
delivery.deferred about again by code provoked reply server
delivery.failed about by code reply server
delivery.outcome_unknown by reason server
delivery.requeued again by reason
delivery.suppressed by reason
key.created by expires name scopes
key.revoked by
list.changed by changes
list.created by name optin type
list.deleted by subscribers
people.imported by imported lists new refused rows status subscribed updated
person.added by lists status
person.blocklisted by
person.changed by fields
person.disabled by
person.enabled by
person.erased by
person.subscribed by lists status
person.taken_off by lists
person.unsubscribed by campaign lists
policy.changed by changes
server.added by number originator_topic settings timestamp
server.changed by changes timestamp
server.disabled by timestamp
server.enabled by timestamp
server.password_changed by removed timestamp
server.resumed by timestamp
server.suspended by reason timestamp until
template.created body by name number originator_topic source subject timestamp type
template.deleted by timestamp
template.edited by changes timestamp
template.made_default by timestamp
user.added by name role
user.disabled by
user.email_changed by removed
user.enabled by
user.linked by issuer
user.password_changed by
user.role_changed by role
user.second_factor_removed by
user.second_factor_set by
user.second_factors_required by roles
"""
SAMPLES: dict[str, Any] = {
    "str": "ünï",
    "int": 3,
    "bool": True,
    "float": 4.5,
    "datetime": datetime(2026, 11, 24, 12, 0, 0, 5, tzinfo=UTC),
    "list[list[int]]": [[1, 4], [9, 9]],
    "list[list[str]]": [["X-A", "b"]],
    "list[int]": [1, 2],
    "list[str]": ["a", "b"],
    "dict[str, Any]": {"name": "ü", "lists": [1], "window": None, "enabled": True},
    "str | None": "x",
    "int | None": 3,
    "float | None": 4.5,
}

every_event = pytest.mark.parametrize("kind", EVENT_CLASSES, ids=get_topic)


def state_fields(kind: type) -> dict[str, str]:
    names = {field.name for field in fields(kind)} - {"originator_id", "originator_version"}
    return {
        name: str(spelled).removeprefix("typing.")
        for name, spelled in spellings(kind).items()
        if name in names
    }


def spellings(kind: type) -> dict[str, str]:
    merged: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        merged |= get_annotations(base)
    return merged


def sample(kind: type, without: frozenset[str] = frozenset()) -> Any:
    values = {name: SAMPLES[spelled] for name, spelled in state_fields(kind).items() if name not in without}
    return kind(originator_id=campaign_stream(7), originator_version=2, **values)


@pytest.fixture(scope="module")
def application() -> Application[UUID]:
    return Postledger({"PERSISTENCE_MODULE": "eventsourcing.popo"})


def test_topics_and_fields_are_those_in_the_logs_out_there() -> None:
    lines = {" ".join([get_topic(kind), *sorted(state_fields(kind))]) for kind in EVENT_CLASSES}
    assert lines == set(TOPICS.strip().splitlines())
    assert len(EVENT_CLASSES) == len(lines)


def test_no_event_class_is_missing() -> None:
    def below(kind: type) -> set[type]:
        return {kind}.union(*(below(sub) for sub in kind.__subclasses__()))

    assert below(Fact) - {Fact} == {kind for kind in EVENT_CLASSES if issubclass(kind, Fact)}


@every_event
def test_a_topic_leads_back_to_its_class(kind: type) -> None:
    assert resolve_topic(get_topic(kind)) is kind


@every_event
def test_an_event_comes_back_as_it_was_stored(kind: type, application: Application[UUID]) -> None:
    event = sample(kind)
    stored = application.mapper.to_stored_event(event)
    assert stored.topic == get_topic(kind)
    assert application.mapper.to_domain_event(stored) == event
    if isinstance(event, Fact):
        assert application.mapper.to_domain_event(event.stored()) == event


@pytest.mark.parametrize("kind", [kind for kind in EVENT_CLASSES if issubclass(kind, Fact)], ids=get_topic)
def test_a_fact_leaves_defaults_out_and_has_them_again(kind: Any, application: Application[UUID]) -> None:
    defaults = frozenset(
        name for name in state_fields(kind) if kind.__dataclass_fields__[name].default is not MISSING
    )
    event = sample(kind, without=defaults)
    stored = event.stored()
    assert json.loads(stored.state).keys() == state_fields(kind).keys() - defaults
    back = application.mapper.to_domain_event(stored)
    assert {name: getattr(back, name) for name in state_fields(kind)} == {
        name: getattr(event, name) for name in state_fields(kind)
    }


def test_a_fact_is_stored_small() -> None:
    stored = sample(resolve_topic("delivery.accepted")).stored()
    assert stored == StoredEvent(
        originator_id=campaign_stream(7),
        originator_version=2,
        topic="delivery.accepted",
        state='{"by":"ünï","server":3,"reply":"ünï","code":3}'.encode(),
    )
