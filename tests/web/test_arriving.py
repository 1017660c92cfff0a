"""When a request is all there."""

from __future__ import annotations

from time import thread_time

import pytest
from gunicorn.config import Config
from hypothesis import given
from hypothesis import strategies as st

from web.arriving import LONGEST_BODY, ArrivingRequest

CONFIG = Config()
CLIENT = ("127.0.0.1", 1)
START = b"POST /x HTTP/1.1\r\nHost: a\r\n"


def in_chunks(body: bytes, sizes: list[int], extension: bytes, trailer: bytes) -> bytes:
    wire, rest = b"", body
    for size in [*sizes, len(body)]:
        chunk, rest = rest[:size], rest[size:]
        if chunk:
            wire += b"%X%b\r\n%b\r\n" % (len(chunk), extension, chunk)
    return wire + b"0\r\n" + trailer + b"\r\n"


EXTENSIONS = st.sampled_from([b"", b";a", b" ; a=b", b';a="c;d"'])
TRAILERS = st.sampled_from([b"", b"A: b\r\n", b"A: b\r\nC: d\r\n"])
CHUNKED = st.builds(
    in_chunks, st.binary(max_size=200), st.lists(st.integers(1, 50), max_size=5), EXTENSIONS, TRAILERS
).map(lambda wire: START + b"Transfer-Encoding: chunked\r\n\r\n" + wire)
SIZED = st.binary(max_size=200).map(lambda body: START + b"content-LENGTH: %d\r\n\r\n" % len(body) + body)
BARE = st.just(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n")


@given(st.one_of(CHUNKED, SIZED, BARE), st.lists(st.integers(1, 60), max_size=8))
def test_a_request_is_ready_with_its_last_byte_and_not_before(wire: bytes, cuts: list[int]) -> None:
    request = ArrivingRequest(CONFIG, CLIENT, bytearray())
    begun = 0
    for cut in cuts:
        request.data += wire[begun : min(begun + cut, len(wire) - 1)]
        begun = min(begun + cut, len(wire) - 1)
        assert not request.is_ready()
        assert not request.is_too_long()
    request.data += wire[begun:]
    assert request.is_ready()


@pytest.mark.parametrize(
    "wire",
    [
        b"no request at all\r\n\r\n",
        START + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n",
        START + b"Content-Length: -5\r\n\r\n",
        START + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        START + b"Transfer-Encoding: chunked, chunked\r\n\r\n",
        START + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
        START + b"Content-Length: %d\r\n\r\n" % (LONGEST_BODY + 1),
    ],
)
def test_what_a_thread_refuses_without_reading_on_does_not_wait(wire: bytes) -> None:
    assert ArrivingRequest(CONFIG, CLIENT, bytearray(wire)).is_ready()


@pytest.mark.parametrize("tail", [b"x" * 40_000, b"\r\nX: " + b"y" * 40_000])
def test_a_head_has_an_end(tail: bytes) -> None:
    assert ArrivingRequest(CONFIG, CLIENT, bytearray(START + tail)).is_too_long()


@pytest.mark.parametrize("wire", [b"1\r\nx\r\n", b"0\r\nA: b\r\n"])
def test_bytes_that_come_one_by_one_are_looked_at_a_few_times_each(wire: bytes) -> None:
    """Twice as many take about twice as long."""

    def seconds(count: int) -> float:
        request = ArrivingRequest(CONFIG, CLIENT, bytearray(START + b"Transfer-Encoding: chunked\r\n\r\n"))
        begun = thread_time()
        for byte in wire * count:
            request.data.append(byte)
            request.is_ready()
        return thread_time() - begun

    assert min(seconds(4000) for _ in range(3)) < 3 * min(seconds(2000) for _ in range(3)) + 0.01
