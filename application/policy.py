"""The sending policy, for pages, API and command line alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from application.installation import Installation
from domain.policy import SendingPolicy


class Policy:
    def __init__(self, installation: Installation) -> None:
        self._installation = installation

    def in_force(self) -> SendingPolicy:
        return self._installation.application.policy()

    def change(self, changes: Mapping[str, Any], *, by: str) -> None:
        """In force within a second, and shown by the projections when this returns. Raises Refused with a
        message for each field that is wrong."""
        self._installation.wait_until_shown(self._installation.application.change_policy(changes, by=by))
