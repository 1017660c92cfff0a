"""The process that sends."""

from __future__ import annotations

import gc
import os
import stat
from datetime import timedelta
from functools import partial
from pathlib import Path

from postledger.config import Config
from postledger.logs import set_up_logs
from postledger.serving.stopping import on_stop
from postledger.session import NotReadyError, Session, open_session, outdated_projections
from processor.processor import Processor
from storage.postgres.outage import OUTAGE
from storage.processors import PATIENCE

CONNECTIONS = 10


def collect_rarely() -> None:
    """What is loaded by now stays, and sending makes next to no cycles: looking for them all the time would
    cost a twentieth of the processor's time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def record_folder(data_folder: Path) -> Path | None:
    """Where processors of this host and user keep their flight records, None when they cannot: in memory if
    possible, since a file on a disk would now and then keep its writer waiting."""
    given = os.environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]
    shared = Path("/dev/shm")  # noqa: S108
    folders = [
        *([Path(given) / "flight"] if given else []),
        *([shared / f"postledger-{os.geteuid()}"] if shared.is_dir() else []),
        data_folder / "flight",
    ]
    return next((folder for folder in folders if _is_our_own(folder)), None)


def _is_our_own(folder: Path) -> bool:
    """Made if need be. In a folder that is open to all, others may have made one of that name."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o077


def run_processor(config: Config, *, patience: timedelta = PATIENCE) -> int:
    """0 after SIGTERM or SIGINT, 1 when the processor could not go on and wants to be started anew. Raises
    NotReadyError for projections of an earlier release, which it would go on with by other rules."""
    set_up_logs(config, "processor")
    parent = os.getppid()
    with open_session(config, connections=CONNECTIONS) as session:
        if outdated := outdated_projections(session.pool):
            raise NotReadyError(
                f"projections were made by an earlier release ({', '.join(outdated)}): "
                "run `postledger migrate` first"
            )
        processor = Processor(
            session.url,
            session.pool,
            session.secrets.loaded(),
            session.clock,
            config.public_url,
            patience=patience,
            records=record_folder(config.data_folder),
        )
        on_stop(processor.ask_to_stop)
        processor.start()
        collect_rarely()
        was_asked = processor.wait()
        processor.stop(partial(has_database, session, parent))
    return 0 if was_asked else 1


def has_database(session: Session, parent: int) -> bool:
    """False when the `serve` that started this processor is gone, and its database with it, which nobody
    starts again for it."""
    if os.getppid() == parent:
        return True
    try:
        session.pool.open().close()
    except OUTAGE:
        return False
    return True
