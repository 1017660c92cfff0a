"""What a processor left behind of its attempts outlives it, and is believed when it is whole."""

from __future__ import annotations

import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.delivery.delivery import Accepted, Deferred
from domain.delivery.interrupted import Trace
from domain.delivery.reply import sanitise
from domain.streams import delivery_stream
from postledger.serving.processing import record_folder
from processor.recovery import flight_recorder
from processor.recovery.flight_recorder import SLOT, SLOTS, FlightRecorder, Left, left_by

BORN = datetime(2026, 3, 6, 12, 0, 0, 123456, tzinfo=UTC)
SENDING, SENT, ANSWERED, REFUSED, DONE = (delivery_stream(1, n) for n in range(1, 6))
TAKEN = Accepted(originator_id=ANSWERED, originator_version=4, by="processor:9", server=7, reply="2.0.0 <k>")
LATER = Deferred(
    originator_id=REFUSED, originator_version=4, by="processor:9", server=7, reply="4.2.2 <recipient> full",
    about="recipient", again=12.5,
)  # fmt: skip

WRITER = """
import sys, time
from datetime import datetime
from pathlib import Path
from tests.processor import test_flight_recorder as story
recorder = story.written(Path(sys.argv[1]))
print("written", flush=True)
time.sleep(600)
"""


def written(folder: Path) -> FlightRecorder:
    """One attempt at each stage; of two the outcome is known, and one is over and done with."""
    recorder = FlightRecorder(folder, 9, BORN)
    slots = [recorder.start(stream.bytes, 3, 5, 7) for stream in (SENDING, SENT, ANSWERED, REFUSED, DONE)]
    for slot in (slots[1], slots[2], slots[4]):
        recorder.dot_sent(slot)
    recorder.ended(slots[2], *TAKEN.entry()[2:], dot_sent=True)
    recorder.ended(slots[3], *LATER.entry()[2:], dot_sent=False)
    recorder.ended(slots[4], *TAKEN.entry()[2:], dot_sent=True)
    recorder.release(slots[4])
    return recorder


EXPECTED = {
    (SENDING, 3): Left(5, 7, Trace(dot_sent=False)),
    (SENT, 3): Left(5, 7, Trace(dot_sent=True)),
    (ANSWERED, 3): Left(5, 7, Trace(dot_sent=True, heard=TAKEN)),
    (REFUSED, 3): Left(5, 7, Trace(dot_sent=False, heard=LATER)),
}


