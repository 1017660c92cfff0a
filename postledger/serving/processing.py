"""The process that sends."""

from __future__ import annotations

import gc
import os
from datetime import timedelta
from functools import partial

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
