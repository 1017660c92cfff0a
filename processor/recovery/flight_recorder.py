"""The flight recorder: how far each attempt in flight has come, where a processor's death does not reach.

A file in memory that the processor has mapped. What is written there is an assignment, no system call,
and the operating system has it from that moment on: it outlives the process, however that ends, though
not the machine. After the death whoever recovers on the same boot reads what the log does not know.

One slot an attempt, from before its AttemptStarted is handed in until its outcome is in the log:

    0 how far (see Phase)   4-19 stream   20-23 version   24-27 reservation   28-31 server
    32-35 length and 36-39 CRC-32 of what follows   40- what is about to be recorded: topic, NUL, state

Numbers are little-endian. No slot holds an address: replies are sanitised as they are for the log.
"""

from __future__ import annotations

import fcntl
import json
import logging
import mmap
import os
from datetime import datetime
from enum import IntEnum
from pathlib import Path
from struct import Struct
from typing import NamedTuple
from uuid import UUID
from zlib import crc32

from domain.delivery.delivery import Accepted, Deferred, Failed
from domain.delivery.interrupted import Heard, Trace

log = logging.getLogger(__name__)


class Phase(IntEnum):
    """REFUSED and ANSWERED: the outcome is known, which came before the dot or after it."""

    FREE = 0
    STARTED = 1
    DOT_SENT = 2
    REFUSED = 3
    ANSWERED = 4


# Looking a member up on its class costs as much as the write.
FREE, STARTED, DOT_SENT, REFUSED, ANSWERED = map(int, Phase)

SLOT = 1536
"""Enough for any outcome: a sanitised reply has 300 characters at most."""

SLOTS = 1024
SIZE = SLOTS * SLOT
NO_SLOT = 0
SHARED_SLOT = SLOT
"""The first one is the file's head; the second is written by all attempts for which there is no other, and
read by nobody."""

HEAD = Struct("<24sIQ")
MAGIC = b"postledger flight 1"
ATTEMPT = Struct("<B3x16sIII")
OUTCOME = Struct("<II")
OUTCOME_AT = ATTEMPT.size
STATE_AT = OUTCOME_AT + OUTCOME.size
ROOM = SLOT - STATE_AT

OUTCOMES: dict[str, type[Heard]] = {kind.TOPIC: kind for kind in (Accepted, Deferred, Failed)}


class Left(NamedTuple):
    """An attempt as a slot shows it; it counts only if the log names the same reservation and server."""

    reservation: int
    server: int
    trace: Trace


class FlightRecorder:
    """Written in one thread. Where no file can be kept, what is written is lost with the process."""

    def __init__(self, folder: Path | None, processor: int, started_at: datetime) -> None:
        self._path = folder / _name(processor, started_at) if folder else None
        self._file: int | None = None
        if self._path is not None:
            try:
                self._file = _created(self._path)
            except OSError as error:
                log.warning("no flight record in %s: %s", folder, error.strerror)
        self._memory = mmap.mmap(-1 if self._file is None else self._file, SIZE)
        HEAD.pack_into(self._memory, 0, MAGIC, processor, _microseconds(started_at))
        self._free = list(range(SIZE - SLOT, SHARED_SLOT, -SLOT))

    def start(self, stream: bytes, version: int, reservation: int, server: int) -> int:
        """The slot of an attempt that is about to be handed to the log."""
        slot = self._free.pop() if self._free else SHARED_SLOT
        ATTEMPT.pack_into(self._memory, slot, STARTED, stream, version, reservation, server)
        return slot

    def dot_sent(self, slot: int) -> None:
        """To be called before the dot is handed to the operating system."""
        self._memory[slot] = DOT_SENT

    def dot_kept(self, slot: int) -> None:
        """The operating system did not take the dot."""
        self._memory[slot] = STARTED

    def ended(self, slot: int, topic: str, state: bytes, *, dot_sent: bool) -> None:
        """To be called before the outcome is handed to the log."""
        outcome = topic.encode() + b"\0" + state
        if len(outcome) > ROOM:
            return
        memory = self._memory
        OUTCOME.pack_into(memory, slot + OUTCOME_AT, len(outcome), crc32(outcome))
        memory[slot + STATE_AT : slot + STATE_AT + len(outcome)] = outcome
        memory[slot] = ANSWERED if dot_sent else REFUSED

    def release(self, slot: int) -> None:
        """The log has the outcome, or will never have the attempt."""
        if slot > SHARED_SLOT:
            self._memory[slot] = FREE
            self._free.append(slot)

    def close(self) -> None:
        """The file goes too, unless something in it is not in the log yet."""
        self._memory.close()
        if self._file is not None and self._path is not None:
            if len(self._free) == SLOTS - 2:
                self._path.unlink(missing_ok=True)
            os.close(self._file)
            self._file = None


