"""`postledger user …`: the people who may sign in."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from application.accounts.accounts import Accounts
from domain.accounts.accounts import ROLES
from postledger.cli.context import ACTOR, Settings, pass_settings
from postledger.cli.output import json_option, print_json, print_rows
from postledger.cli.values import first_line
from postledger.terminal import write
from storage.accounts import accounts

PASSWORD_VARIABLE = "POSTLEDGER_PASSWORD"  # noqa: S105

password_option = click.option(
    "--password-file",
    help=f"The first line; - for standard input. Default: {PASSWORD_VARIABLE}, or asked for.",
)
role_choice = click.Choice(list(ROLES))


@click.group("user")
def user() -> None:
    """The people who may sign in: auditors see everything, operators run it, admins manage users too."""


@user.command()
@click.argument("name")
@click.option("--role", type=role_choice, required=True)
@password_option
@json_option
@pass_settings
def create(settings: Settings, /, name: str, role: str, password_file: str | None, as_json: bool) -> None:
    """Add a user. The first one must be an admin; from then on everybody has to sign in."""
    password = read_new_password(password_file)
    with settings.session() as session:
        number = Accounts(session).add_user(name, role, password, by=ACTOR)
    name = name.strip().lower()
    say(as_json, f"{name} can sign in as {role}", {"number": number, "name": name, "role": role})


@user.command("list")
@json_option
@pass_settings
def list_(settings: Settings, /, as_json: bool) -> None:
    """All users."""
    with settings.session() as session, session.pool.transaction() as cursor:
        found = accounts.users(cursor)
    if as_json:
        print_json([one._asdict() for one in found])
        return
    print_rows(
        ["name", "role", "can sign in", "second factor", "last signed in"],
        [
            (one.name, one.role, "no" if one.disabled else "yes", "on" if one.has_second_factor else "off",
             one.signed_in_at or "never")
            for one in found
        ],
    )  # fmt: skip


@user.command("role")
@click.argument("name")
@click.argument("new_role", metavar="ROLE", type=role_choice)
@json_option
@pass_settings
def change_role(settings: Settings, /, name: str, new_role: str, as_json: bool) -> None:
    """Give a user another role; signs the user out."""
    with settings.session() as session:
        users = Accounts(session)
        users.change_role(users.user_named(name).number, new_role, by=ACTOR)
    say(as_json, f"{name} is {new_role} now", {"name": name, "role": new_role})


@user.command("password")
@click.argument("name")
@password_option
@json_option
@pass_settings
def change_password(settings: Settings, /, name: str, password_file: str | None, as_json: bool) -> None:
    """Set a user's password; signs the user out everywhere."""
    with settings.session() as session:
        users = Accounts(session)
        number = users.user_named(name).number
        users.change_password(number, read_new_password(password_file), by=ACTOR)
    say(as_json, f"the password of {name} is changed", {"name": name, "changed": ["password"]})


@user.command()
@click.argument("name")
@json_option
@pass_settings
def disable(settings: Settings, /, name: str, as_json: bool) -> None:
    """Let a user sign in no more; signs the user out everywhere. Keys stay valid; revoke keys separately."""
    with settings.session() as session:
        users = Accounts(session)
        users.disable_user(users.user_named(name).number, by=ACTOR)
    say(as_json, f"{name} is disabled", {"name": name, "disabled": True})


@user.command()
@click.argument("name")
@json_option
@pass_settings
def enable(settings: Settings, /, name: str, as_json: bool) -> None:
    """Let a disabled user sign in again."""
    with settings.session() as session:
        users = Accounts(session)
        users.enable_user(users.user_named(name).number, by=ACTOR)
    say(as_json, f"{name} can sign in again", {"name": name, "disabled": False})


@user.command("remove-second-factor")
@click.argument("name")
@json_option
@pass_settings
def remove_second_factor(settings: Settings, /, name: str, as_json: bool) -> None:
    """Let a user who lost the device sign in with the password alone."""
    with settings.session() as session:
        users = Accounts(session)
        users.remove_second_factor(users.user_named(name).number, by=ACTOR)
    say(as_json, f"{name} signs in without a code now", {"name": name, "second_factor": False})


@user.command("email")
@click.argument("name")
@click.option(
    "--file", "file", help="The first line has the address; - for standard input. Default: asked for."
)
@click.option("--remove", is_flag=True, help="The provider signs this user in no more.")
@json_option
@pass_settings
def change_email(settings: Settings, /, name: str, file: str | None, remove: bool, as_json: bool) -> None:
    """The address by which a sign-in provider knows a user; signs the user out, and the provider's next
    sign-in with that address, verified, is linked to the user."""
    if remove and file is not None:
        raise click.UsageError("--file and --remove exclude each other")
    with settings.session() as session:
        users = Accounts(session)
        number = users.user_named(name).number
        users.set_email(number, None if remove else read_email(file), by=ACTOR)
    done = "is signed in by no provider now" if remove else "can sign in through the provider now"
    say(as_json, f"{name} {done}", {"name": name, "email": not remove})


def read_email(file: str | None) -> str:
    """Never an argument: addresses are personal, and every user of the machine can see arguments."""
    if file is not None:
        return first_line(file)
    if not sys.stdin.isatty():
        raise click.UsageError("an address is needed: --file FILE, or a terminal to ask for it")
    email: str = click.prompt("E-mail address", err=True)
    return email


def read_new_password(file: str | None) -> str:
    """Never an argument, which every user of the machine can see."""
    if file is not None:
        return first_line(file)
    if given := os.environ.get(PASSWORD_VARIABLE):
        return given
    if not sys.stdin.isatty():
        raise click.UsageError(
            f"a password is needed: --password-file FILE, the environment variable {PASSWORD_VARIABLE}, or a"
            " terminal to ask for it"
        )
    password: str = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    return password


def say(as_json: bool, sentence: str, value: dict[str, Any]) -> None:
    if as_json:
        print_json(value)
    else:
        write(sentence)
