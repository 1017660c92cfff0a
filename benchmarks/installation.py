"""A whole installation in a temporary folder, for benchmarks: database with fsync, people, servers."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from application.decisions.postledger import Postledger
from domain.clock import SystemClock
from postledger.session import Database, prepare
from projections.following.runner import Runner
from storage import content
from storage.log.factory import LogFactory
from storage.numbers import next_campaign, next_server
from storage.people import lists
from storage.postgres.embedded import EmbeddedServer
from storage.postgres.pool import Pool
from storage.secrets import new_key

PEOPLE = """
    WITH made AS (
        INSERT INTO recipients (email, name, attributes)
        SELECT 'reader' || n || '@example.com', 'Reader Number ' || n,
               jsonb_build_object('city', 'Town ' || n %% 97, 'books', n %% 12)
        FROM generate_series(1, %s) n RETURNING number
    )
    INSERT INTO subscriptions (list, recipient, status) SELECT %s, number, 'confirmed' FROM made
"""

PARAGRAPH = "We read on Thursdays at seven, in the room above the bakery. Come as you are, bring a friend. "
TEXT = (
    "Dear {{ subscriber.first_name }},\n\n{% if subscriber.attributes.books > 5 %}You read "
    "{{ subscriber.attributes.books }} books.{% else %}New books wait.{% endif %}\n\n"
    + (PARAGRAPH + "\n") * 9
    + "\n{{ subscriber.attributes.city }}: {{ unsubscribe_url }}\n"
)
HTML = (
    "<!doctype html><html><body><h1>Dear {{ subscriber.name }}</h1>"
    "{% if subscriber.attributes.books > 5 %}<p>{{ subscriber.attributes.books }} books.</p>{% endif %}\n"
    + f"<p>{PARAGRAPH}</p>\n" * 17
    + '<p>{{ subscriber.attributes.city }} <a href="{{ unsubscribe_url }}">stop</a></p></body></html>\n'
)


class Installation:
    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.pool = Pool(url, size=6)
        self.application = Postledger(
            factory=LogFactory(pool=self.pool, clock=SystemClock()), clock=SystemClock()
        )
        self.runner = Runner(self.pool)
        self.environment = {
            "POSTLEDGER_DATABASE_URL": url,
            "POSTLEDGER_DATA_FOLDER": str(folder),
            "POSTLEDGER_KEY": new_key(),
            "POSTLEDGER_LOG_LEVEL": "warning",
        }

    def add_people(self, count: int) -> int:
        with self.pool.transaction() as cursor:
            people = lists.create(cursor, {"name": f"List of {count}"})
            cursor.execute(PEOPLE, (count, people))
        self.analyse("recipients", "subscriptions")
        return people

    def analyse(self, *tables: str) -> None:
        with self.pool.transaction() as cursor:
            for table in tables:
                cursor.execute(f"ANALYZE {table}")

    def add_servers(self, count: int, port: int, **settings: Any) -> None:
        for number in range(1, count + 1):
            with self.pool.transaction() as cursor:
                server = next_server(cursor)
            values = {
                "name": f"server-{number}",
                "host": "127.0.0.1",
                "port": port,
                "tls_type": "none",
                "from_email": f"News <news@server-{number}.example.com>",
                **settings,
            }
            self.application.add_server(number=server, settings=values, by="benchmark")

    def create_campaign(self, people: int) -> int:
        with self.pool.transaction() as cursor:
            campaign = next_campaign(cursor)
            text, html = content.keep(cursor, TEXT), content.keep(cursor, HTML)
        self.application.create_campaign(
            number=campaign,
            name="Benchmark",
            subject="Books for {{ subscriber.first_name }}",
            text=text,
            html=html,
            lists=[people],
            by="benchmark",
        )
        return campaign


@contextmanager
def installation() -> Iterator[Installation]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="postledger-bench-")))
        url = os.environ.get("DATABASE_URL")
        if url is None:
            url = stack.enter_context(EmbeddedServer(folder / "postgresql")).url
        prepare(Database(url, url))
        made = Installation(url, folder)
        stack.callback(made.pool.close)
        yield made
