"""What a projection is: its tables, the topics it handles, and a fold over one batch of the log."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from projections.following.batch import EventBatch


@dataclass(frozen=True)
class Projection:
    """`tables` and `indexes` are DDL with unqualified names: the search_path decides whether they are
    the live ones or those of a rebuild. Indexes come last, since a rebuild makes them when it is done.

    `fold` applies a batch inside the caller's transaction. It may read the batch and the projection's
    own tables only, and its result must not depend on where the log is cut into batches. Whoever
    changes the tables or the meaning of their rows raises `version`, and they are rebuilt.
    """

    name: str
    tables: dict[str, str]
    topics: frozenset[str]
    fold: Callable[[Any, EventBatch], None]
    indexes: tuple[str, ...] = ()
    version: int = 1
