"""Those who send half a request, send slowly, or never close, keep nobody from being answered; and nobody's
header changes which path is asked for."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from select import select

import pytest
import requests

from tests.installation import wait_until
from tests.web.serving import served
from tests.web.world import World

HELD = 200
HEAD = b"POST /sign-in HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-www-form-urlencoded\r\n"
GET = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n"
HALVES = {
    "nothing": b"",
    "a word": b"GET /sig",
    "half of the head": b"GET /sign-in HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/",
    "half of the body": HEAD + b"Content-Length: 100\r\n\r\nname=admin",
    "a body that is awaited": HEAD + b"Content-Length: 100\r\nExpect: 100-continue\r\n\r\n",
    "half of the chunks": HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\nn\r\n" * 2000 + b"5\r\nab",
    "a chunk that never ends": HEAD + b"Transfer-Encoding: chunked\r\n\r\nfffff\r\n" + b"n" * 60_000,
    "trailers that never end": HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n",
    "a long body": HEAD + b"Content-Length: 30000000\r\n\r\nname=admin",
    "a long body that nobody reads": GET + b"Content-Length: 90000\r\n\r\n",
    "an answer that is left there": GET + b"Connection: close\r\n\r\n",
}


@pytest.fixture
def port(world: World, database_url: str) -> Iterator[int]:
    with served(database_url) as (process, port):
        assert process.stdout is not None
        process.stdout.readline()
        yield port


@pytest.fixture
def impatient_port(world: World, database_url: str) -> Iterator[int]:
    with served(database_url, seconds=0.5) as (process, port):
        assert process.stdout is not None
        process.stdout.readline()
        yield port


def connected(stack: ExitStack, port: int, sent: bytes, source: str = "127.0.0.1") -> socket.socket:
    connection = stack.enter_context(
        socket.create_connection(("127.0.0.1", port), timeout=60, source_address=(source, 0))
    )
    connection.sendall(sent)
    return connection


def is_answered(port: int) -> bool:
    return requests.get(f"http://127.0.0.1:{port}/api/queue/stats", timeout=60).status_code == 200


def first_answer(slow: socket.socket) -> bytes:
    """While a byte is sent now and then."""
    slow.settimeout(0.1)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        slow.sendall(b"x")
        try:
            return slow.recv(1000)
        except TimeoutError:
            continue
    return b""


def seconds_for_five(port: int) -> float:
    begun = time.monotonic()
    assert [is_answered(port) for _ in range(5)] == [True] * 5
    return time.monotonic() - begun


@pytest.mark.parametrize("kind", HALVES)
def test_pages_are_answered_while_hundreds_of_halves_are_held(port: int, kind: str) -> None:
    undisturbed = seconds_for_five(port)
    with ExitStack() as stack:
        for _ in range(HELD):
            connected(stack, port, HALVES[kind], "127.0.0.2")
        assert seconds_for_five(port) < 8 + 3 * undisturbed


def test_those_who_may_send_long_bodies_take_a_few_threads_at_most(port: int) -> None:
    head = b"POST /api/import/subscribers HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9000000\r\n"
    head += b"Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\n"
    with ExitStack() as stack:
        uploads = [connected(stack, port, head) for _ in range(40)]
        wait_until(lambda: len(select(uploads, [], [], 1)[0]) >= 38)
        answered = select(uploads, [], [], 0)[0]
        assert [one.recv(12) for one in answered] == [b"HTTP/1.1 503"] * 38
        assert [is_answered(port) for _ in range(5)] == [True] * 5


def test_what_does_not_arrive_in_time_is_ended(impatient_port: int) -> None:
    with ExitStack() as stack:
        silent = connected(stack, impatient_port, b"")
        half = connected(stack, impatient_port, HALVES["half of the body"])
        assert silent.recv(1000) == b""
        assert half.recv(1000).startswith(b"HTTP/1.1 408 ")


def test_a_byte_now_and_then_gains_no_time(impatient_port: int) -> None:
    with ExitStack() as stack:
        slow = connected(stack, impatient_port, b"GET / HTTP/1.1\r\nX: ")
        assert first_answer(slow).startswith(b"HTTP/1.1 408 ")


def test_a_long_body_that_trickles_is_ended_although_its_sender_may_send_it(impatient_port: int) -> None:
    head = b"POST /api/import/subscribers HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9000000\r\n"
    head += b"Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\n"
    with ExitStack() as stack:
        slow = connected(stack, impatient_port, head)
        assert first_answer(slow).startswith(b"HTTP/1.1 408 ")


def test_whoever_holds_the_most_loses_the_oldest_when_there_are_too_many(port: int) -> None:
    with ExitStack() as stack:
        honest = connected(stack, port, GET)
        attackers = [connected(stack, port, b"GET", "127.0.0.2") for _ in range(600)]
        assert attackers[0].recv(1000).startswith(b"HTTP/1.1 408 ")
        assert is_answered(port)
        honest.sendall(b"\r\n")
        assert honest.recv(1000).startswith(b"HTTP/1.1 200 ")


def test_a_head_without_end_is_refused(port: int) -> None:
    with ExitStack() as stack:
        endless = connected(stack, port, b"GET / HTTP/1.1\r\n")
        endless.sendall(b"X: " + b"x" * 40_000)
        assert endless.recv(1000).startswith(b"HTTP/1.1 431 ")


def test_requests_that_come_in_pieces_or_together_are_answered_all_the_same(port: int) -> None:
    body = b"6\r\nname=a\r\n5;x=1\r\ndmin&\r\n0\r\nLast: 1\r\n\r\n"
    with ExitStack() as stack:
        pieces = connected(stack, port, b"")
        for byte in HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + body:
            pieces.sendall(bytes([byte]))
        assert pieces.recv(1000).startswith(b"HTTP/1.1 303 "), "there is no user: nobody need sign in"
        together = connected(stack, port, (GET + b"\r\n") * 3)
        answers = b""
        while answers.count(b'"status":"ok"') < 3:
            answers += together.recv(1000)
        expecting = connected(stack, port, HEAD + b"Content-Length: 4\r\nExpect: 100-continue\r\n\r\n")
        assert expecting.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        expecting.sendall(b"name")
        assert b"HTTP/1.1 303 " in expecting.recv(1000) + expecting.recv(1000)


@pytest.mark.parametrize("body", [b"xyz\r\n", b"1\r\nabc\r\n0\r\n\r\n", b"0\r\nHost: b\r\n\r\n"])
def test_a_body_that_is_badly_framed_is_refused(port: int, body: bytes) -> None:
    with ExitStack() as stack:
        bad = connected(stack, port, HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + body)
        assert bad.recv(1000).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(
    "name", ["SCRIPT_NAME", "Script_Name", "Script-Name", "X-Script-Name", "X-Forwarded-Prefix"]
)
def test_no_header_leads_past_a_proxys_limit_on_paths(port: int, name: str) -> None:
    """Which lets through what begins with /static/, say."""
    for headers in ({name: "/static"}, {name: "/static", "PATH_INFO": "/users"}, {"PATH_INFO": "/users"}):
        answer = requests.get(f"http://127.0.0.1:{port}/static/users", headers=headers, timeout=60)
        assert answer.status_code == 404
