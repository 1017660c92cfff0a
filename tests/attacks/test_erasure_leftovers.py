"""Who was erased is gone: from every table and index, from what is kept for repeated requests, from names of
files, from what the planner knows, from the logs. What stays for a while is said with the erasure."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from flask.testing import FlaskClient
from psycopg2.sql import SQL, Literal

from application.people.people import LEFT_BEHIND
from postledger import config
from postledger.logs import set_up_logs
from postledger.session import Database, prepare
from storage.people import imports
from storage.postgres.embedded import EmbeddedServer
from storage.postgres.pool import Pool
from tests.cli.command_line import Cli
from tests.installation import wait_until

pytestmark = pytest.mark.starts_processes

ADA = "ada.lovelace@example.org"
MANY = "email,name\n" + "".join(f"reader{n}@example.org,Reader\n" for n in range(50)) + f"{ADA},Ada\n"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedServer]:
    with EmbeddedServer(tmp_path / "postgresql", fsync=False) as started:
        prepare(Database.of(started))
        yield started


@pytest.fixture
def pool(server: EmbeddedServer) -> Iterator[Pool]:
    opened = Pool(server.service_url)
    yield opened
    opened.close()


@pytest.fixture
def cli(tmp_path: Path, server: EmbeddedServer) -> Cli:
    return Cli(tmp_path, {"POSTLEDGER_DATABASE_URL": server.service_url})


def as_owner(server: EmbeddedServer, *statements: str) -> None:
    with closing(psycopg2.connect(server.url)) as owner:
        owner.autocommit = True
        with owner.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)


def add(client: FlaskClient, email: str = ADA, key: str = "add") -> Any:
    person = {"email": email, "name": "Ada"}
    return client.post("/api/subscribers", json=person, headers={"Idempotency-Key": key})


def bring_in(client: FlaskClient, pool: Pool) -> int:
    """An import of many, from a file that is called by her address."""
    number = client.post("/api/lists", json={"name": "Readers"}).json["data"]["id"]
    parameters = json.dumps({"mode": "subscribe", "lists": [number], "subscription_status": "confirmed"})
    file = (io.BytesIO(MANY.encode()), f"{ADA.upper()}.csv")
    begun = client.post(
        "/api/import/subscribers", data={"params": parameters, "file": file},
        headers={"Idempotency-Key": "import"}, content_type="multipart/form-data",
    )  # fmt: skip
    assert begun.status_code == 200, begun.text

    def has_ended() -> bool:
        with pool.transaction() as cursor:
            return imports.newest(cursor, 1)[0].ended_at is not None

    wait_until(has_ended)
    return int(number)


def make_trouble(pool: Pool) -> None:
    """Errors of many kinds, whose statements and details quote her address."""
    for statement in (
        "INSERT INTO recipients (email) VALUES ({})",
        "SELECT {} FROM nowhere",
        "SELECT 1/0 WHERE {} <> ''",
        "SELECT pg_sleep(10) WHERE {} <> ''",
    ):
        with pool.connection() as connection, connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 100")
            with pytest.raises(psycopg2.Error):
                cursor.execute(SQL(statement).format(Literal(ADA)))


def files_with(folder: Path, text: str) -> list[str]:
    """All but the write-ahead log, which keeps what it has until it is full and begins anew."""
    wanted = text.lower().encode()
    return [
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and "pg_wal" not in path.parts and wanted in path.read_bytes().lower()
    ]


def test_nothing_of_an_erased_address_is_left_in_the_data_folder(
    server: EmbeddedServer, pool: Pool, client: FlaskClient
) -> None:
    number = add(client).json["data"]["id"]
    bring_in(client, pool)
    as_owner(server, "ANALYZE", "CHECKPOINT")
    make_trouble(pool)
    assert files_with(server.folder, ADA), "she is there before"

    assert client.delete(f"/api/subscribers/{number}").status_code == 200
    as_owner(server, "VACUUM FULL", "CHECKPOINT")
    assert files_with(server.folder, ADA) == []


def test_the_servers_log_quotes_neither_statements_nor_rows(
    server: EmbeddedServer, pool: Pool, client: FlaskClient
) -> None:
    add(client)
    make_trouble(pool)
    said = (server.folder / "server.log").read_text()
    assert "duplicate key value" in said, "errors are still told"
    assert ADA not in said
    assert "STATEMENT" not in said


def test_a_repeated_request_is_answered_with_what_is_known_now(client: FlaskClient, pool: Pool) -> None:
    first, again = add(client), add(client)
    assert again.json == first.json
    assert again.headers["Idempotency-Replayed"] == "true"
    with pool.transaction() as cursor:
        cursor.execute("SELECT count(*) FROM idempotency_keys i WHERE i::text ILIKE '%lovelace%'")
        assert cursor.fetchone() == (0,)
    client.delete(f"/api/subscribers/{first.json['data']['id']}")
    gone = add(client)
    assert gone.status_code == 404
    assert ADA not in gone.text


def test_a_repeated_import_is_not_done_twice(client: FlaskClient, pool: Pool) -> None:
    bring_in(client, pool)
    with pool.transaction() as cursor:
        cursor.execute("SELECT count(*) FROM idempotency_keys WHERE convert_from(body, 'UTF8') ~* 'lovelace'")
        assert cursor.fetchone() == (0,)


def test_what_stays_is_said_with_the_erasure(client: FlaskClient, cli: Cli) -> None:
    number = add(client).json["data"]["id"]
    page = client.get(f"/subscribers/{number}/erase").text
    assert "backups" in page
    said = client.post(f"/subscribers/{number}/erase", data={"csrf": _token(page)}, follow_redirects=True)
    assert LEFT_BEHIND.split(":")[0] in said.text
    cli.add_people()
    assert LEFT_BEHIND in cli("recipients", "erase", "ada@example.com", "--yes").stdout


def _token(page: str) -> str:
    return page.split('name="csrf" value="')[1].split('"')[0]


@pytest.mark.parametrize("form", ["text", "json"])
def test_our_own_log_quotes_no_rows(
    pool: Pool, client: FlaskClient, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    add(client)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        set_up_logs(config.load({"log_format": form}, {}, Path()), "web")
        for statement in ("INSERT INTO recipients (email) VALUES (%s)", "SELECT %s FROM nowhere"):
            try:
                with pool.transaction() as cursor:
                    cursor.execute(statement, (ADA,))
            except psycopg2.Error as error:
                logging.getLogger(__name__).exception("it failed: %s", error)
    finally:
        root.handlers[:], root.level = handlers, level
    said = capsys.readouterr().err
    assert "duplicate key value" in said
    assert "UndefinedTable" in said
    assert ADA not in said
