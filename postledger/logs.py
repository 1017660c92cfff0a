"""Where log lines go: standard error, as text or as one JSON object a line."""

from __future__ import annotations

import json
import logging
import re
import sys
import time

from postledger.config import Config
from postledger.terminal import harmless

QUOTING = re.compile(r"^(?:DETAIL|HINT|CONTEXT|QUERY|LINE \d+): .*(?:\n *\^.*)?\n?", re.MULTILINE)
"""What PostgreSQL adds to its errors quotes statements and rows, and so people."""


def discreet(text: str) -> str:
    """Nor does it hold what a terminal takes for orders."""
    return harmless(QUOTING.sub("", text))


class TextFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return discreet(super().format(record))


class JsonFormatter(logging.Formatter):
    def __init__(self, part: str) -> None:
        super().__init__()
        self._part = part

    def format(self, record: logging.LogRecord) -> str:
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        entry = {
            "time": f"{moment}.{record.msecs:03.0f}Z",
            "level": record.levelname.lower(),
            "part": self._part,
            "logger": record.name,
            "message": discreet(record.getMessage()),
        }
        if record.exc_info:
            entry["exception"] = discreet(self.formatException(record.exc_info))
        return json.dumps(entry, ensure_ascii=False)


def set_up_logs(config: Config, part: str) -> None:
    """`part` says which process speaks: web, processor, serve, cli. Replaces what was set up before."""
    handler = logging.StreamHandler(sys.stderr)
    if config.log_format == "json":
        handler.setFormatter(JsonFormatter(part))
    else:
        handler.setFormatter(TextFormatter(f"%(asctime)s {part} %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=config.log_level.upper(), handlers=[handler], force=True)
    logging.getLogger("apscheduler").setLevel(logging.WARNING)
