"""One finding of the doctor, and whom it looks at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from postledger.config import Config
from storage.postgres.pool import Pool


class Check(NamedTuple):
    """`remedy` is empty when there is nothing to do."""

    name: str
    state: Literal["ok", "warn", "fail"]
    finding: str
    remedy: str = ""


@dataclass(frozen=True)
class Patient:
    config: Config
    url: str
    pool: Pool
