"""`postledger api-key …`: the programs that may use the API."""

from __future__ import annotations

from datetime import datetime, timedelta

import click

from application.accounts.accounts import Accounts
from domain.accounts.accounts import ROLES, SCOPES
from postledger.cli.context import ACTOR, Settings, pass_settings
from postledger.cli.output import json_option, print_json, print_rows
from postledger.cli.users import say
from postledger.terminal import write
from storage.accounts import api_keys
from storage.accounts.api_keys import Key


@click.group("api-key")
def api_key() -> None:
    """The keys of programs that use the API. (`key` is about encryption.)"""


@api_key.command()
@click.argument("name")
@click.option("--role", type=click.Choice(list(ROLES)), help="What that role may do.")
@click.option(
    "--scope", "scopes", type=click.Choice(SCOPES), multiple=True, help="Only this; may be repeated."
)
@click.option("--days", type=click.IntRange(1, 3650), help="Until it expires. Default: never.")
@json_option
@pass_settings
def create(
    settings: Settings,
    /,
    name: str,
    role: str | None,
    scopes: tuple[str, ...],
    days: int | None,
    as_json: bool,
) -> None:
    """Create a key and print it, the only time that it can be seen."""
    if bool(role) == bool(scopes):
        raise click.UsageError("either --role or --scope is needed")
    with settings.session() as session:
        expires = session.clock.now() + timedelta(days=days) if days else None
        number, key = Accounts(session).create_key(name, scopes or ROLES[role or ""], expires, by=ACTOR)
    if as_json:
        print_json({"number": number, "name": name.strip().lower(), "key": key, "expires_at": expires})
    else:
        write(key)


@api_key.command("list")
@json_option
@pass_settings
def list_(settings: Settings, /, as_json: bool) -> None:
    """All keys ever created, newest first, without their secrets."""
    with settings.session() as session, session.pool.transaction() as cursor:
        found, now = api_keys.keys(cursor), session.clock.now()
    if as_json:
        print_json([one._asdict() for one in found])
        return
    print_rows(
        ["name", "prefix", "may", "created by", "last used", "state"],
        [
            (one.name, f"{api_keys.PREFIX}_{one.public_id}_", ", ".join(one.scopes), one.created_by,
             one.used_at or "never", state_of(one, now))
            for one in found
        ],
    )  # fmt: skip


@api_key.command()
@click.argument("name")
@json_option
@pass_settings
def revoke(settings: Settings, /, name: str, as_json: bool) -> None:
    """Refuse a key from now on."""
    with settings.session() as session:
        keys = Accounts(session)
        keys.revoke_key(keys.key_named(name).number, by=ACTOR)
    say(as_json, f"the key {name} is revoked", {"name": name, "revoked": True})


def state_of(key: Key, now: datetime) -> str:
    if key.revoked_at:
        return "revoked"
    if key.expires_at is None:
        return "valid"
    return f"until {key.expires_at:%Y-%m-%d}" if key.expires_at > now else "expired"
