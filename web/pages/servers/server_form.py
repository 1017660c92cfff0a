"""Adding, changing and trying SMTP servers. What is saved is in force at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from flask import Blueprint, make_response, redirect, render_template, request
from werkzeug.wrappers import Response

from application.servers import Servers
from domain.errors import Missing, Refused
from domain.server.settings import AuthProtocol, ServerSettings, TlsType
from mail.smtp.probe import ProbeResult
from storage.secrets import holds_password
from web.http.access import actor, needs
from web.http.services import reading, services
from web.pages.forms import duration, faults, seconds, whole
from web.pages.notices import say
from web.pages.servers.servers import page_of

blueprint = Blueprint("server_form_pages", __name__)

FLAGS = ("tls_skip_verify", "sliding_window", "enabled")
NUMBERS = ("port", "max_conns", "daily_limit", "sliding_window_rate")
DURATIONS = ("idle_timeout", "wait_timeout", "sliding_window_duration")
TEXTS = ("name", "host", "auth_protocol", "username", "tls_type", "hello_hostname", "from_email", "window")
LONGEST_TEXT = 500
PART = "X-Part"
"""The header with which our script asks for a part of a page alone."""

AUTH = [
    (AuthProtocol.NONE, "None"),
    (AuthProtocol.LOGIN, "LOGIN"),
    (AuthProtocol.PLAIN, "PLAIN"),
    (AuthProtocol.CRAM, "CRAM-MD5"),
]
TLS = [
    (TlsType.STARTTLS, "STARTTLS (usual on port 587)"),
    (TlsType.TLS, "Implicit TLS (port 465)"),
    (TlsType.NONE, "None (anyone on the way can read everything)"),
]


@blueprint.get("/servers/new")
@needs("configure")
def new() -> Response:
    sender = services().application.policy().default_from
    defaults = ServerSettings(name="", host="", from_email=sender, auth_protocol=AuthProtocol.LOGIN.value)
    return form(None, typed(asdict(defaults)), {})


@blueprint.post("/servers")
@needs("configure")
def add() -> Response:
    given = from_form()
    try:
        number = Servers(services()).add(given, request.form.get("password") or None, by=actor())
    except Refused as refused:
        return form(None, as_typed(), faults(refused), status=400)
    say(f"{given['name']} is added{', and in use from now on' if given['enabled'] else ''}.")
    return redirect(f"/servers?open={number}#server-{number}", 303)


@blueprint.get("/servers/<int:number>/edit")
@needs("configure")
def edit(number: int) -> Response:
    return form(number, typed(services().application.server(number).settings.as_dict()), {})


@blueprint.post("/servers/<int:number>/edit")
@needs("configure")
def change(number: int) -> Response:
    given = from_form()
    password = "" if request.form.get("remove_password") else request.form.get("password") or None
    try:
        Servers(services()).change(number, given, password, by=actor())
    except Missing:
        raise
    except Refused as refused:
        return form(number, as_typed(), faults(refused), status=400)
    say(f"{given['name']} is changed. The changes apply from now on.")
    return redirect(f"/servers?open={number}#server-{number}", 303)


@blueprint.post("/servers/test")
@needs("configure")
def try_new() -> Response:
    return tried(None)


@blueprint.post("/servers/<int:number>/test")
@needs("configure")
def try_kept(number: int) -> Response:
    """With the values of the form when there are any, else as the server stands."""
    if "host" in request.form:
        return tried(number)
    return make_response(page_of(number, Servers(services()).probe_as_kept(number)))


def tried(number: int | None) -> Response:
    """Nothing is kept. Without a script the whole form comes again, so only the password is to be typed
    anew; the page's script asks for the outcome alone."""
    given = from_form()
    given["name"] = given["name"] or "new"
    try:
        probed = Servers(services()).probe(given, request.form.get("password") or None, number)
    except Refused as refused:
        return outcome(number, {"faults": faults(refused)}, 400)
    return outcome(number, {"probed": probed})


def outcome(number: int | None, found: dict[str, Any], status: int = 200) -> Response:
    if request.headers.get(PART) == "probe":
        answer = make_response(render_template("servers/probe.html", **found), status)
        answer.headers[PART] = "probe"
        return answer
    return form(number, as_typed(), found.get("faults", {}), found.get("probed"), status)


def form(
    number: int | None,
    values: Mapping[str, Any],
    errors: Mapping[str, str],
    probed: ProbeResult | None = None,
    status: int = 200,
) -> Response:
    name = ""
    kept = False
    if number is not None:
        name = services().application.server(number).settings.name
        with reading() as cursor:
            kept = holds_password(cursor, number)
    page = render_template(
        "servers/server_form.html",
        number=number,
        name=name,
        values=values,
        errors=errors,
        probed=probed,
        has_password=kept,
        auth=AUTH,
        tls=TLS,
        timezone=services().application.policy().timezone,
    )
    return make_response(page, status)


def typed(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as they are typed."""
    return {
        name: duration(value) if name in DURATIONS else ("" if value is None else value)
        for name, value in settings.items()
    }


def as_typed() -> dict[str, Any]:
    """What was typed, so that nothing is lost."""
    return {name: text_of(name) for name in (*TEXTS, *NUMBERS, *DURATIONS)} | {
        name: bool(request.form.get(name)) for name in FLAGS
    }


def text_of(name: str) -> str:
    return request.form.get(name, "")[:LONGEST_TEXT]


def from_form() -> dict[str, Any]:
    """Settings, as the rules take them. What is no number or duration goes on as it is and is refused."""
    given: dict[str, Any] = {name: text_of(name).strip() for name in TEXTS}
    given |= {name: whole(text_of(name)) for name in NUMBERS}
    given |= {name: seconds(text_of(name)) for name in DURATIONS}
    given |= {name: bool(request.form.get(name)) for name in FLAGS}
    given["window"] = given["window"] or None
    return given
