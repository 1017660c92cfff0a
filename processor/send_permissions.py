"""Send permissions: what may be sent at this moment, as the log says.

Campaigns, servers and the policy are read from their streams whenever one of them changes; each
attempt looks at the resulting view, so a pause is in force within the time of one notification.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from math import inf
from uuid import UUID

from application.decisions.postledger import Postledger
from domain.calendar import Calendar
from domain.campaign.campaign import Campaign
from domain.capacity.capacity import Limits
from domain.delivery.reply import Stage
from domain.policy import SendingPolicy
from domain.server.availability import Open, SendingState, Suspension, availability
from domain.server.server import SmtpServer
from domain.streams import Kind, campaign_of, campaign_stream, kind_of, number_of
from mail.message.compose import Composer, Skeleton
from mail.smtp.settings import SmtpSettings
from mail.smtp.transport_errors import LoginError
from mail.template.render import reason_of
from processor.campaign_content import campaign_content
from projections import servers
from projections.following.schema import log_head, positions
from projections.queue import queue
from storage.postgres.outage import OUTAGE
from storage.postgres.pool import Pool
from storage.secrets import Secrets, SecretsError

CHANGES = """
    SELECT DISTINCT stream_id FROM events
    WHERE position > %s AND position <= %s AND topic NOT LIKE 'delivery.%%'
      AND topic NOT LIKE 'capacity.%%' AND topic NOT LIKE 'audience.%%'
