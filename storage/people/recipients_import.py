"""People from a CSV file into the directory: 100,000 rows in seconds, bad rows named, good ones kept.

The file is UTF-8 (a byte order mark is fine) with the header `email,name,attributes`; attributes are a
JSON object. Errors name the line and the reason and never what the line says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import IO, Any

import psycopg2

from domain.people.statuses import PersonStatus, SubscriptionStatus
from storage.people.directory_news import announce_everybody
from storage.people.personal_data import DirectoryError
from storage.people.recipients_csv import Person, RowRefusal, people
from storage.postgres.pool import allow

MOST_REFUSALS_KEPT = 100
IMPORT_SECONDS = 3600.0
"""How long one statement may take, as a page's may not."""


class ImportRefusedError(DirectoryError):
    """The file as a whole cannot be imported; nothing was changed."""


@dataclass
class Summary:
    """`imported` people were in the file, each counted once: `new` and `existing` together. `duplicates`
    are further rows with the address of an earlier row, which won. `refusals` are the first hundred."""

    rows: int = 0
    imported: int = 0
    new: int = 0
    existing: int = 0
    updated: int = 0
    duplicates: int = 0
    refused: int = 0
    subscribed: int = 0
    blocklisted: int = 0
    unsubscribed: int = 0
    need_smtputf8: int = 0
    refusals: list[RowRefusal] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "refusals": [refusal._asdict() for refusal in self.refusals]}


@dataclass(frozen=True, kw_only=True)
class Options:
    """`lists` are those to subscribe people to. `update` writes name and attributes of the file over those of
    people who are there already. `resubscribe` brings back who had unsubscribed, or ends the subscriptions
    that are there when `subscription` is unsubscribed; who is blocklisted stays so in any case. `blocklist`
    is for a file of people who are never to be mailed. `others` lets columns pass that mean nothing."""

    lists: Sequence[int] = ()
    subscription: SubscriptionStatus = SubscriptionStatus.UNCONFIRMED
    update: bool = False
    resubscribe: bool = False
    blocklist: bool = False
    delimiter: str = ","
    others: bool = False

    @property
    def status(self) -> str:
        """Of those who are new by it: of the subscription, or their own."""
        return PersonStatus.BLOCKLISTED if self.blocklist else self.subscription


def import_csv(
    cursor: Any, file: IO[bytes], options: Options, progress: Callable[[int], None] = lambda _bytes: None
) -> Summary:
    """All in the transaction of `cursor`. `progress` is told how many bytes were read since it was last
    told. Raises DirectoryError for a file without a usable header, or that cannot be read to its end."""
    summary = Summary()
    allow(cursor, IMPORT_SECONDS)
    # One import at a time: two that meet the same people in different order would block each other.
    cursor.execute("SELECT pg_advisory_xact_lock(hashtext('postledger recipients import'))")
    try:
        rows = people(file, progress, options.delimiter, others=options.others)
        _copy(cursor, _counted(rows, summary))
        _merge(cursor, options, summary)
    except psycopg2.DataError as error:
        # What the server says of a row quotes the row.
        raise ImportRefusedError(f"the database refused the data (SQLSTATE {error.pgcode})") from None
    return summary


def _counted(rows: Iterator[Person | RowRefusal], summary: Summary) -> Iterator[Person]:
    for row in rows:
        summary.rows += 1
        if isinstance(row, Person):
            summary.need_smtputf8 += row.needs_smtputf8
            yield row
            continue
        summary.refused += 1
        if len(summary.refusals) < MOST_REFUSALS_KEPT:
            summary.refusals.append(row)


class _CopyText:
    """Rows as the file that COPY reads (text format). No field holds a tab or a line break any more."""

    def __init__(self, rows: Iterator[Person]) -> None:
        self._rows = rows
        self._rest = b""
        self.failed: Exception | None = None

    def read(self, size: int = 8192) -> bytes:
        parts = [self._rest]
        length = len(self._rest)
        while length < size and (person := self._next()) is not None:
            line = f"{person.line}\t{person.email}\t{person.name}\t{person.attributes}\n"
            parts.append(line.replace("\\", "\\\\").encode())
            length += len(parts[-1])
        text = b"".join(parts)
        self._rest = text[size:]
        return text[:size]

    def _next(self) -> Person | None:
        try:
            return next(self._rows, None)
        except Exception as error:  # psycopg2 makes an error of its own out of it
            self.failed = error
            raise


