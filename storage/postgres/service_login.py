"""The login of the service on a server of one's own: what the migrations grant it, and nothing else.

Its password follows from the owner's, so no second one has to be kept; the owner's does not follow from it.
On a server that others look after, they make the login (docs/guide.md).
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import psycopg2
from psycopg2.extensions import connection, encrypt_password
from psycopg2.sql import SQL, Identifier, Literal

from storage.postgres.pool import SERVICE_ROLE

# The lock: of two that make it at the same time, one would fail. RESET ALL: a login may give itself settings
# that its sessions begin with.
_MAKE = """
    LOCK TABLE pg_catalog.pg_authid IN SHARE ROW EXCLUSIVE MODE;
    DO $$ BEGIN
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = {name}) THEN CREATE ROLE {role}; END IF;
    END $$;
    ALTER ROLE {role} WITH LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS
        PASSWORD {verifier};
    ALTER ROLE {role} RESET ALL
"""


def service_url(owner_url: str) -> str:
    """How the service connects where the owner connects with `owner_url`, a URL with a password."""
    owner = urlsplit(owner_url)
    place = owner.netloc.rpartition("@")[2]
    return owner._replace(netloc=f"{SERVICE_ROLE}:{_password(owner.password or '')}@{place}").geturl()


def make(owner_url: str) -> None:
    """Lets the service in with `service_url` from now on. `owner_url` is of a superuser.

    Raises psycopg2.Error."""
    with _opened(owner_url) as owner, owner.cursor() as cursor:
        password = _password(urlsplit(owner_url).password or "")
        # The server gets what it keeps and never the password, which its log could quote.
        verifier = encrypt_password(password, SERVICE_ROLE, owner, "scram-sha-256")
        names = {
            "name": Literal(SERVICE_ROLE),
            "role": Identifier(SERVICE_ROLE),
            "verifier": Literal(verifier),
        }
        cursor.execute(SQL(_MAKE).format(**names))


def may_log_in(owner_url: str) -> bool:
    try:
        with _opened(service_url(owner_url)):
            return True
    except psycopg2.OperationalError:
        return False


def _password(owners: str) -> str:
    return hmac.digest(owners.encode(), b"the login of the service", "sha256").hex()


@contextmanager
def _opened(url: str) -> Iterator[connection]:
    opened = psycopg2.connect(url, connect_timeout=5)
    try:
        with opened:
            yield opened
    finally:
        opened.close()