"""

CURRENT_SECONDS = 0.9
"""How old the permissions may be that an attempt starts on: what forbids it is in force within a second."""

MOST_CAMPAIGNS = 100
MOST_STALE = 10_000
"""People to remember by number as no longer mailable; when there are more, everybody counts as such."""


@dataclass(frozen=True)
class View:
    """`campaigns` may be sent; `open_until` says until which epoch second a server may be used, for
    those that may be used now. All that is in it was so at the epoch second `since`."""

    policy: SendingPolicy
    campaigns: frozenset[int] = frozenset()
    open_until: Mapping[int, float] = field(default_factory=dict)
    servers: Mapping[int, SmtpServer] = field(default_factory=dict)
    limits: Mapping[int, Limits] = field(default_factory=dict)
    since: float = -inf

    @property
    def calendar(self) -> Calendar:
        return self.policy.calendar

    def is_open(self, server: int, now: float) -> bool:
        return now < self.open_until.get(server, 0.0)

    def is_current(self, now: float) -> bool:
        """Not when it is old, nor when the clock was set back behind it."""
        return self.since <= now < self.since + CURRENT_SECONDS

    def may_start(self, campaign: int, server: int, now: float) -> bool:
        return (
            campaign in self.campaigns
            and now < self.open_until.get(server, 0.0)
            and self.since <= now < self.since + CURRENT_SECONDS
        )


class SendPermissions:
    """`view` is replaced whole, so any thread may read it without a lock."""

    def __init__(self, pool: Pool, application: Postledger, secrets: Secrets, public_url: str) -> None:
        self._pool = pool
        self._application = application
        self._secrets = secrets
        self._public_url = public_url
        self._position = -1
        self._servers: dict[int, SmtpServer] = {}
        self._campaigns: dict[int, Campaign] = {}
        self._composers: dict[int, tuple[Composer, dict[str, Skeleton]]] = {}
        self._news = 0
        self._stale: dict[int, int] = {}
        self._all_stale = 0
        self._broken: dict[int, str] = {}
        self._given_up: dict[int, str] = {}
        self._suspended: dict[int, datetime] = {}
        self._since = -inf
        self._lock = threading.Lock()
        self._policy = application.policy()
        self.view = View(self._policy)

    def refresh(self, now: datetime, since: float | None = None) -> None:
        """Reads what changed since the last call; safe to call from several threads. `since` is the epoch
        second before which all news of the directory was heard; nothing may start before that is known."""
        with self._lock:
            if since is not None:
                self._since = since
            changed, position = self._changes()
            if any(kind_of(stream) is Kind.POLICY for stream in changed):
                self._take_policy(self._application.policy())
            for stream in changed:
                self._reload(stream)
            self._position = position
            self.view = self._view(now)

    def track(self, campaigns: Collection[int], now: datetime) -> None:
        """Makes campaigns that have something to send known, texts compiled; one that no message can be made
        of is closed."""
        with self._lock:
            known = self._composers.keys() | self._broken.keys()
            new = [number for number in campaigns if number not in known]
            for number in new:
                self._reload(campaign_stream(number))
                try:
                    self._composers[number] = self._compiled(self._campaigns[number]), {}
                except OUTAGE:
                    raise
                except Exception as error:  # noqa: BLE001  # It is this campaign's trouble, not the others'.
                    self._broken[number] = f"no message can be made: {reason_of(error)}"
            if new:
                self._forget_others()
                self.view = self._view(now)

    def close_campaign(self, campaign: int, reason: str, now: datetime) -> None:
        """Here at once; the event that says so is to follow."""
        with self._lock:
            self._given_up[campaign] = reason
            self.view = self._view(now)

    def closed_campaigns(self) -> dict[int, str]:
        """Those of which nothing is sent until they have been paused, each with the reason."""
        with self._lock:
            return {**self._broken, **self._given_up}

    def skeleton(self, campaign: int, server: int) -> Skeleton | None:
        """None when the campaign is not tracked any more; never touches the database. Raises SenderError."""
        kept = self._composers.get(campaign)
        if kept is None:
            return None
        composer, skeletons = kept
        from_email = self.view.servers[server].settings.from_email
        skeleton = skeletons.get(from_email)
        if skeleton is None:
            skeleton = skeletons[from_email] = composer.for_server(from_email)
        return skeleton

    def login(self, server: int) -> tuple[SmtpSettings, str]:
        """What it takes to connect, the password in clear. Raises LoginError when no key opens it."""
        settings = self.view.servers[server].settings
        with self._pool.transaction() as cursor:
            try:
                password = self._secrets.password_of(cursor, server, settings.destination)
            except SecretsError as error:
                raise LoginError(Stage.AUTH, f"the password cannot be used: {error}") from error
        return SmtpSettings.of(settings.as_dict()), password or ""

    def suspend(self, server: int, until: datetime, now: datetime) -> None:
        """Closes a server here at once; the event that says so is on its way to the log."""
        with self._lock:
            self._suspended[server] = until
            self.view = self._view(now)

    def suspension_recorded(self, server: int, until: datetime) -> None:
        """The event has been read: from now on the log alone says how long, and that somebody resumes it."""
        with self._lock:
            if self._suspended.get(server) == until:
                del self._suspended[server]

    def is_cancelled(self, campaign: int) -> bool:
        return self._campaigns[campaign].state.cancels_queued

    def servers_for(self, campaign: int) -> set[int]:
        """Those that may send it, now or at another time."""
        direct = self._campaigns[campaign].messenger
        enabled = {number for number, server in self.view.servers.items() if server.is_enabled()}
        return enabled if direct is None else {direct}

    def lists(self, campaign: int) -> list[int]:
        return list(self._campaigns[campaign].lists)

    def is_transactional(self, campaign: int) -> bool:
        return self._campaigns[campaign].transactional

    def became_stale(self, recipient: int | None) -> None:
        """The directory says that a person (None: anybody) may have stopped being mailable."""
        self._news += 1
        if recipient is None or len(self._stale) >= MOST_STALE:
            self._all_stale = self._news
            self._stale.clear()
        else:
            self._stale[recipient] = self._news

    def about_to_read(self) -> int:
        """Call before reading people from the directory; `is_stale` asks for the number."""
        return self._news

    def is_stale(self, recipient: int, read_at: int) -> bool:
        """Whether the directory has had news of a person since it was read. Any news may be about an address
        that nobody had (0)."""
        if recipient == 0:
            return read_at < self._news
        return read_at < self._all_stale or read_at < self._stale.get(recipient, 0)

    def _changes(self) -> tuple[list[UUID], int]:
        """The streams that changed, and up to which position: what is not reloaded is looked for again."""
        position = self._position
        with self._pool.transaction() as cursor:
            if position < 0:
                position = min(positions(cursor).values())
                numbers = servers.numbers(cursor)
                self._servers = {number: self._application.server(number) for number in numbers}
            head = log_head(cursor)
            cursor.execute(CHANGES, (position, head))
            return [UUID(str(stream)) for (stream,) in cursor.fetchall()], head

    def _reload(self, stream: UUID) -> None:
        kind = kind_of(stream)
        if kind is Kind.SERVER:
            number = number_of(stream)
            self._servers[number] = self._application.server(number)
        elif kind is Kind.CAMPAIGN:
            number = campaign_of(stream)
            self._campaigns[number] = self._application.campaign(number)
            if not self._campaigns[number].state.may_send:
                # As was asked for. Whoever resumes it has it tried anew.
                self._given_up.pop(number, None)

    def _compiled(self, campaign: Campaign) -> Composer:
        with self._pool.transaction() as cursor:
            content = campaign_content(cursor, campaign)
        public_url = self._policy.public_address or self._public_url
        return Composer(content, public_url, self._secrets.token_key())

    def _take_policy(self, policy: SendingPolicy) -> None:
        """Messages are compiled with the address that their links lead to."""
        if policy.public_address != self._policy.public_address:
            self._composers.clear()
            self._broken.clear()
        self._policy = policy

    def _forget_others(self) -> None:
        """Keeps nothing of campaigns that were sent long ago; whose last e-mail is on its way is asked for
        still."""
        if len(self._campaigns) <= MOST_CAMPAIGNS:
            return
        with self._pool.transaction() as cursor:
            unsent = queue.campaigns_with_unsent(cursor)
        for number in self._campaigns.keys() - unsent:
            del self._campaigns[number]
            self._composers.pop(number, None)
            self._broken.pop(number, None)
            self._given_up.pop(number, None)

    def _view(self, now: datetime) -> View:
        policy = self._policy
        return View(
            policy=policy,
            campaigns=frozenset(
                number
                for number, campaign in self._campaigns.items()
                if campaign.state.may_send and number not in self._broken and number not in self._given_up
            ),
            open_until=self._open_until(now),
            servers=dict(self._servers),
            limits={number: server.limits() for number, server in self._servers.items()},
            since=self._since,
        )

    def _open_until(self, now: datetime) -> dict[int, float]:
        """Limits apart, which reservations see to. That a processor lives is so while this one asks; whether
        it knows the time and gets its work done shows in how old the view is."""
        sending = SendingState(queue_paused=self._policy.queue_paused)
        found = {}
        for number, server in self._servers.items():
            state = server.state(self._policy)
            if number in self._suspended and now < self._suspended[number]:
                state = replace(state, suspension=Suspension("", self._suspended[number]))
            answer = availability(state, now, sending)
            if isinstance(answer, Open):
                found[number] = answer.until.timestamp() if answer.until else float("inf")
        return found
