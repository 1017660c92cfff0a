"""A real PostgreSQL for the tests: one server a run, one migrated template, a fresh database per test."""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg2
import pytest
from hypothesis import HealthCheck, settings

from projections.following import schema
from storage.migrate import migrate
from storage.postgres.embedded import EmbeddedServer
from storage.postgres.pool import Pool
from storage.postgres.service_login import make as make_service_login
from storage.postgres.service_login import service_url
from tests.pulse import Pulse, Soon

MEMORY_NEEDED = 4 * 2**30

# On a fresh clone the first example waits for characters to be tabled, on a busy machine any for its turn.
settings.register_profile("postledger", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("postledger")


class Databases:
    """Where databases are made: the server of POSTLEDGER_TEST_DATABASE_URL, or one of this run's own."""

    def __init__(self, url: str, template: str) -> None:
        self.url = url
        self.template = template

    def create(self, *, migrated: bool) -> str:
        name = f"test_{uuid.uuid4().hex}"
        source = self.template if migrated else "template0"
        self._say(f'CREATE DATABASE "{name}" TEMPLATE "{source}" STRATEGY file_copy')
        return _on(self.url, name)

    def drop(self, url: str) -> None:
        self._say(f'DROP DATABASE IF EXISTS "{urlsplit(url).path[1:]}" WITH (FORCE)')

    def make_template(self) -> None:
        self._say(f'CREATE DATABASE "{self.template}" TEMPLATE template0')
        _migrate(_on(self.url, self.template))

    def drop_template(self) -> None:
        self._say(f'DROP DATABASE IF EXISTS "{self.template}" WITH (FORCE)')

    def _say(self, statement: str) -> None:
        connection = psycopg2.connect(self.url)
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement)
        finally:
            connection.close()


def _on(url: str, database: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{database}"))


def _migrate(url: str) -> None:
    migrate(url)
    pool = Pool(url, size=1)
    try:
        schema.create(pool)
    finally:
        pool.close()


@contextmanager
def _server_url() -> Iterator[str]:
    given = os.environ.get("POSTLEDGER_TEST_DATABASE_URL")
    if given:
        yield given
        return
    # Not in pytest's own temporary folder, which goes before the last of the run's clean-up.
    with (
        tempfile.TemporaryDirectory(prefix="postledger-tests-", dir=_fast_folder()) as folder,
        EmbeddedServer(Path(folder) / "postgresql", fsync=False) as server,
    ):
        yield server.url


def _fast_folder() -> str | None:
    """A folder in memory where there is room: making a database takes 20 ms there, and ten times that on a
    busy disk. None is the usual temporary folder."""
    memory = Path("/dev/shm")
    has_room = memory.is_dir() and shutil.disk_usage(memory).free > MEMORY_NEEDED
    return str(memory) if has_room else None


@contextmanager
def _databases() -> Iterator[Databases]:
    with _server_url() as url:
        make_service_login(url)
        databases = Databases(url, f"template_{uuid.uuid4().hex}")
        databases.make_template()
        try:
            yield databases
        finally:
            databases.drop_template()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--quick",
        action="store_true",
        help="only what needs no database, browser or process, and does not measure",
    )


SLOW_PARTS = frozenset({"databases", "browser"})
"""Fixtures that start a program."""
SLOW_MARKS = ("starts_processes", "measures_growth")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not waits(item))
    if not config.getoption("quick"):
        return
    slow = [
        item
        for item in items
        if SLOW_PARTS & set(getattr(item, "fixturenames", ()))
        or any(item.get_closest_marker(mark) for mark in SLOW_MARKS)
    ]
    config.hook.pytest_deselected(items=slow)
    items[:] = [item for item in items if item not in set(slow)]


def waits(item: pytest.Item) -> bool:
    """Those that spend their time on waiting, for processes or for a second to pass, begin first: beside them
    others work, and none is left to be waited for alone at the end."""
    return "sending" in item.path.parts or item.get_closest_marker("starts_processes") is not None


_shared: dict[str, Any] = {}


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """With pytest-xdist the controlling process runs the server, and every worker is told where."""
    if node.config.getoption("quick"):
        return
    if not _shared:
        _shared["context"] = _databases()
        _shared["databases"] = _shared["context"].__enter__()
    node.workerinput["databases"] = (_shared["databases"].url, _shared["databases"].template)


def pytest_unconfigure() -> None:
    if _shared:
        _shared.pop("context").__exit__(None, None, None)
        _shared.clear()


@pytest.fixture(scope="session")
def databases(
    request: pytest.FixtureRequest,
) -> Iterator[Databases]:
    shared = getattr(request.config, "workerinput", {}).get("databases")
    if shared:
        yield Databases(*shared)
        return
    with _databases() as own:
        yield own


@pytest.fixture
def database_url(databases: Databases) -> Iterator[str]:
    """A fresh database with every migration applied and the projections' tables, empty; of its owner."""
    url = databases.create(migrated=True)
    yield url
    databases.drop(url)


@pytest.fixture
def empty_database_url(databases: Databases) -> Iterator[str]:
    """A fresh database with nothing in it."""
    url = databases.create(migrated=False)
    yield url
    databases.drop(url)


@pytest.fixture
def new_database_url(databases: Databases) -> Iterator[Callable[[], str]]:
    """Makes as many migrated databases as a test asks for."""
    made: list[str] = []

    def make() -> str:
        made.append(databases.create(migrated=True))
        return made[-1]

    yield make
    for url in made:
        databases.drop(url)


@pytest.fixture
def pool(database_url: str) -> Iterator[Pool]:
    """As the service connects."""
    opened = Pool(service_url(database_url))
    yield opened
    opened.close()


@pytest.fixture
def soon() -> Iterator[Soon]:
    """`soon(paused_at)` is the moment by which the pause is in force."""
    with Pulse() as pulse:
        yield pulse.soon
