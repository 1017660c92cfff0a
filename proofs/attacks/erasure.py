"""Who is erased is in no row of the database any more, and not in what its server writes beside."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg2
from psycopg2 import sql

from proofs.attacked.house import House
from proofs.finding import Finding

ADDRESS = "forgotten.person@attacked.example"
TABLES = """
    SELECT table_schema, table_name FROM information_schema.tables
    WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')
"""


def attack(house: House) -> Iterator[Finding]:
    person = {"email": ADDRESS, "name": "Forgotten Person", "status": "enabled", "lists": [house.list]}
    made = house.everything.ask("POST", "/api/subscribers", person, Idempotency_Key="forgotten-1").data
    house.everything.ask(
        "POST", "/api/subscribers", {**person, "lists": "wrong"}, Idempotency_Key="forgotten-2"
    )
    imported = f"email,name,attributes\n{ADDRESS},Forgotten Person,{{}}\n"
    house.command("recipients", "import", "-", "--list", "Imported", said=imported)
    house.ok("GET", f"/api/queue/items?subscriber={ADDRESS}")
    house.ok("DELETE", f"/api/subscribers/{made['id']}")
    places = [*_rows(house), *_files(house)]
    yield Finding("left_after_erasing", len(places), "places", 0, note=", ".join(places))


def _rows(house: House) -> Iterator[str]:
    """Tables with the address in any column, as text or as bytes."""
    as_text, as_bytes = f"%{ADDRESS}%", ADDRESS.encode().hex()
    with psycopg2.connect(house.owner_url) as connection, connection.cursor() as cursor:
        cursor.execute(TABLES)
        for schema, table in cursor.fetchall():
            cursor.execute(
                sql.SQL("SELECT count(*) FROM {} t WHERE t::text ILIKE %s OR t::text LIKE %s").format(
                    sql.Identifier(schema, table)
                ),
                (as_text, f"%{as_bytes}%"),
            )
            (count,) = cursor.fetchone() or (0,)
            if count:
                yield f"{schema}.{table}"


def _files(house: House) -> Iterator[str]:
    """What the database's server has written down about statements."""
    for file in (house.folder / "var" / "postgresql").rglob("*log*"):
        if file.is_file() and "pg_" not in str(file.parent) and ADDRESS.encode() in file.read_bytes():
            yield file.name
