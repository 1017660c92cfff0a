"""What the doctor asks of all that sends: processors and SMTP servers."""

from __future__ import annotations

from collections.abc import Iterator

from domain.addresses.host_name import AddressError
from domain.addresses.mailbox import Mailbox
from domain.clock import instant
from domain.server.settings import destination
from mail.smtp.probe import probe
from postledger.tools.check import Check, Patient
from projections import servers
from projections.availability import NobodySends, nobody_sends
from projections.servers import Server
from storage import processors
from storage.secrets import Secrets, SecretsError, holds_password, load_keys


def sending_processors(patient: Patient) -> Iterator[Check]:
    with patient.pool.transaction() as cursor:
        now = processors.database_time(cursor)
        failing = processors.failing_or_ending(cursor, now)
        running = processors.running(cursor, now)
        nobody = nobody_sends(cursor)
    for job in failing:
        yield Check("processor", "fail", str(job), "See what the processor's log says of it.")
    if nobody is not None:
        yield _nobody(nobody)
    elif not failing:
        yield Check("processor", "ok", f"{running} running, no job keeps failing" if running else "none yet")


def _nobody(nobody: NobodySends) -> Check:
    seen = f"the last one was seen at {instant(nobody.last_seen)}" if nobody.last_seen else "none ever has"
    return Check(
        "processor", "fail" if nobody.is_missed else "warn", f"none is running, so nothing is sent; {seen}",
        "Start one, `postledger serve` or `postledger processor`; or see why its service does not go on.",
    )  # fmt: skip


def smtp_servers(patient: Patient) -> Iterator[Check]:
    with patient.pool.transaction() as cursor:
        found = servers.servers(cursor)
    if not found:
        yield Check("SMTP servers", "warn", "none is set up", "Add one: `postledger server add --help`.")
    for server in found:
        yield from _from_address(server)
        if not server.enabled:
            yield Check(f"SMTP server {server.name}", "ok", "disabled, not tried")
            continue
        password = _password(patient, server)
        if password is None:
            continue  # the check of the key tells
        result = probe(server.settings, password)
        if not result.ok:
            yield Check(f"SMTP server {server.name}", "fail", result.error, result.remedy)
        elif result.warnings:
            yield Check(f"SMTP server {server.name}", "warn", "works", " ".join(result.warnings))
        else:
            yield Check(f"SMTP server {server.name}", "ok", "connects and signs in")


def _from_address(server: Server) -> Iterator[Check]:
    """Of one that an earlier release took: what is left goes through other servers, or fails."""
    try:
        Mailbox.parse(server.settings["from_email"])
    except AddressError as error:
        yield Check(
            f"From address of {server.name}", "fail", f"no message can come from it: {error}",
            "Set another one: `postledger server edit NAME --from-email`.",
        )  # fmt: skip


def _password(patient: Patient, server: Server) -> str | None:
    """None when it cannot be used; empty for none."""
    config = patient.config
    with patient.pool.transaction() as cursor:
        if not holds_password(cursor, server.server):
            return ""
        try:
            secrets = Secrets(load_keys(config.key, config.key_file, config.data_folder))
            return secrets.password_of(cursor, server.server, destination(server.settings))
        except SecretsError:
            return None
