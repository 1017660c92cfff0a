"""Test e-mails of a campaign, sent at once to a few addresses.

They take units of the servers' limits as any other e-mail does, since the servers count them too; the
sending hours do not hold them up, since a person waits for them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple, TypeVar
from uuid import uuid4

from application.campaigns.drafts import TestEmail, UnmakeableError
from application.installation import Installation
from application.reservation import Reservation
from application.reservations import Reservations
from domain.campaign.test_send import SendTestEnded, SendTestStarted
from domain.capacity.capacity import Limits
from domain.capacity.plan import Assignment, Candidate, Offer, plan
from domain.delivery.reply import sanitise, with_code
from domain.errors import Outrun
from domain.fact import Fact
from domain.people.statuses import PersonStatus
from domain.server.server import SmtpServer
from domain.streams import send_test_stream
from mail.message.compose import MessageRecipient
from mail.smtp.settings import SmtpSettings
from mail.smtp.transaction import Outcome
from mail.smtp.transport import Connection, connect, deliver
from mail.smtp.transport_errors import TransportError
from projections import servers
from storage.log.append import Conflict
from storage.log.committer import Committer
from storage.people import directory
from storage.secrets import SecretsError
from storage.shared_clock import set_by_database

CONNECT_SECONDS = 15.0
DELIVER_SECONDS = 30.0
NO_CAPACITY = "no server has capacity left for it"
NO_TIME = "the database answers too slowly to know what time it is"
OTHERS_SEND = "other test e-mails of this campaign are being sent"
_TRIES = 5

FactT = TypeVar("FactT", bound=Fact)


class Composed(NamedTuple):
    """A message with its envelope, as they go on the wire."""

    message: bytes
    envelope_from: str
    envelope_to: str


class TestSends:
    """Of one campaign, asked for by one person. `composed` makes the message for a person and a server's
    From address, or raises UnmakeableError."""

    def __init__(
        self,
        installation: Installation,
        campaign: int,
        composed: Callable[[MessageRecipient, str], Composed],
        by: str,
    ) -> None:
        self._installation = installation
        self._campaign = campaign
        self._composed = composed
        self._by = by

    def send(self, addresses: Sequence[str], server: int | None, like: int | None) -> list[TestEmail]:
        """In the order of the addresses, each of which is a valid one."""
        people, refused = self._people(addresses, like)
        committer = Committer(self._installation.pool, self._installation.clock)
        try:
            reservations = Reservations(self._installation.pool, committer, self._by)
            done = self._send(people, server, reservations)
            reservations.close(self._installation.clock.latest())
        finally:
            committer.close()
        return [refused.get(address) or done[address] for address in addresses]

    def _people(
        self, addresses: Sequence[str], like: int | None
    ) -> tuple[dict[str, tuple[MessageRecipient, int | None]], dict[str, TestEmail]]:
        """Whom each address stands for. The number in the message is nobody's, so that its Message-ID is
        not that of the real e-mail, which would then be taken for a copy, and its unsubscribe link does
        nothing."""
        people: dict[str, tuple[MessageRecipient, int | None]] = {}
        refused: dict[str, TestEmail] = {}
        with self._installation.pool.transaction() as cursor:
            model = directory.find_recipient(cursor, str(like)) if like else None
            for address in addresses:
                known = directory.find_recipient(cursor, address)
                if known is not None and known.status == PersonStatus.BLOCKLISTED:
                    refused[address] = TestEmail(address, "not sent", "the address is blocklisted")
                    continue
                source = known or model
                name, attributes = (source.name, source.attributes) if source else ("", {})
                person = MessageRecipient(0, str(uuid4()), address, name, attributes)
                people[address] = person, known.number if known else None
        return people, refused

    def _send(
        self,
        people: dict[str, tuple[MessageRecipient, int | None]],
        server: int | None,
        reservations: Reservations,
    ) -> dict[str, TestEmail]:
        usable, assigned = self._assigned(list(people), server, reservations)
        done = {address: TestEmail(address, "not sent", NO_CAPACITY) for address in people}
        for number in dict.fromkeys(assignment.server for assignment in assigned):
            those = [one.candidate.key for one in assigned if one.server == number]
            done |= self._through(usable[number], {a: people[a] for a in those}, reservations)
        return done

    def _assigned(
        self, addresses: list[str], server: int | None, reservations: Reservations
    ) -> tuple[dict[int, SmtpServer], list[Assignment]]:
        """Which server each goes through, chosen as for any e-mail, capacity reserved."""
        now, policy = self._now(), self._installation.application.policy()
        with self._installation.pool.transaction() as cursor:
            numbers = [number for number in servers.numbers(cursor) if server in (None, number)]
        found = {number: self._installation.application.server(number) for number in numbers}
        usable = {number: one for number, one in found.items() if one.is_usable(now)}
        limits = {number: one.limits() for number, one in usable.items()}
        day = policy.calendar.local_date(now).isoformat()
        reservations.refresh(limits, day, now.timestamp())
        offers = [_offer(reservations, number, one, day, now.timestamp()) for number, one in limits.items()]
        candidates = [Candidate(self._campaign, 0, key=address) for address in addresses]
        assigned = plan(candidates, offers, policy.strategy)
        wanted: dict[int, int] = {}
        for assignment in assigned:
            wanted[assignment.server] = wanted.get(assignment.server, 0) + 1
        reservations.reserve(wanted, limits, policy.calendar, now)
        return usable, assigned

    def _through(
        self,
        server: SmtpServer,
        people: dict[str, tuple[MessageRecipient, int | None]],
        reservations: Reservations,
    ) -> dict[str, TestEmail]:
        done: dict[str, TestEmail] = {}
        connection: Connection | None = None
        for address, (person, number) in people.items():
            try:
                message = self._composed(person, server.settings.from_email)
                if connection is None or not connection.is_quiet():
                    connection = self._connect(server)
            except (UnmakeableError, TransportError, SecretsError) as error:
                done[address] = TestEmail(address, "not sent", str(error), server.settings.name)
                continue
            done[address] = self._one(server, connection, person, number, message, reservations)
        if connection is not None:
            connection.close()
        return done

    def _one(
        self,
        server: SmtpServer,
        connection: Connection,
        person: MessageRecipient,
        number: int | None,
        message: Composed,
        reservations: Reservations,
    ) -> TestEmail:
        """`number` is who of the directory has the address, None for nobody."""
        address, name = person.email, server.settings.name
        reservation = self._unit(server, reservations)
        if reservation is None:
            reason = NO_CAPACITY if self._installation.clock.is_trusted() else NO_TIME
            return TestEmail(address, "not sent", reason, name)
        started = self._started(server, reservation, number)
        if started is None:
            reservations.untouched(reservation)
            return TestEmail(address, "not sent", OTHERS_SEND, name)
        outcome = _delivered(connection, message)
        reservations.ended(reservation, refused=not outcome.dot_sent)
        return self._ended(server, started, outcome, address)

    def _unit(self, server: SmtpServer, reservations: Reservations) -> Reservation | None:
        """One to send with, by the limits of this moment. What was reserved for all of them runs out where a
        server takes its time: then another one is reserved."""
        now, clock = self._now(), self._installation.clock
        limits = self._installation.application.server(server.number).limits()
        unit = reservations.take(server.number, limits, clock.latest())
        if unit is None:
            calendar = self._installation.application.policy().calendar
            reservations.refresh(
                {server.number: limits}, calendar.local_date(now).isoformat(), now.timestamp()
            )
            reservations.reserve({server.number: 1}, {server.number: limits}, calendar, now)
            unit = reservations.take(server.number, limits, clock.latest())
        return unit

    def _now(self) -> datetime:
        """The earliest that it can be, by the clock that counts for all, asked anew."""
        with self._installation.pool.transaction() as cursor:
            set_by_database(self._installation.clock, cursor)
        return datetime.fromtimestamp(self._installation.clock.earliest(), UTC)

    def _connect(self, server: SmtpServer) -> Connection:
        with self._installation.pool.transaction() as cursor:
            password = self._installation.opened_secrets().password_of(
                cursor, server.number, server.settings.destination
            )
        settings = SmtpSettings.of(server.settings.as_dict())
        return connect(settings, password or "", timeout=CONNECT_SECONDS)

    def _started(
        self, server: SmtpServer, reservation: Reservation, recipient: int | None
    ) -> SendTestStarted | None:
        """Once that is on record, the e-mail may be sent; None when it is not."""
        return self._recorded(
            lambda version: SendTestStarted(
                originator_id=send_test_stream(self._campaign),
                originator_version=version,
                by=self._by,
                server=server.number,
                reservation=reservation.version,
                recipient=recipient,
            )
        )

    def _ended(
        self, server: SmtpServer, started: SendTestStarted, outcome: Outcome, address: str
    ) -> TestEmail:
        kind = "accepted" if outcome.accepted else "unknown" if outcome.is_unknown else "refused"
        told = sanitise(outcome.text, address)
        recorded = self._recorded(
            lambda version: SendTestEnded(
                originator_id=started.originator_id,
                originator_version=version,
                by=self._by,
                server=started.server,
                reservation=started.reservation,
                outcome=kind,
                reply=told,
                recipient=started.recipient,
                started=started.originator_version,
                code=outcome.code,
            )
        )
        if recorded is None:
            raise Outrun("other test e-mails of this campaign are being sent: how one ended is not on record")
        return TestEmail(address, kind, with_code(outcome.code, told), server.settings.name)

    def _recorded(self, made: Callable[[int], FactT]) -> FactT | None:
        """At the next version of the stream, which others may take first; not for ever."""
        for _ in range(_TRIES):
            fact = made(self._version() + 1)
            try:
                self._installation.log.append([fact.stored()])
            except Conflict:
                continue
            return fact
        return None

    def _version(self) -> int:
        with self._installation.pool.transaction() as cursor:
            cursor.execute(
                "SELECT coalesce(max(version), 0) FROM events WHERE stream_id = %s",
                (str(send_test_stream(self._campaign)),),
            )
            row = cursor.fetchone()
        return int(row[0]) if row else 0


def _offer(reservations: Reservations, number: int, limits: Limits, day: str, now: float) -> Offer:
    free = reservations.available(number, limits, day, now)
    return Offer(
        server=number,
        remaining=free,
        limit=limits.daily,
        used_today=reservations.used_on(number, day),
        slots=10**6,
    )


def _delivered(connection: Connection, made: Composed) -> Outcome:
    transaction = connection.transaction(made.envelope_from, made.envelope_to, made.message)
    return deliver(connection, transaction, at_most=DELIVER_SECONDS)
