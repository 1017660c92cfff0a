"""What was said while a connection was opened, for a person to read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class DialogueStep:
    """`who` is client, server or note; a note tells what happened besides words, such as a handshake."""

    who: Literal["client", "server", "note"]
    text: str


@dataclass
class Dialogue:
    """Keeps the steps; a recorder given to `connect` or `probe` sees secrets already struck out."""

    steps: list[DialogueStep] = field(default_factory=list)

    def said(self, line: str) -> None:
        self.steps.append(DialogueStep("client", line))

    def heard(self, line: str) -> None:
        self.steps.append(DialogueStep("server", line))

    def note(self, text: str) -> None:
        self.steps.append(DialogueStep("note", text))
