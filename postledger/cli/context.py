"""What every command shares: the global options, how the configuration is reached, and the exit codes.

0: done. 1: refused or failed, and the reason is on standard error. 2: the command line or the
configuration is wrong.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import psycopg2

from domain.errors import Refused
from postledger import config
from postledger.logs import set_up_logs
from postledger.session import NotReadyError, Session, open_session
from postledger.terminal import harmless
from projections.following.rebuild import RebuildUnderWay
from storage.content import TextTooLarge
from storage.migrate import MigrationError
from storage.postgres.embedded import EmbeddedServerError
from storage.secrets import SecretsError

log = logging.getLogger(__name__)

ACTOR = "cli"

EXPECTED = (
    Refused, NotReadyError, SecretsError, EmbeddedServerError, MigrationError, RebuildUnderWay, TextTooLarge,
)  # fmt: skip


@dataclass
class Settings:
    """The global options; click hands it to every command."""

    flags: dict[str, Any] = field(default_factory=dict)

    def config(self, flags: Mapping[str, Any] | None = None) -> config.Config:
        """With a command's own flags on top. Raises a usage error for a setting that cannot be used."""
        try:
            loaded = config.load({**self.flags, **(flags or {})}, os.environ, Path.cwd())
        except config.ConfigError as error:
            raise click.UsageError(str(error)) from None
        set_up_logs(loaded, "cli")
        return loaded

    @contextmanager
    def session(self) -> Iterator[Session]:
        with open_session(self.config()) as session:
            yield session


pass_settings = click.make_pass_decorator(Settings, ensure=True)


class Commands(click.Group):
    """The root group: turns what may go wrong into one line on standard error and the exit code 1."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except click.UsageError:
            raise
        except click.ClickException as error:
            raise click.ClickException(harmless(error.message)) from None
        except EXPECTED as error:
            raise click.ClickException(harmless(str(error))) from None
        except psycopg2.OperationalError as error:
            # libpq names host, port and user here, never the password.
            text = str(error).strip() or type(error).__name__
            raise click.ClickException(f"the database cannot be worked with: {harmless(text)}") from None
        except psycopg2.Error as error:
            # The server's detail can quote a row, and so a person: it is shown on request only.
            log.debug("the database refused", exc_info=True)
            text = error.diag.message_primary or type(error).__name__
            raise click.ClickException(
                f"the database refused: {harmless(text)} (more with --log-level debug)"
            ) from None


def database_flag(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    if value and config.holds_password(value):
        raise click.BadParameter(
            "a password in an argument is visible to every user of the machine: put the URL into the"
            " environment (POSTLEDGER_DATABASE_URL or DATABASE_URL), the configuration file, or the"
            " password into ~/.pgpass"
        )
    return value
