"""What is decided about the sending policy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from application.decisions.deciding import Deciding
from application.precondition import check_version
from domain.policy import PolicyChanged, SendingPolicy
from domain.streams import policy_stream


class PolicyDecisions(Deciding):
    def policy(self) -> SendingPolicy:
        facts = self.events.get(policy_stream())
        return SendingPolicy.of(fact for fact in facts if isinstance(fact, PolicyChanged))

    def change_policy(self, changes: Mapping[str, Any], *, by: str) -> int | None:
        def decide() -> int | None:
            policy = self.policy()
            check_version(policy_stream(), policy.version)
            fact = policy.change(changes, by=by)
            return None if fact is None else self._append(fact)

        return self._again_when_outrun(decide)
