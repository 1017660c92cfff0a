"""`postledger serve`, `web`, `processor`, `migrate`, `config show`, `key rotate`, `doctor`, `demo`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from postledger.cli.context import Settings, pass_settings
from postledger.cli.output import console, json_option, print_json, print_rows, shown
from postledger.session import open_database, prepare
from postledger.terminal import write
from storage.secrets import KEY_FILE_NAME, Secrets, new_key, read_key_file, write_key_file


def web_options(command: Any) -> Any:
    command = click.option(
        "--public-url", help="Address of the pages for people; used in unsubscribe links."
    )(command)
    command = click.option("--port", type=int, help="Default: 8025.")(command)
    return click.option("--bind", help="Default: 127.0.0.1; any other needs an admin.")(command)


@click.command()
@web_options
@click.option("--processors", type=click.IntRange(1, 64), default=1, show_default=True)
@pass_settings
def serve(settings: Settings, /, processors: int, **flags: Any) -> None:
    """Everything in one go: the database, the pages and a processor, until Ctrl-C or SIGTERM."""
    from postledger.serving.serve import run_all

    sys.exit(run_all(settings.config(flags), processors))


@click.command()
@web_options
@pass_settings
def web(settings: Settings, /, **flags: Any) -> None:
    """The pages and the API alone."""
    from postledger.serving.pages import run_web

    sys.exit(run_web(settings.config(flags)))


@click.command()
@pass_settings
def processor(settings: Settings, /) -> None:
    """One sending process; several may run at once, on several machines too."""
    from postledger.serving.processing import run_processor

    sys.exit(run_processor(settings.config()))


@click.command()
@json_option
@pass_settings
def migrate(settings: Settings, /, as_json: bool) -> None:
    """Bring the database up to date. Repeating it does no harm."""
    config = settings.config()
    with open_database(config) as database:
        applied = prepare(database, config)
    if as_json:
        print_json({"applied": list(applied), "rebuilt": applied.rebuilt, "warnings": applied.warnings})
        return
    for name in applied:
        write(f"applied {name}")
    for name in applied.rebuilt:
        write(f"rebuilt projection {name}")
    for warning in applied.warnings:
        write(f"Warning: {warning}", err=True)
    if not applied and not applied.rebuilt:
        write("the database is up to date")


@click.group("config")
def config() -> None:
    """The configuration in force."""


@config.command("show")
@json_option
@pass_settings
def show_config(settings: Settings, /, as_json: bool) -> None:
    """Every setting, its value (secrets hidden) and where it came from."""
    loaded = settings.config()
    values = loaded.shown()
    if as_json:
        print_json({name: {"value": value, "source": loaded.sources[name]} for name, value in values.items()})
        return
    rows = [(name, value, loaded.sources[name]) for name, value in values.items()]
    print_rows(["setting", "value", "source"], rows)


@click.group("key")
def key() -> None:
    """The key that encrypts SMTP passwords."""


@key.command("rotate")
@json_option
@pass_settings
def rotate_key(settings: Settings, /, as_json: bool) -> None:
    """Encrypt every stored password with a new key.

    With a key file the new key is made and put in front. With POSTLEDGER_KEY put the new key in front
    yourself, then run this. Old keys stay in force, since unsubscribe links that are out need them.
    """
    loaded = settings.config()
    with settings.session() as session:
        secrets = session.secrets
        if loaded.key is None:
            file = loaded.key_file or loaded.data_folder / KEY_FILE_NAME
            secrets = _with_new_key(file)
        with session.pool.transaction() as cursor:
            count = secrets.rotate(cursor)
    if as_json:
        print_json({"passwords": count, "keys": len(secrets.keys)})
    else:
        write(f"{count} passwords are encrypted with the newest of {len(secrets.keys)} keys")


def _with_new_key(file: Path) -> Secrets:
    """The file is written first: a crash in between leaves passwords that the second key opens."""
    keys = [new_key(), *read_key_file(file)]
    secrets = Secrets(keys)
    write_key_file(file, keys)
    return secrets


@click.command()
@json_option
@pass_settings
def doctor(settings: Settings, /, as_json: bool) -> None:
    """Look at everything that sending needs; each trouble comes with a remedy. Exit code 1 if any fails."""
    from postledger.tools.doctor import examine

    checks = examine(settings.config())
    if as_json:
        print_json([check._asdict() for check in checks])
    else:
        for check in checks:
            colour = {"ok": "green", "warn": "yellow", "fail": "red"}[check.state]
            console().print(
                f"[{colour}]{check.state:4}[/] [bold]{shown(check.name)}[/]: {shown(check.finding)}"
            )
            if check.remedy:
                console().print(f"     {shown(check.remedy)}", style="dim")
    sys.exit(1 if any(check.state == "fail" for check in checks) else 0)


@click.command()
@web_options
@click.option("--once", is_flag=True, help="End when the campaign has finished, with one JSON line.")
@pass_settings
def demo(settings: Settings, /, once: bool, **flags: Any) -> None:
    """A campaign of 500 e-mails through three SMTP servers on this machine, to watch on a page."""
    from postledger.tools.demo import run_demo

    sys.exit(run_demo(settings.config(flags), once=once))
