"""Hosts whose clocks are wrong, and a database whose clock can be set: for all who ask it, libraries, too."""

from __future__ import annotations

from pathlib import Path

import psycopg2

SKEWED = """
import datetime as module, sys, time
from pathlib import Path

ahead, real_time, real = Path(sys.argv[2]), time.time, module.datetime

def skewed():
    return real_time() + float(ahead.read_text())

class Instances(type):
    def __instancecheck__(cls, instance):
        return isinstance(instance, real)

class Skewed(real, metaclass=Instances):
    @classmethod
    def now(cls, tz=None):
        return real.fromtimestamp(skewed(), tz)

time.time, module.datetime = skewed, Skewed
"""
"""To stand before a program, whose second argument is the file of a `Host`."""

SET_CLOCK = """
    CREATE SCHEMA clock;
    CREATE TABLE clock.ahead (seconds float8 NOT NULL);
    INSERT INTO clock.ahead VALUES (0);
    CREATE FUNCTION clock.ahead() RETURNS interval LANGUAGE sql SECURITY DEFINER
        AS 'SELECT make_interval(secs => seconds) FROM clock.ahead';
    GRANT USAGE ON SCHEMA clock TO PUBLIC;
    CREATE OR REPLACE FUNCTION pg_catalog.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE
        AS 'SELECT timeofday()::timestamptz + clock.ahead()'
"""


class Host:
    """A host whose clock is `ahead` of the real time by so many seconds, and can be set while it is used."""

    def __init__(self, folder: Path, ahead: float = 0.0) -> None:
        self.file = folder / f"ahead-{id(self)}"
        self.set_ahead(ahead)

    def set_ahead(self, seconds: float) -> None:
        written = self.file.with_suffix(".new")
        written.write_text(str(seconds))
        written.replace(self.file)


class DatabaseHost:
    """The clock of a database, which can be set while it is used."""

    def __init__(self, url: str) -> None:
        self._connection = psycopg2.connect(url)
        self._connection.autocommit = True
        with self._connection.cursor() as cursor:
            cursor.execute(SET_CLOCK)

    def set_ahead(self, seconds: float) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute("UPDATE clock.ahead SET seconds = %s", (seconds,))

    def close(self) -> None:
        self._connection.close()
