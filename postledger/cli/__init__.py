"""The command line. `postledger --help` lists the commands; `cli.context` says what exit codes mean."""

from __future__ import annotations

from typing import Any

import click

from postledger import __version__
from postledger.cli.api_keys import api_key
from postledger.cli.campaigns.campaigns import campaign
from postledger.cli.context import Commands, Settings, database_flag
from postledger.cli.log import log, projections
from postledger.cli.operation import config, demo, doctor, key, migrate, processor, serve, web
from postledger.cli.policy import policy
from postledger.cli.queue import delivery, queue
from postledger.cli.recipients import lists, recipients
from postledger.cli.servers import server
from postledger.cli.simulation import simulate
from postledger.cli.users import user
from postledger.config import LOG_FORMATS, LOG_LEVELS


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="postledger")
@click.option("--config", type=click.Path(), help="TOML file. Default: ./postledger.toml if it is there.")
@click.option("--database-url", callback=database_flag, help="PostgreSQL to use. Default: an embedded one.")
@click.option(
    "--data-folder", type=click.Path(), help="For the embedded database, key and demo. Default: ./var"
)
@click.option("--key-file", type=click.Path(), help="Keys that encrypt SMTP passwords, newest first.")
@click.option("--log-level", type=click.Choice(LOG_LEVELS))
@click.option("--log-format", type=click.Choice(LOG_FORMATS))
@click.pass_context
def main(context: click.Context, /, **flags: Any) -> None:
    """Postledger: e-mail campaigns through many capped SMTP servers, every step on the record.

    Settings come from flags, then the environment (POSTLEDGER_…), then the TOML file, then defaults; see
    `postledger config show`. Exit codes: 0 done, 1 refused or failed, 2 wrong command line or configuration.
    """
    context.obj = Settings(flags)


for command in (
    serve, web, processor, migrate, server, recipients, lists, campaign, policy, queue, delivery, simulate,
    projections, log, doctor, config, key, demo, user, api_key,
):  # fmt: skip
    main.add_command(command)
