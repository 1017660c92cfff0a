from __future__ import annotations

from threading import Thread
from uuid import UUID

from eventsourcing.persistence import StoredEvent
from psycopg2.extensions import connection

from storage.log.append import Log
from storage.log.recorders import LogApplicationRecorder
from storage.postgres.pool import Pool


def event(stream: int) -> StoredEvent:
    return StoredEvent(UUID(int=stream), 1, "happened", b"{}")


def test_a_subscription_outlives_its_connection_and_misses_nothing(
    database_url: str, admin: connection
) -> None:
    pool = Pool(database_url)
    log = Log(pool)
    recorder = LogApplicationRecorder(pool, log)
    with recorder.subscribe(gt=0) as subscription:
        log.append([event(1)])
        assert next(subscription).id == 1
        with admin.cursor() as cur:
            cur.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        log.append([event(n) for n in range(2, 700)])
        assert [next(subscription).id for _ in range(698)] == list(range(2, 700))
    pool.close()


def test_a_subscriber_follows_a_writer(pool: Pool) -> None:
    log = Log(pool)
    recorder = LogApplicationRecorder(pool, log)

    def write() -> None:
        for n in range(1, 101):
            log.append([event(n)])

    with recorder.subscribe(gt=0) as subscription:
        writer = Thread(target=write)
        writer.start()
        assert [next(subscription).originator_id for _ in range(100)] == [UUID(int=n) for n in range(1, 101)]
        writer.join()
