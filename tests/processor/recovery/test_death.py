"""Who is taken for dead, and who is not."""

from __future__ import annotations

from datetime import timedelta

from storage.postgres.pool import Pool
from tests.processor.recovery.members import Members, aged, fenced, steady_for_a_minute


def test_one_on_another_host_is_dead_when_it_is_silent_for_too_long(members: Members, pool: Pool) -> None:
    elsewhere, here = members.join(host="elsewhere", pid=1), members.join()
    steady_for_a_minute(here)
    here.recover()
    assert not fenced(pool, elsewhere)
    aged(pool, elsewhere, 31)
    here.recover()
    assert fenced(pool, elsewhere)
    elsewhere.heartbeat.beat()
    assert elsewhere.heartbeat.is_fenced


def test_who_did_not_hear_anybody_for_a_while_takes_nobody_for_dead(members: Members, pool: Pool) -> None:
    """The database was away: all were silent alike."""
    elsewhere, here = members.join(host="elsewhere", pid=1), members.join()
    aged(pool, elsewhere, 31)
    here.heartbeat.beat()
    here.recover()
    assert not fenced(pool, elsewhere)
    steady_for_a_minute(here)
    here.heartbeat._last -= timedelta(seconds=16)  # type: ignore[operator]
    here.heartbeat.beat()
    here.recover()
    assert not fenced(pool, elsewhere)


def test_nobody_takes_itself_for_dead(members: Members, pool: Pool) -> None:
    here = members.join(host="elsewhere", pid=1)
    steady_for_a_minute(here)
    aged(pool, here, 31)
    here.recover()
    assert not fenced(pool, here)


def test_those_alive_share_by_rank(members: Members, pool: Pool) -> None:
    everybody = [members.join(), members.join(), members.join()]
    aged(pool, everybody[1], 31)
    for member in (everybody[0], everybody[2]):
        member.heartbeat.beat()
    assert [member.heartbeat.share for member in (everybody[0], everybody[2])] == [(0, 2), (1, 2)]
