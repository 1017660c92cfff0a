"""`postledger campaign preview`: the e-mail before anybody gets it."""

from __future__ import annotations

from email.message import EmailMessage

import click

from application.campaigns.drafts import UnmakeableError
from application.campaigns.previews import CampaignMessages
from application.rendering.questions import parsed
from postledger.cli.context import Settings, pass_settings
from postledger.cli.lookup import campaign_number, recipient, server_number
from postledger.cli.output import json_option, print_json
from postledger.terminal import write, write_message


@click.command()
@click.argument("name", metavar="CAMPAIGN")
@click.option(
    "--to", "who", help="For this recipient (number, UUID or address). Default: somebody on the lists."
)
@click.option("--server", "server_name", help="As sent by this server. Default: the first one.")
@click.option("--raw", is_flag=True, help="The message as it is sent, encoded and whole.")
@json_option
@pass_settings
def preview(
    settings: Settings, /, name: str, who: str | None, server_name: str | None, raw: bool, as_json: bool
) -> None:
    """The e-mail that a recipient would get, without sending it."""
    with settings.session() as session:
        number, messages, sender = campaign_number(session, name), CampaignMessages(session), None
        if server_name is not None:
            sender = session.application.server(server_number(session, server_name)).settings.from_email
        with session.reading() as cursor:
            reader = recipient(cursor, who).number if who else None
        try:
            message = messages.message(messages.draft(number), reader, sender)
        except UnmakeableError as error:
            raise click.ClickException(str(error)) from None
    if raw:
        write_message(message)
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
        write(f"{name}: {message[name]}")
    for name, text in bodies.items():
        write(f"\n--- {name} ---", bold=True)
        write(text)
