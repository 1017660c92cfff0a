"""Trying a campaign's templates before anybody gets them: `campaign preview`, and the check at the start."""

from __future__ import annotations

import email
import email.policy
from email.message import EmailMessage
from typing import Any

import click

from domain.streams import campaign_stream
from postledger.cli.context import Settings, pass_settings
from postledger.cli.lookup import campaign_number, recipient, server_number
from postledger.cli.output import json_option, print_json
from postledger.session import Session
from processor.compose import CampaignContent, Composer, Recipient, check
from processor.render import MessageError
from storage import content, directory

SAMPLES = 20


def refuse_faulty(session: Session, number: int) -> None:
    """Raises ClickException with what is wrong when a message cannot be made for each of some recipients."""
    with session.pool.transaction() as cursor:
        campaign = _content(session, cursor, number)
        people = _sample(session, cursor, number)
    wrong = check(campaign, people, session.clock.now(), session.config.public_url)
    if wrong:
        raise click.ClickException(
            "the campaign's templates do not work:\n" + "\n".join(f"  {error}" for error in wrong)
        )


def _content(session: Session, cursor: Any, number: int) -> CampaignContent:
    aggregate = session.application.campaign(number)
    bodies = [name for name in (aggregate.text, aggregate.html) if name]
    texts = content.texts_of(cursor, bodies) if bodies else {}
    return CampaignContent(
        number=number,
        uuid=str(campaign_stream(number)),
        name=aggregate.name,
        subject=aggregate.subject,
        text=texts.get(aggregate.text or ""),
        html=texts.get(aggregate.html or ""),
        headers=[(name, value) for name, value in aggregate.headers],
        attributes=aggregate.attributes,
    )


def _sample(session: Session, cursor: Any, number: int) -> list[Recipient]:
    """Some people of the campaign's lists, from all over them."""
    lists = session.application.campaign(number).lists
    numbers = directory.sample(cursor, lists, SAMPLES)
    return [_addressed(person) for person in directory.mailable(cursor, lists, numbers) if not person.reason]


def _addressed(person: directory.Addressee | directory.Recipient) -> Recipient:
    return Recipient(person.number, str(person.uuid), person.email or "", person.name, person.attributes)


@click.command()
@click.argument("name", metavar="CAMPAIGN")
@click.option("--to", "who", help="For this recipient (number, UUID or address). Default: one of the lists.")
@click.option("--server", "server_name", help="As sent by this server. Default: an example sender.")
@click.option("--raw", is_flag=True, help="The message as it goes over the wire.")
@json_option
@pass_settings
def preview(
    settings: Settings, /, name: str, who: str | None, server_name: str | None, raw: bool, as_json: bool
) -> None:
    """The e-mail that a recipient would get, without sending it."""
    with settings.session() as session:
        number = campaign_number(session, name)
        sender = "Postledger <news@example.com>"
        if server_name is not None:
            sender = session.application.server(server_number(session, server_name)).settings.from_email
        with session.pool.transaction() as cursor:
            campaign = _content(session, cursor, number)
            people = [_addressed(recipient(cursor, who))] if who else _sample(session, cursor, number)[:1]
        if not people:
            raise click.ClickException(
                "nobody on the campaign's lists can be mailed; name somebody with --to"
            )
        try:
            composer = Composer(campaign, session.config.public_url, session.secrets.token_key())
            message = composer.for_server(sender).message(people[0], session.clock.now())
        except MessageError as error:
            raise click.ClickException(str(error)) from None
    if raw:
        click.echo(message, nl=False)
        return
    plain = message.replace(b"\r\n..", b"\r\n.")
    _print(email.message_from_bytes(plain, policy=email.policy.default), as_json)


def _print(message: EmailMessage, as_json: bool) -> None:
    bodies = {
        name: part.get_content()
        for name in ("plain", "html")
        if (part := message.get_body((name,))) is not None
    }
    if as_json:
        print_json({"headers": [[name, str(value)] for name, value in message.items()], **bodies})
        return
    for name in ("From", "To", "Subject", "Date", "List-Unsubscribe"):
        click.echo(f"{name}: {message[name]}")
    for name, text in bodies.items():
        click.secho(f"\n--- {name} ---", bold=True)
        click.echo(text)