def _copy(cursor: Any, rows: Iterator[Person]) -> None:
    cursor.execute(
        "CREATE TEMPORARY TABLE arriving (line bigint, email text, name text, attributes jsonb)"
        " ON COMMIT DROP"
    )
    text = _CopyText(rows)
    try:
        cursor.copy_expert("COPY pg_temp.arriving FROM STDIN WITH (ENCODING 'UTF8')", text, size=1 << 16)
    except psycopg2.Error:
        if text.failed:
            raise text.failed from None
        raise


def _merge(cursor: Any, options: Options, summary: Summary) -> None:
    _let_first_rows_win(cursor, summary)
    _add(cursor, summary)
    if options.update and summary.existing:
        _update(cursor, summary)
    if options.blocklist:
        _blocklist(cursor)
    if options.lists:
        _subscribe(cursor, options, summary)
    _count_unmailable(cursor, options.lists, summary)
    cursor.execute("DROP TABLE pg_temp.arrived")


def _let_first_rows_win(cursor: Any, summary: Summary) -> None:
    cursor.execute(
        """
        CREATE TEMPORARY TABLE arrived ON COMMIT DROP AS
        SELECT DISTINCT ON (lower(email)) lower(email) AS address, line, email, name, attributes
        FROM pg_temp.arriving ORDER BY lower(email), line
        """
    )
    summary.imported = cursor.rowcount
    summary.duplicates = summary.rows - summary.refused - summary.imported
    cursor.execute("DROP TABLE pg_temp.arriving; ANALYZE pg_temp.arrived")


def _add(cursor: Any, summary: Summary) -> None:
    # Asking first keeps who is there from using up numbers; the new ones get theirs in the file's order.
    cursor.execute(
        """
        INSERT INTO recipients (email, name, attributes)
        SELECT email, name, attributes FROM pg_temp.arrived a
        WHERE NOT EXISTS (SELECT FROM recipients r WHERE lower(r.email) = a.address)
        ORDER BY line
        ON CONFLICT (lower(email)) DO NOTHING
        """
    )
    summary.new = cursor.rowcount
    summary.existing = summary.imported - summary.new


def _update(cursor: Any, summary: Summary) -> None:
    cursor.execute(
        """
        UPDATE recipients r SET name = a.name, attributes = a.attributes, updated_at = now()
        FROM pg_temp.arrived a
        WHERE lower(r.email) = a.address AND (r.name, r.attributes) IS DISTINCT FROM (a.name, a.attributes)
        """
    )
    summary.updated = cursor.rowcount


def _blocklist(cursor: Any) -> None:
    cursor.execute(
        """
        UPDATE recipients r SET status = 'blocklisted', updated_at = now()
        FROM pg_temp.arrived a WHERE lower(r.email) = a.address AND r.status <> 'blocklisted'
        """
    )
    announce_everybody(cursor)


def _subscribe(cursor: Any, options: Options, summary: Summary) -> None:
    cursor.execute(
        """
        INSERT INTO subscriptions AS s (list, recipient, status)
        SELECT wanted.list, r.number, %(status)s
        FROM pg_temp.arrived a JOIN recipients r ON lower(r.email) = a.address
        CROSS JOIN unnest(%(lists)s::integer[]) AS wanted (list)
        WHERE r.status <> 'blocklisted' ORDER BY wanted.list, r.number
        ON CONFLICT (list, recipient) DO UPDATE SET status = excluded.status, updated_at = now()
        WHERE (s.status = 'unconfirmed' AND excluded.status = 'confirmed')
           OR (%(resubscribe)s AND (s.status = 'unsubscribed') <> (excluded.status = 'unsubscribed'))
        """,
        {"lists": list(options.lists), "status": options.subscription, "resubscribe": options.resubscribe},
    )
    summary.subscribed = cursor.rowcount
    if options.subscription is SubscriptionStatus.UNSUBSCRIBED:
        announce_everybody(cursor)


def _count_unmailable(cursor: Any, lists: Sequence[int], summary: Summary) -> None:
    if not summary.existing:
        return
    cursor.execute(
        """
        SELECT count(*) FILTER (WHERE r.status = 'blocklisted'),
               count(*) FILTER (WHERE r.status <> 'blocklisted' AND EXISTS (
                   SELECT FROM subscriptions s WHERE s.recipient = r.number AND s.list = ANY (%s)
                   AND s.status = 'unsubscribed'))
        FROM pg_temp.arrived a JOIN recipients r ON lower(r.email) = a.address
        """,
        (list(lists),),
    )
    summary.blocklisted, summary.unsubscribed = cursor.fetchone()
