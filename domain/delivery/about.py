"""Whom a refusal speaks of."""

from __future__ import annotations

from enum import StrEnum


class About(StrEnum):
    """Whom a refusal speaks of, which decides what is tried next."""

    RECIPIENT = "recipient"
    MESSAGE = "message"
    SERVER = "server"
    NETWORK = "network"
    PROCESSOR = "processor"


UNTOUCHED = (About.SERVER, About.PROCESSOR)
"""What is deferred because of these counts as no attempt: the e-mail itself was nobody's trouble."""