def test_it_outlives_a_kill_and_tells_nothing_before(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    with subprocess.Popen(command, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline() == b"written\n"
        assert left_by(tmp_path, 9, BORN) == {}, "the process lives and may write on"
        process.send_signal(signal.SIGKILL)
    assert left_by(tmp_path, 9, BORN) == EXPECTED
    assert left_by(tmp_path, 9, BORN) == EXPECTED, "several may look"


def test_it_is_for_its_owner_alone(tmp_path: Path) -> None:
    written(tmp_path).close()
    (file,) = tmp_path.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600


def test_it_goes_with_its_processor_once_all_is_in_the_log(tmp_path: Path) -> None:
    recorder = FlightRecorder(tmp_path, 9, BORN)
    slot = recorder.start(SENT.bytes, 3, 5, 7)
    recorder.release(slot)
    recorder.close()
    assert not list(tmp_path.iterdir())


def test_a_record_of_another_processor_of_that_number_is_not_read(tmp_path: Path) -> None:
    written(tmp_path).close()
    assert left_by(tmp_path, 9, BORN + timedelta(microseconds=1)) == {}
    assert left_by(tmp_path, 8, BORN) == {}
    (file,) = tmp_path.iterdir()
    file.rename(tmp_path / file.name.replace("9-", "8-"))
    assert left_by(tmp_path, 8, BORN) == {}


def test_an_outcome_that_is_not_whole_is_not_believed(tmp_path: Path) -> None:
    written(tmp_path).close()
    (file,) = tmp_path.iterdir()
    content = file.read_bytes()
    file.write_bytes(content.replace(b"2.0.0 <k>", b"2.0.0 <\0>"))
    assert left_by(tmp_path, 9, BORN) == EXPECTED | {(ANSWERED, 3): Left(5, 7, Trace(dot_sent=True))}


@pytest.mark.parametrize("content", [b"", b"postledger", b"\0" * SLOT * SLOTS, b"x" * SLOT * SLOTS])
def test_a_file_that_is_no_record_tells_nothing(tmp_path: Path, content: bytes) -> None:
    written(tmp_path).close()
    (file,) = tmp_path.iterdir()
    file.write_bytes(content)
    assert left_by(tmp_path, 9, BORN) == {}


def test_an_attempt_that_two_slots_claim_is_told_by_neither(tmp_path: Path) -> None:
    recorder = FlightRecorder(tmp_path, 9, BORN)
    for _ in range(2):
        slot = recorder.start(SENT.bytes, 3, 5, 7)
    recorder.dot_sent(slot)
    recorder.close()
    assert left_by(tmp_path, 9, BORN) == {}


def test_a_slot_is_used_again_without_a_trace_of_the_last_attempt(tmp_path: Path) -> None:
    recorder = FlightRecorder(tmp_path, 9, BORN)
    slot = recorder.start(ANSWERED.bytes, 3, 5, 7)
    recorder.ended(slot, *TAKEN.entry()[2:], dot_sent=True)
    recorder.release(slot)
    assert recorder.start(SENDING.bytes, 3, 5, 7) == slot
    recorder.close()
    assert left_by(tmp_path, 9, BORN) == {(SENDING, 3): Left(5, 7, Trace(dot_sent=False))}


def test_more_attempts_than_slots_leave_the_others_be(tmp_path: Path) -> None:
    recorder = FlightRecorder(tmp_path, 9, BORN)
    slots = [recorder.start(delivery_stream(1, n).bytes, 1, 5, 7) for n in range(SLOTS + 10)]
    for slot in slots[SLOTS:]:
        recorder.ended(slot, *TAKEN.entry()[2:], dot_sent=True)
        recorder.release(slot)
    recorder.close()
    left = left_by(tmp_path, 9, BORN)
    assert left == {(delivery_stream(1, n), 1): Left(5, 7, Trace(dot_sent=False)) for n in range(SLOTS - 2)}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(min_size=200, max_size=600), st.booleans())
def test_any_reply_fits(tmp_path: Path, reply: str, dot_sent: bool) -> None:
    recorder = FlightRecorder(tmp_path, 9, BORN)
    fact = Deferred(
        originator_id=SENT, originator_version=4, by="processor:2147483647", server=2**31 - 1,
        reply=sanitise(reply, "ada@example.org"), about="recipient", again=1_800_000_000.123,
    )  # fmt: skip
    recorder.ended(recorder.start(SENT.bytes, 3, 5, 7), *fact.entry()[2:], dot_sent=dot_sent)
    recorder.close()
    assert left_by(tmp_path, 9, BORN) == {(SENT, 3): Left(5, 7, Trace(dot_sent, fact))}
    flight_recorder.forget(tmp_path, 9, BORN)


def test_without_a_folder_nothing_is_kept_and_nothing_fails(tmp_path: Path) -> None:
    for folder in (None, tmp_path / "missing"):
        recorder = FlightRecorder(folder, 9, BORN)
        recorder.dot_sent(recorder.start(SENT.bytes, 3, 5, 7))
        recorder.close()
    assert not list(tmp_path.iterdir())


def test_records_that_nobody_asks_for_go_when_they_are_old_and_their_processors_gone(tmp_path: Path) -> None:
    written(tmp_path).close()
    living = FlightRecorder(tmp_path, 10, BORN)
    (tmp_path / "something-else").touch()
    flight_recorder.forget_older(tmp_path, BORN)
    assert len(list(tmp_path.iterdir())) == 3
    flight_recorder.forget_older(tmp_path, BORN + timedelta(seconds=1))
    names = {path.name.partition("-")[0] for path in tmp_path.iterdir()}
    assert names == {"10", "something"}
    living.close()


def test_records_are_kept_in_the_runtime_directory_where_there_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNTIME_DIRECTORY", f"{tmp_path / 'run'}:/run/other")
    folder = record_folder(tmp_path / "data")
    assert folder == tmp_path / "run" / "flight"
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_folder_that_others_may_write_to_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path))
    (tmp_path / "flight").mkdir()
    (tmp_path / "flight").chmod(0o777)
    assert record_folder(tmp_path / "data") not in (None, tmp_path / "flight")
