"""`postledger campaign test`: the e-mail to a few addresses at once, before anybody gets it."""

from __future__ import annotations

import click

from application.campaigns.drafts import UnmakeableError
from application.campaigns.previews import CampaignMessages
from application.campaigns.test_addresses import checked_addresses
from postledger.cli.context import ACTOR, Settings, pass_settings
from postledger.cli.lookup import campaign_number, recipient, server_number
from postledger.cli.output import json_option, print_json, print_rows
from postledger.cli.values import Text


@click.command("test")
@click.argument("name", metavar="CAMPAIGN")
@click.option(
    "--addresses", "text", type=Text(), required=True,
    help="File with the addresses (- for standard input), ten at most.",
)  # fmt: skip
@click.option(
    "--server", "server_name", help="Through this server. Default: the one with the most remaining."
)
@click.option(
    "--like", "who", help="With name and attributes of this subscriber where an address is nobody's."
)
@json_option
@pass_settings
def test_emails(
    settings: Settings, /, name: str, text: str, server_name: str | None, who: str | None, as_json: bool
) -> None:
    """Send it to a few addresses at once, whatever the hours, within the limits of the servers.

    Addresses are no arguments, which every user of the machine can see.
    """
    with settings.session() as session:
        addresses, messages = checked_addresses(text), CampaignMessages(session)
        draft = messages.draft(campaign_number(session, name))
        server = server_number(session, server_name) if server_name else None
        with session.reading() as cursor:
            like = recipient(cursor, who).number if who else None
        try:
            sent = messages.send_test(draft, addresses, server, like=like, by=ACTOR)
        except UnmakeableError as error:
            raise click.ClickException(str(error)) from None
        session.catch_up()
    if as_json:
        print_json([one._asdict() for one in sent])
    else:
        print_rows(["to", "outcome", "server", "reply, or why not"],
                   [(one.address, one.outcome, one.server, one.detail) for one in sent])  # fmt: skip
    if missing := sum(one.outcome != "accepted" for one in sent):
        raise click.ClickException(f"{missing} of {len(sent)} test e-mails were not accepted")