def left_by(folder: Path, processor: int, started_at: datetime) -> dict[tuple[UUID, int], Left]:
    """What a processor that is dead left of attempts, by stream and version. Nothing while its process still
    lives, maybe only asleep: whatever the record says then may change yet."""
    path = folder / _name(processor, started_at)
    if _is_locked(path):
        return {}
    content = path.read_bytes()
    magic, number, microseconds = HEAD.unpack_from(content.ljust(HEAD.size, b"\0"))
    if (magic.rstrip(b"\0"), number, microseconds) != (MAGIC, processor, _microseconds(started_at)):
        return {}
    return _slots(content)


def forget(folder: Path, processor: int, started_at: datetime) -> None:
    """Nothing in its record is needed any more."""
    (folder / _name(processor, started_at)).unlink(missing_ok=True)


def forget_older(folder: Path, than: datetime) -> None:
    """Records of processors that began before and do not live any more."""
    for path in folder.iterdir():
        _, _, began = path.name.partition("-")
        if began.isdigit() and int(began) < _microseconds(than) and not _is_locked(path):
            path.unlink(missing_ok=True)


def _is_locked(path: Path) -> bool:
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False


def _slots(content: bytes) -> dict[tuple[UUID, int], Left]:
    """An attempt that two slots claim is in none: one of them is a lie."""
    found: dict[tuple[UUID, int], Left] = {}
    claimed_twice = set()
    for slot in range(SHARED_SLOT + SLOT, len(content) - SLOT + 1, SLOT):
        phase, stream, version, reservation, server = ATTEMPT.unpack_from(content, slot)
        if phase == FREE or phase not in Phase.__members__.values():
            continue
        name = UUID(bytes=stream), version
        if name in found:
            claimed_twice.add(name)
        found[name] = Left(reservation, server, _trace(name, phase, content[slot : slot + SLOT]))
    return {name: left for name, left in found.items() if name not in claimed_twice}


def _trace(name: tuple[UUID, int], phase: int, slot: bytes) -> Trace:
    dot_sent = phase in (DOT_SENT, ANSWERED)
    if phase not in (REFUSED, ANSWERED):
        return Trace(dot_sent)
    length, check = OUTCOME.unpack_from(slot, OUTCOME_AT)
    outcome = slot[STATE_AT : STATE_AT + length]
    if len(outcome) != length or crc32(outcome) != check:
        return Trace(dot_sent)
    topic, _, state = outcome.partition(b"\0")
    kind = OUTCOMES[topic.decode()]
    heard: Heard = kind(originator_id=name[0], originator_version=name[1] + 1, **json.loads(state))
    return Trace(dot_sent, heard)


def _created(path: Path) -> int:
    """A file for this process alone, and locked for as long as the process lives. Raises OSError.

    All of it is allocated now: a page that the operating system cannot give later would kill the process.
    """
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.posix_fallocate(file, 0, SIZE)
    except OSError:
        path.unlink(missing_ok=True)
        os.close(file)
        raise
    return file


def _name(processor: int, started_at: datetime) -> str:
    """Processors of several databases may share a folder: their numbers repeat, these moments do not."""
    return f"{processor}-{_microseconds(started_at)}"


def _microseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1_000_000)
