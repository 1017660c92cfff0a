"""The index that finds people by any part of their address or name: one of trigrams, which PostgreSQL has as
an extension. Where that is not installed and may not be, searches look at people one after the other."""

from __future__ import annotations

import re
from typing import Any

import psycopg2
from psycopg2.sql import SQL, Identifier

EXTENSION = "pg_trgm"
NAME = "recipients_search"

FINDABLE = re.compile(r"[^\W_]{3}")
"""What it can find: three letters or digits in a row."""

SCHEMA = """
    SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = %s
"""
INDEX = """
    CREATE INDEX {name} ON public.recipients
    USING gin (email {schema}.gin_trgm_ops, name {schema}.gin_trgm_ops)
"""


def is_there(cursor: Any) -> bool:
    cursor.execute("SELECT to_regclass(%s) IS NOT NULL", (f"public.{NAME}",))
    return bool(cursor.fetchone()[0])


def make(opened: Any) -> bool:
    """Makes it where it is missing. False when the extension is not there and may not be made."""
    with opened, opened.cursor() as cursor:
        if is_there(cursor):
            return True
    try:
        with opened, opened.cursor() as cursor:
            cursor.execute(SQL("CREATE EXTENSION IF NOT EXISTS {}").format(Identifier(EXTENSION)))
    except (
        psycopg2.errors.InsufficientPrivilege,
        psycopg2.errors.FeatureNotSupported,
        psycopg2.errors.UndefinedFile,
    ):
        return False
    with opened, opened.cursor() as cursor:
        cursor.execute(SCHEMA, (EXTENSION,))
        (schema,) = cursor.fetchone()
        cursor.execute(SQL(INDEX).format(name=Identifier(NAME), schema=Identifier(schema)))
    return True
