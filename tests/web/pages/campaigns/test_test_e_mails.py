"""Test e-mails: what goes out, counts and is on record."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from domain.campaign.test_send import SendTestStarted
from domain.clock import VirtualClock
from domain.streams import send_test_stream
from postledger.sink.rules import SinkRule
from postledger.sink.sink import Sink
from storage.log.append import Log
from storage.postgres.pool import Pool
from tests.web.accounts.browsers import Browser
from tests.web.pages.campaigns.writing import write
from tests.web.pages.reading import seen, told
from tests.web.world import World


def send_test(person: Browser, addresses: str, **fields: Any) -> str:
    answer = person.post("/campaigns/1/test", "/campaigns/1", addresses=addresses, **fields)
    assert answer.status_code == 303, answer.text
    return seen(person.get("/campaigns/1").text)


def test_a_test_e_mail_goes_out_counts_and_is_on_record_without_its_address(
    person: Browser, pool: Pool, world: World, people: list[int]
) -> None:
    with Sink() as sink:
        world.server("alpha", host="127.0.0.1", port=sink.port, tls_type="none", daily_limit=3)
        write(person)
        text = send_test(person, "me@example.net, p1@example.org")
        assert "Accepted by alpha: me@example.net, p1@example.org" in text
        assert [message.rcpt_to for message in sink.messages] == [("me@example.net",), ("p1@example.org",)]
        assert b"Hello Ada" in sink.messages[1].message
    assert [state["n"] for state in told(pool, "capacity.reserved")] == [2]
    first, second = told(pool, "campaign.tried")
    assert (first["outcome"], first["by"], first.get("recipient")) == ("accepted", "local", None)
    assert second["recipient"] == people[0]
    assert (first["code"], first["reply"].partition(" ")[0]) == (250, "2.0.0")
    assert "250 2.0.0" in text
    assert "@" not in str(first) + str(second)
    assert "Test e-mail through alpha: accepted" in text


def test_a_test_takes_the_name_of_who_was_named_and_is_no_copy_of_the_real_one(
    person: Browser, world: World, people: list[int]
) -> None:
    with Sink() as sink:
        world.server("alpha", host="127.0.0.1", port=sink.port, tls_type="none")
        write(person)
        send_test(person, "me@example.net", model="p1@example.org")
        send_test(person, "p1@example.org")
        assert b"Hello Ada" in sink.messages[0].message
        ids = [message.message_id for message in sink.messages]
    assert all(one.startswith("<c1.r0.") for one in ids)
    assert len(set(ids)) == 2


def test_a_test_e_mail_that_does_not_go_out_says_why(
    person: Browser, pool: Pool, world: World, people: list[int]
) -> None:
    with Sink() as sink:
        world.server("alpha", host="127.0.0.1", port=sink.port, tls_type="none", daily_limit=1)
        off = world.server("beta", enabled=False)
        write(person)
        assert "an address is required" in send_test(person, " ")
        assert "at most 10 addresses, not 11" in send_test(
            person, " ".join(f"a{n}@b.example" for n in range(11))
        )
        assert "'nonsense' is not an e-mail address" in send_test(person, "nonsense")
        assert "there is no subscriber 'nobody'" in send_test(person, "a@b.example", model="nobody")
        world.directory.people.set_status([people[0]], "blocklisted", by="test")
        assert "the address is blocklisted" in send_test(person, "p1@example.org")
        assert "no server has capacity left" in send_test(person, "a@b.example", server=str(off))
        assert sink.messages == []
        text = send_test(person, "a@b.example c@d.example")
        assert "Accepted by alpha: a@b.example" in text
        assert "c@d.example: not sent" in text
        assert len(sink.messages) == 1


class Witness(Sink):
    """A mail server that looks what is on record at each MAIL FROM."""

    def __init__(self, pool: Pool) -> None:
        super().__init__()
        self._pool = pool
        self.on_record: list[tuple[int, int]] = []

    def attempted(self, at: float, mail_from: str) -> None:
        kinds = ("campaign.test_started", "campaign.tried")
        started, ended = (len(told(self._pool, kind)) for kind in kinds)
        self.on_record.append((started, ended))
        super().attempted(at, mail_from)


def test_a_test_e_mail_is_on_record_before_a_server_hears_of_it(
    person: Browser, pool: Pool, world: World, people: list[int]
) -> None:
    with Witness(pool) as sink:
        world.server("alpha", host="127.0.0.1", port=sink.port, tls_type="none", daily_limit=9)
        write(person)
        send_test(person, "me@example.net p1@example.org")
    assert sink.on_record == [(1, 0), (2, 1)]
    starts, ends = told(pool, "campaign.test_started"), told(pool, "campaign.tried")
    assert [end["started"] for end in ends] == [1, 3]
    assert [end.get("recipient") for end in ends] == [None, people[0]]
    assert [start.get("recipient") for start in starts] == [None, people[0]]
    text = seen(person.get("/campaigns/1").text)
    assert text.count("Test e-mail through alpha") == 2


def test_a_test_e_mail_whose_end_nobody_lived_to_record_is_of_unknown_outcome(
    person: Browser, world: World, people: list[int]
) -> None:
    world.server("alpha")
    write(person)
    start = SendTestStarted(
        originator_id=send_test_stream(1), originator_version=1, by="user:ada", server=1, reservation=1
    )
    Log(world.pool, world.clock).append([start.stored()])
    assert "Test e-mail through alpha: unknown" in seen(person.get("/campaigns/1").text)


class Hasty(Sink):
    """A mail server at which time flies: each e-mail takes a minute of the clock."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__()
        self.now = self._later
        self._clock = clock

    def _later(self) -> float:
        self._clock.advance_to(self._clock.now() + timedelta(minutes=1))
        return self._clock.now().timestamp()


def test_what_was_reserved_is_reserved_again_when_a_server_takes_its_time(
    person: Browser, pool: Pool, world: World, clock: VirtualClock, people: list[int]
) -> None:
    with Hasty(clock) as sink:
        world.server("alpha", host="127.0.0.1", port=sink.port, tls_type="none", daily_limit=10)
        write(person)
        text = send_test(person, "a@b.example c@d.example e@f.example")
        assert "Accepted by alpha: a@b.example, c@d.example, e@f.example" in text
    assert [state["n"] for state in told(pool, "capacity.reserved")][:2] == [3, 1]
    reserved = sum(state["n"] for state in told(pool, "capacity.reserved"))
    returned = sum(state.get("unused", 0) for state in told(pool, "capacity.returned"))
    assert reserved - returned == 3


def test_a_refused_test_e_mail_tells_the_reply(
    person: Browser, pool: Pool, world: World, people: list[int]
) -> None:
    with Sink(rules=(SinkRule("rcpt", reply="550 5.1.1 <me@example.net> unknown"),)) as sink:
        world.server("alpha", host="127.0.0.1", port=sink.port, tls_type="none", daily_limit=3)
        write(person)
        text = send_test(person, "me@example.net")
    assert "me@example.net: refused by alpha. 550 5.1.1 <recipient> unknown" in text
    assert [state["outcome"] for state in told(pool, "campaign.tried")] == ["refused"]
    assert told(pool, "capacity.returned")[0]["refused"] == 1
