"""What an event of the log says, in plain words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from domain.delivery.reply import with_code

State = Mapping[str, Any]
Names = Mapping[int, str]
"""Servers by number."""


@dataclass(frozen=True)
class EventDescription:
    """`at` ends the sentence with an instant, `joint` before it; `quote` is somebody's own words: a
    server's reply, a person's reason."""

    text: str
    tone: str = ""
    at: datetime | None = None
    joint: str = ""
    quote: str = ""


def describe(topic: str, state: State, servers: Names) -> EventDescription:
    say = DESCRIPTIONS.get(topic)
    if say is None:
        return EventDescription(topic.replace(".", ": ").replace("_", " ").capitalize())
    return say(state, servers)


def server_in(state: State, servers: Names) -> str:
    number = state.get("server")
    return "no server" if number is None else servers.get(number, f"server {number}")


def instant_in(state: State, field: str) -> datetime | None:
    value = state.get(field)
    if value is None:
        return None
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value, UTC)
    return datetime.fromisoformat(str(value)).astimezone(UTC)


def reason_in(state: State) -> str:
    return str(state.get("reason") or "")


def reply_in(state: State) -> str:
    return with_code(state.get("code"), str(state.get("reply", "")))


def attempt_started(state: State, servers: Names) -> EventDescription:
    left = state.get("remaining")
    chosen = "" if left is None else f", which had {left:,} left"
    return EventDescription(f"Attempt started through {server_in(state, servers)}{chosen}", "note")


def accepted(state: State, servers: Names) -> EventDescription:
    return EventDescription(f"{server_in(state, servers)} accepted it", "good", quote=reply_in(state))


def deferred(state: State, servers: Names) -> EventDescription:
    about = ABOUT.get(str(state.get("about")), "")
    return EventDescription(
        f"Deferred by {server_in(state, servers)}{about}",
        "warn",
        at=instant_in(state, "again"),
        joint="; next attempt at",
        quote=reply_in(state),
    )


def failed(state: State, servers: Names) -> EventDescription:
    about = ABOUT.get(str(state.get("about")), "")
    who = "" if state.get("server") is None else f", by {server_in(state, servers)}"
    return EventDescription(f"Failed{about}{who}", "bad", quote=reply_in(state))


ABOUT = {
    "recipient": " because of the recipient",
    "message": " because of the message",
    "server": " because of the server itself",
    "network": " because of the network",
    "processor": " because its processor died",
}


def requeued(state: State, _servers: Names) -> EventDescription:
    again = instant_in(state, "again")
    joint = "; next attempt at" if again else ""
    return EventDescription("Requeued", "note", at=again, joint=joint, quote=reason_in(state))


def suppressed(state: State, _servers: Names) -> EventDescription:
    reason = {
        "blocklisted": "the subscriber is blocklisted",
        "disabled": "the subscriber is disabled",
        "unsubscribed": "the subscriber has unsubscribed",
        "erased": "the subscriber’s data were erased",
    }.get(reason_in(state), reason_in(state))
    return EventDescription(f"Not sent: {reason}", "note")


def queued(state: State, _servers: Names) -> EventDescription:
    count = int(state.get("count", 0))
    return EventDescription(f"{count:,} {'recipient' if count == 1 else 'recipients'} queued")


def capacity_reserved(state: State, _servers: Names) -> EventDescription:
    return EventDescription(f"Capacity reserved: {state.get('n', 0):,} on {state.get('day', '')}")


def capacity_returned(state: State, _servers: Names) -> EventDescription:
    unused, refused = int(state.get("unused") or 0), int(state.get("refused") or 0)
    return EventDescription(f"Capacity released: {unused:,} unused, {refused:,} refused before the data")


def changed(what: str) -> Callable[[State, Names], EventDescription]:
    def say(state: State, _servers: Names) -> EventDescription:
        parts = [f"{name.replace('_', ' ')} → {shown(value)}" for name, value in state["changes"].items()]
        return EventDescription(f"{what}: {', '.join(parts)}")

    return say


def edited(state: State, _servers: Names) -> EventDescription:
    return EventDescription(f"Edited: {', '.join(sorted(state['changes']))}")


def shown(value: Any) -> str:
    match value:
        case None | "" | []:
            return "none"
        case bool():
            return "on" if value else "off"
        case int():
            return f"{value:,}"
        case list():
            return " ".join(map(str, value[:20])) + (" …" if len(value) > 20 else "")
        case _:
            return str(value)[:200]


def on_lists(text: str, tone: str = "") -> Callable[[State, Names], EventDescription]:
    """Lists are named where who asks has put their names in the place of their numbers."""

    def say(state: State, _servers: Names) -> EventDescription:
        named = [f"list {one}" if isinstance(one, int) else str(one) for one in state.get("lists", [])]
        return EventDescription(
            text.format(lists=", ".join(named), **{"status": "enabled", **without_lists(state)}), tone
        )

    return say


def without_lists(state: State) -> State:
    return {name: value for name, value in state.items() if name != "lists"}


def person_added(state: State, servers: Names) -> EventDescription:
    status = state.get("status", "enabled")
    where = on_lists(" to {lists}")(state, servers).text if state.get("lists") else ""
    return EventDescription(f"Added{where}{'' if status == 'enabled' else f', {status}'}", "good")


def imported(state: State, _servers: Names) -> EventDescription:
    count = int(state.get("imported", 0))
    return EventDescription(
        f"{count:,} {'person' if count == 1 else 'people'} imported: {state.get('new', 0):,} new, "
        f"{state.get('updated', 0):,} updated, {state.get('refused', 0):,} rows refused"
    )


def list_deleted(state: State, _servers: Names) -> EventDescription:
    count = int(state.get("subscribers", 0))
    return EventDescription(
        f"List deleted with {count:,} {'subscription' if count == 1 else 'subscriptions'}", "bad"
    )


def plain(text: str, tone: str = "") -> Callable[[State, Names], EventDescription]:
    return lambda state, _servers: EventDescription(text, tone, quote=reason_in(state))


def filled(text: str) -> Callable[[State, Names], EventDescription]:
    return lambda state, _servers: EventDescription(
        text.format_map(Blank({k: shown(v) for k, v in state.items()}))
    )


class Blank(dict[str, str]):
    def __missing__(self, _key: str) -> str:
        return "…"


DESCRIPTIONS: dict[str, Callable[[State, Names], EventDescription]] = {
    "delivery.attempt_started": attempt_started,
    "delivery.accepted": accepted,
    "delivery.deferred": deferred,
    "delivery.failed": failed,
    "delivery.outcome_unknown": plain("No reply came: it may or may not have gone out", "warn"),
    "delivery.suppressed": suppressed,
    "delivery.cancelled": plain("Cancelled"),
    "delivery.requeued": requeued,
    "audience.recipients_queued": queued,
    "campaign.created": filled("Campaign created: {name}"),
    "campaign.edited": edited,
    "campaign.scheduled": lambda state, _: EventDescription(
        "Campaign scheduled to start", "note", at=instant_in(state, "send_at"), joint=" at"
    ),
    "campaign.unscheduled": plain("Campaign unscheduled"),
    "campaign.started": plain("Campaign started", "good"),
    "campaign.queueing_finished": filled("All {recipients} recipients queued"),
    "campaign.paused": plain("Campaign paused", "warn"),
    "campaign.resumed": plain("Campaign resumed", "good"),
    "campaign.cancelled": plain("Campaign cancelled", "bad"),
    "campaign.finished": plain("Campaign finished", "good"),
    "campaign.priority_changed": lambda state, _: EventDescription(
        f"Priority set to {state['priority']}", quote=reason_in(state)
    ),
    "server.added": lambda state, _: EventDescription(f"Server added: {state['settings']['name']}", "good"),
    "server.changed": changed("Server changed"),
    "server.enabled": plain("Server enabled", "good"),
    "server.disabled": plain("Server disabled"),
    "server.suspended": lambda state, _: EventDescription(
        "Server suspended",
        "warn",
        at=instant_in(state, "until"),
        joint=" until" if state.get("until") else "",
        quote=reason_in(state),
    ),
    "server.resumed": plain("Server resumed", "good"),
    "server.password_changed": lambda state, _: EventDescription(
        "Password removed" if state.get("removed") else "Password set"
    ),
    "capacity.reserved": capacity_reserved,
    "capacity.returned": capacity_returned,
    "policy.changed": changed("Settings changed"),
    "person.added": person_added,
    "person.changed": lambda state, _: EventDescription(f"Changed: {', '.join(state['fields'])}"),
    "person.enabled": plain("Enabled", "good"),
    "person.disabled": plain("Disabled", "warn"),
    "person.blocklisted": plain("Blocklisted", "bad"),
    "person.erased": plain("Erased: address, name, attributes and lists", "bad"),
    "person.subscribed": on_lists("Added to {lists} as {status}", "good"),
    "person.unsubscribed": on_lists("Unsubscribed from {lists}", "warn"),
    "person.taken_off": on_lists("Removed from {lists}"),
    "people.imported": imported,
    "list.created": filled("List created: {name}"),
    "list.changed": changed("List changed"),
    "list.deleted": list_deleted,
    "template.created": filled("Template created: {name}"),
    "template.edited": edited,
    "template.made_default": plain("Set as default template", "good"),
    "template.deleted": plain("Template deleted", "bad"),
    "campaign.estimated": filled("Estimated for {recipients} recipients: {days} days of sending"),
    "campaign.test_started": lambda state, servers: EventDescription(
        f"Test e-mail started through {server_in(state, servers)}", "note"
    ),
    "campaign.tried": lambda state, servers: EventDescription(
        f"Test e-mail through {server_in(state, servers)}: {state.get('outcome')}",
        "good" if state.get("outcome") == "accepted" else "warn",
        quote=reply_in(state),
    ),
    "user.added": filled("User {name} added as {role}"),
    "user.role_changed": filled("Role of a user set to {role}"),
    "user.password_changed": plain("Password of a user changed"),
    "user.disabled": plain("User disabled", "warn"),
    "user.enabled": plain("User enabled"),
    "user.second_factor_set": plain("Second factor of a user turned on"),
    "user.second_factor_removed": plain("Second factor of a user turned off", "warn"),
    "user.second_factors_required": lambda state, _: EventDescription(
        f"Second factor required for {', '.join(state['roles']) or 'nobody'}"
    ),
    "user.email_changed": plain("E-mail address of a user for the sign-in provider changed"),
    "user.linked": filled("A user signed in through the provider {issuer} for the first time"),
    "key.created": filled("API key {name} created, for {scopes}"),
    "key.revoked": plain("API key revoked", "warn"),
}
