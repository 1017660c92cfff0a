"""The log as a persistence module of the eventsourcing library: PERSISTENCE_MODULE="storage.log"."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from eventsourcing.persistence import AggregateRecorder, InfrastructureFactory, TTrackingRecorder
from eventsourcing.utils import Environment, EnvType, resolve_topic

from domain.clock import Clock
from storage.log.append import Log
from storage.log.recorders import (
    Appends,
    LogAggregateRecorder,
    LogApplicationRecorder,
    LogProcessRecorder,
    LogTrackingRecorder,
    SnapshotRecorder,
)
from storage.postgres.pool import Pool

T = TypeVar("T")
N = TypeVar("N", int, float)


class LogFactory(InfrastructureFactory[LogTrackingRecorder]):
    """Reads from the environment, each also with the application's name before it (POSTLEDGER_…):

    DATABASE_URL            where the database is; needed unless a pool is given
    DATABASE_POOL_SIZE      connections at most (8)
    DATABASE_POOL_TIMEOUT   seconds to wait for one (30)
    DATABASE_CONN_MAX_AGE   seconds until one is replaced (3600)

    A given pool, and a given log (a Committer, say), stay their owner's to close. The database is
    expected to be migrated. Raises OSError when the environment lacks something or makes no sense.
    """

    DATABASE_URL = "DATABASE_URL"
    DATABASE_POOL_SIZE = "DATABASE_POOL_SIZE"
    DATABASE_POOL_TIMEOUT = "DATABASE_POOL_TIMEOUT"
    DATABASE_CONN_MAX_AGE = "DATABASE_CONN_MAX_AGE"

    aggregate_recorder_class = LogAggregateRecorder
    application_recorder_class = LogApplicationRecorder
    tracking_recorder_class = LogTrackingRecorder
    process_recorder_class = LogProcessRecorder

    def __init__(
        self,
        env: Environment | EnvType | None = None,
        *,
        pool: Pool | None = None,
        log: Appends | None = None,
        clock: Clock | None = None,
    ) -> None:
        super().__init__(env)
        self._own_pool = self._open_pool() if pool is None else None
        self.pool = pool or cast(Pool, self._own_pool)
        self._log = Log(self.pool, clock)
        self.log = log or self._log

    def aggregate_recorder(self, purpose: str = "events") -> AggregateRecorder:
        """`purpose` is "events" or "snapshots"."""
        if purpose == "snapshots":
            return SnapshotRecorder(self.pool)
        if purpose != "events":
            raise OSError(f"nothing is recorded for the purpose {purpose!r}")
        return self.aggregate_recorder_class(self.pool, self.log)

    def application_recorder(self) -> LogApplicationRecorder:
        cls = self._class_of(self.APPLICATION_RECORDER_TOPIC, self.application_recorder_class)
        return cls(self.pool, self.log)

    def tracking_recorder(
        self, tracking_recorder_class: type[TTrackingRecorder] | None = None
    ) -> TTrackingRecorder:
        cls: type[Any] = tracking_recorder_class or self._class_of(
            self.TRACKING_RECORDER_TOPIC, self.tracking_recorder_class
        )
        return cast(TTrackingRecorder, cls(self.pool))

    def process_recorder(self) -> LogProcessRecorder:
        cls = self._class_of(self.PROCESS_RECORDER_TOPIC, self.process_recorder_class)
        return cls(self.pool, self._log)

    def close(self) -> None:
        if self._own_pool is not None:
            self._own_pool.close()

    def _class_of(self, key: str, default: type[T]) -> type[T]:
        topic = self.env.get(key)
        cls = resolve_topic(topic) if topic else default
        if not issubclass(cls, default):
            raise OSError(f"{key} names {cls.__name__}, which is no {default.__name__}")
        return cls

    def _open_pool(self) -> Pool:
        url = self.env.get(self.DATABASE_URL)
        if not url:
            keys = " or ".join(reversed(self.env.create_keys(self.DATABASE_URL)))
            raise OSError(f"the environment does not say where the database is: {keys}")
        return Pool(
            url,
            self._number(self.DATABASE_POOL_SIZE, int, 8),
            timeout=self._number(self.DATABASE_POOL_TIMEOUT, float, 30.0),
            max_age=self._number(self.DATABASE_CONN_MAX_AGE, float, 3600.0),
        )

    def _number(self, key: str, kind: Callable[[str], N], default: N) -> N:
        text = self.env.get(key)
        if not text:
            return default
        try:
            number = kind(text)
        except ValueError:
            number = kind("0")
        if number <= 0:
            raise OSError(f"{key} is a number above zero, not {text!r}")
        return number
