"""Trying a campaign's templates before anybody gets them: `campaign preview`, and the check at the start."""

from __future__ import annotations

from email.message import EmailMessage

import click

from application.previews import CampaignMessages, addressed, content_of, parsed, sample
from mail.message.compose import Composer
from mail.template.render import MessageError
from postledger.cli.context import Settings, pass_settings
from postledger.cli.lookup import campaign_number, recipient, server_number
from postledger.cli.output import json_option, print_json
from postledger.session import Session


def refuse_faulty(session: Session, number: int) -> None:
    """Raises ClickException with what is wrong when a message cannot be made for each of some recipients."""
    wrong = CampaignMessages(session).preflight(number)
    if wrong:
        raise click.ClickException(
            "the campaign's templates do not work:\n" + "\n".join(f"  {error}" for error in wrong)
        )


@click.command()
@click.argument("name", metavar="CAMPAIGN")
@click.option("--to", "who", help="For this recipient (number, UUID or address). Default: one of the lists.")
@click.option("--server", "server_name", help="As sent by this server. Default: an example sender.")
@click.option("--raw", is_flag=True, help="The message as it is sent, encoded and whole.")
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
        draft = CampaignMessages(session).draft(number)
        with session.pool.transaction() as cursor:
            people = [addressed(recipient(cursor, who))] if who else sample(cursor, draft.lists)[:1]
        if not people:
            raise click.ClickException(
                "nobody on the campaign's lists can be mailed; name somebody with --to"
            )
        try:
            composer = Composer(content_of(draft), session.public_address, session.secrets.token_key())
            message = composer.for_server(sender).message(people[0], session.clock.now())
        except MessageError as error:
            raise click.ClickException(str(error)) from None
    if raw:
        click.echo(message, nl=False)
        return
    _print(parsed(message), as_json)


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
