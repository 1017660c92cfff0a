"""What people name on the command line: servers, campaigns, single e-mails."""

from __future__ import annotations

import re
from typing import Any

import click

from domain.streams import LARGEST_NUMBER
from postledger.session import Session
from projections import campaign_progress, servers
from storage.people import directory

AUTOMATIC = "automatic"


def server_number(session: Session, name: str) -> int:
    """By name first, then by number. The projections are brought up to date for it."""
    session.catch_up()
    with session.pool.transaction() as cursor:
        named = {one.name: one.server for one in servers.servers(cursor)}
    if name in named:
        return named[name]
    if name.isascii() and name.isdigit() and int(name) in named.values():
        return int(name)
    raise click.ClickException(f"there is no server {name!r}; see `postledger server list`")


def messenger(session: Session, name: str) -> int | None:
    """None for automatic, else the number of the one server to use."""
    return None if name == AUTOMATIC else server_number(session, name)


def campaign_number(session: Session, name: str) -> int:
    """By number first, then by a name that only one campaign has."""
    session.catch_up()
    with session.pool.transaction() as cursor:
        if name.isascii() and name.isdigit() and int(name) <= LARGEST_NUMBER:
            if campaign_progress.progress(cursor, int(name)):
                return int(name)
        else:
            found = [
                one.campaign
                for one in campaign_progress.campaigns(cursor, transactional=None)
                if one.name == name
            ]
            if len(found) == 1:
                return found[0]
            if found:
                raise click.ClickException(f"{len(found)} campaigns have that name; give the number")
    raise click.ClickException(f"there is no campaign {name!r}; see `postledger campaign list`")


def delivery(session: Session, name: str) -> tuple[int, int]:
    """(campaign, recipient) of CAMPAIGN/RECIPIENT, the recipient by number, UUID or e-mail address, or of
    the one number by which the API calls it."""
    campaign, slash, who = name.partition("/")
    if not slash:
        if not re.fullmatch("[0-9]{1,19}", name):
            raise click.ClickException("an e-mail is named CAMPAIGN/RECIPIENT, or by its number in the API")
        return int(name) >> 32, int(name) & 0xFFFFFFFF
    number = campaign_number(session, campaign)
    if session.application.campaign(number).transactional:
        if not re.fullmatch("[0-9]{1,10}", who) or int(who) > LARGEST_NUMBER:
            raise click.ClickException("a transactional message is named CAMPAIGN/MESSAGE, both by number")
        return number, int(who)
    with session.pool.transaction() as cursor:
        return number, recipient(cursor, who).number


def recipient(cursor: Any, who: str) -> directory.Recipient:
    person = directory.find_recipient(cursor, who)
    if person is None:
        raise click.ClickException("there is no subscriber with this number, UUID or address")
    return person


def list_named(cursor: Any, name: str) -> directory.List:
    found = directory.find_list(cursor, name)
    if found is None:
        raise click.ClickException(f"there is no list {name!r}; see `postledger lists`")
    return found
