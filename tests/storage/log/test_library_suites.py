"""The test cases that the eventsourcing library ships for persistence modules, unchanged."""

from __future__ import annotations

import pytest
from eventsourcing.tests import persistence as suites
from eventsourcing.utils import Environment

from storage.log import LogFactory
from storage.log.append import Log
from storage.log.committer import Committer
from storage.log.recorders import (
    LogAggregateRecorder,
    LogApplicationRecorder,
    LogProcessRecorder,
    LogTrackingRecorder,
    SnapshotRecorder,
)
from storage.postgres.pool import Pool


class WithDatabase:
    @pytest.fixture(autouse=True)
    def _give_pool(self, pool: Pool) -> None:
        self.pool = pool


class TestAggregateRecorder(WithDatabase, suites.AggregateRecorderTestCase):
    def create_recorder(self) -> LogAggregateRecorder:
        return LogAggregateRecorder(self.pool, Log(self.pool))


class TestSnapshotRecorder(WithDatabase, suites.AggregateRecorderTestCase):
    def create_recorder(self) -> SnapshotRecorder:
        return SnapshotRecorder(self.pool)


class TestApplicationRecorder(WithDatabase, suites.ApplicationRecorderTestCase[LogApplicationRecorder]):
    def create_recorder(self) -> LogApplicationRecorder:
        return LogApplicationRecorder(self.pool, Log(self.pool))

    def test_insert_subscribe(self) -> None:
        self.optional_test_insert_subscribe()


class TestApplicationRecorderOverCommitter(
    WithDatabase, suites.ApplicationRecorderTestCase[LogApplicationRecorder]
):
    def create_recorder(self) -> LogApplicationRecorder:
        committer = Committer(self.pool)
        self.addCleanup(committer.close)
        return LogApplicationRecorder(self.pool, committer)

    def test_insert_subscribe(self) -> None:
        self.optional_test_insert_subscribe()


class TestTrackingRecorder(WithDatabase, suites.TrackingRecorderTestCase):
    def create_recorder(self) -> LogTrackingRecorder:
        return LogTrackingRecorder(self.pool)


class TestProcessRecorder(WithDatabase, suites.ProcessRecorderTestCase):
    def create_recorder(self) -> LogProcessRecorder:
        return LogProcessRecorder(self.pool, Log(self.pool))


class TestNonInterleavingNotificationIDs(WithDatabase, suites.NonInterleavingNotificationIDsBaseCase):
    def create_recorder(self) -> LogApplicationRecorder:
        return LogApplicationRecorder(self.pool, Log(self.pool))


class CountingTrackingRecorder(LogTrackingRecorder):
    pass


class TestInfrastructureFactory(suites.InfrastructureFactoryTestCase[LogFactory]):
    @pytest.fixture(autouse=True)
    def _give_environment(self, database_url: str) -> None:
        self.env = Environment(env={"PERSISTENCE_MODULE": "storage.log", "DATABASE_URL": database_url})

    def expected_factory_class(self) -> type[LogFactory]:
        return LogFactory

    def expected_aggregate_recorder_class(self) -> type[LogAggregateRecorder]:
        return LogAggregateRecorder

    def expected_application_recorder_class(self) -> type[LogApplicationRecorder]:
        return LogApplicationRecorder

    def expected_tracking_recorder_class(self) -> type[LogTrackingRecorder]:
        return LogTrackingRecorder

    def tracking_recorder_subclass(self) -> type[CountingTrackingRecorder]:
        return CountingTrackingRecorder

    def expected_process_recorder_class(self) -> type[LogProcessRecorder]:
        return LogProcessRecorder
