"""`postledger server …`: the SMTP servers to send through."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import click

from application.policy import Policy
from application.servers import Servers
from postledger.cli.context import ACTOR, Settings, pass_settings
from postledger.cli.lookup import server_number
from postledger.cli.output import json_option, print_fields, print_json, print_rows, shown
from postledger.cli.values import PASSWORD_VARIABLE, Moment, Seconds, instant, read_password
from postledger.terminal import write
from projections import availability
from storage.secrets import holds_password

_SPOKEN = {"client": "C:", "server": "S:", "note": "--"}

_OPTIONS = (
    click.option(
        "--window", help="HH:MM-HH:MM[,…] of its own within the policy's; overnight is fine; '' for none."
    ),
    click.option("--sliding-window-rate", type=click.IntRange(1), help="E-mails in any such period."),
    click.option("--sliding-window-duration", type=Seconds(), help="For example 1h."),
    click.option(
        "--sliding-window/--no-sliding-window", default=None, help="Whether the rolling limit is on."
    ),
    click.option("--daily-limit", type=click.IntRange(0), help="E-mails per local day; 0: unlimited."),
    click.option(
        "--from-email", help="The From address of what it sends, such as 'News <news@example.com>'."
    ),
    click.option(
        "--wait-timeout", type=Seconds(), help="How long to wait for an answer to connect and sign in."
    ),
    click.option("--idle-timeout", type=Seconds(), help="How long an unused connection is kept."),
    click.option("--max-conns", type=click.IntRange(1), help="Maximum connections."),
    click.option("--hello-hostname", help="What to say in EHLO; default: this machine's name."),
    click.option("--tls-skip-verify/--tls-verify", default=None, help="Accept any certificate."),
    click.option("--tls-type", type=click.Choice(["none", "STARTTLS", "TLS"], case_sensitive=False)),
    click.option("--username"),
    click.option("--auth-protocol", type=click.Choice(["none", "plain", "login", "cram"])),
    click.option("--port", type=click.IntRange(1, 65535)),
    click.option("--host"),
)


def server_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """One option for each setting; those that are not given are None."""
    for option in _OPTIONS:
        command = option(command)
    return command


def _given(options: dict[str, Any]) -> dict[str, Any]:
    given = {name: value for name, value in options.items() if value is not None}
    if given.get("window") == "":
        given["window"] = None
    return given


@click.group("server")
def server() -> None:
    """SMTP servers: add, change, switch on and off, try."""


@server.command()
@click.argument("name")
@server_options
@click.option("--password-file", help="The first line is the password; - for standard input.")
@click.option("--no-password", is_flag=True, help="Do not ask for one.")
@click.option("--disabled", is_flag=True, help="Add it disabled.")
@json_option
@pass_settings
def add(
    settings: Settings, /, name: str, password_file: str | None, no_password: bool, disabled: bool,
    as_json: bool, **options: Any,
) -> None:  # fmt: skip
    """Add a server. With --username a password is asked for, or read from --password-file or the
    environment variable POSTLEDGER_SMTP_PASSWORD; it is stored encrypted."""
    values = {"name": name, "enabled": not disabled, **_given(options)}
    password = None
    if password_file is not None or (values.get("username") and not no_password):
        password = read_password(password_file, os.environ.get(PASSWORD_VARIABLE))
    with settings.session() as session:
        number = Servers(session).add(values, password, by=ACTOR)
    _say(as_json, f"server {number}: {name}", {"number": number, "name": name})


@server.command()
@click.argument("server_name", metavar="SERVER")
@click.option("--name", help="Rename it.")
@server_options
@click.option("--password", is_flag=True, help="Ask for a new password (or take POSTLEDGER_SMTP_PASSWORD).")
@click.option("--password-file", help="A new password: the first line; - for standard input.")
@click.option("--no-password", is_flag=True, help="Remove the stored password.")
@json_option
@pass_settings
def edit(
    settings: Settings, /, server_name: str, password: bool, password_file: str | None, no_password: bool,
    as_json: bool, **options: Any,
) -> None:  # fmt: skip
    """Change a server, by name or number; what is not given stays. In force at once, without a restart."""
    if password + no_password + (password_file is not None) > 1:
        raise click.UsageError("only one of --password, --password-file and --no-password")
    changes = _given(options)
    new_password = None
    if password or password_file is not None:
        new_password = read_password(password_file, os.environ.get(PASSWORD_VARIABLE))
    elif no_password:
        new_password = ""
    if not changes and new_password is None:
        raise click.UsageError("nothing to change")
    with settings.session() as session:
        number = server_number(session, server_name)
        Servers(session).change(number, changes, new_password, by=ACTOR)
    changed = [*changes, *([] if new_password is None else ["password"])]
    _say(
        as_json, f"server {server_name}: changed {', '.join(changed)}", {"number": number, "changed": changed}
    )


@server.command("list")
@json_option
@pass_settings
def list_(settings: Settings, /, as_json: bool) -> None:
    """Servers with what they have left today, and why those that take nothing do not."""
    with settings.session() as session:
        session.catch_up()
        with session.pool.transaction() as cursor:
            found = availability.capacity(cursor, session.clock.now()).servers
        values = [
            {
                "number": one.number,
                "uuid": one.uuid,
                **asdict(session.application.server(one.number).settings),
                "daily_used": one.daily_used,
                "daily_remaining": one.daily_remaining,
                "available": one.available,
                "unavailable_reason": str(one.closed) if one.closed else None,
            }
            for one in found
        ]
    if as_json:
        print_json(values)
        return
    print_rows(
        ["number", "name", "from", "host", "daily limit", "used", "left", "available"],
        [
            (one["number"], one["name"], one["from_email"], f"{one['host']}:{one['port']}",
             one["daily_limit"] or "unlimited", one["daily_used"], one["daily_remaining"],
             one["unavailable_reason"] or "yes")
            for one in values
        ],
    )  # fmt: skip


@server.command()
@click.argument("server_name", metavar="SERVER")
@json_option
@pass_settings
def show(settings: Settings, /, server_name: str, as_json: bool) -> None:
    """Every setting of one server; of the password only whether there is one."""
    with settings.session() as session:
        number = server_number(session, server_name)
        values = asdict(session.application.server(number).settings)
        with session.pool.transaction() as cursor:
            has_password = holds_password(cursor, number)
    values = {"number": number, **values, "has_password": has_password}
    if as_json:
        print_json(values)
    else:
        print_fields(values)


@server.command()
@click.argument("server_name", metavar="SERVER")
@json_option
@pass_settings
def enable(settings: Settings, /, server_name: str, as_json: bool) -> None:
    """Use the server."""
    _command(settings, server_name, as_json, "enabled", lambda servers, n: servers.enable(n, by=ACTOR))


@server.command()
@click.argument("server_name", metavar="SERVER")
@json_option
@pass_settings
def disable(settings: Settings, /, server_name: str, as_json: bool) -> None:
    """Send nothing more through the server."""
    _command(settings, server_name, as_json, "disabled", lambda servers, n: servers.disable(n, by=ACTOR))


@server.command()
@click.argument("server_name", metavar="SERVER")
@click.option("--reason", default="manually", show_default=True)
@click.option("--until", type=Moment(), help="Until then; default: until resumed.")
@json_option
@pass_settings
def suspend(settings: Settings, /, server_name: str, reason: str, until: Any, as_json: bool) -> None:
    """Suspend the server for a time."""

    with settings.session() as session:
        end = instant(until, Policy(session).in_force().timezone) if until else None
        number = server_number(session, server_name)
        Servers(session).suspend(number, reason, end, by=ACTOR)
    _say_outcome(as_json, server_name, number, "suspended")


@server.command()
@click.argument("server_name", metavar="SERVER")
@json_option
@pass_settings
def resume(settings: Settings, /, server_name: str, as_json: bool) -> None:
    """End a suspension, whoever or whatever began it."""
    _command(settings, server_name, as_json, "resumed", lambda servers, n: servers.resume(n, by=ACTOR))


@server.command()
@click.argument("server_name", metavar="SERVER")
@json_option
@pass_settings
def test(settings: Settings, /, server_name: str, as_json: bool) -> None:
    """Connect, encrypt and sign in, send nothing. Exit code 1 when it does not work."""
    with settings.session() as session:
        result = Servers(session).probe_as_kept(server_number(session, server_name))
    if as_json:
        print_json({name: value for name, value in asdict(result).items() if name != "extensions"})
    else:
        for step in result.steps:
            write(f"  {_SPOKEN[step.who]} {shown(step.text)}")
        for warning in result.warnings:
            write(f"Warning: {warning}", err=True)
        if result.ok:
            write(f"server {server_name} works")
    if not result.ok:
        raise click.ClickException(f"{result.error}\n{result.remedy}".strip())


def _command(
    settings: Settings, name: str, as_json: bool, outcome: str, do: Callable[[Servers, int], object]
) -> None:
    with settings.session() as session:
        number = server_number(session, name)
        do(Servers(session), number)
    _say_outcome(as_json, name, number, outcome)


def _say_outcome(as_json: bool, name: str, number: int, outcome: str) -> None:
    _say(as_json, f"server {name} is {outcome}", {"number": number, "outcome": outcome})


def _say(as_json: bool, sentence: str, value: dict[str, Any]) -> None:
    if as_json:
        print_json(value)
    else:
        write(sentence)
