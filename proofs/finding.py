"""What a proof found, in a figure."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Finding:
    """`value` is ok when it is `at most` or `at least` the `reach`. `note` says what the figure is about, for
    whoever reads the line; what was answered, where something was not as it should be."""

    name: str
    value: float
    unit: str
    reach: float
    bound: Literal["at most", "at least"] = "at most"
    note: str = ""

    @property
    def is_ok(self) -> bool:
        compare = operator.le if self.bound == "at most" else operator.ge
        return bool(compare(self.value, self.reach))

    def as_dict(self) -> dict[str, Any]:
        made = {
            "name": self.name,
            "value": round(self.value, 3),
            "unit": self.unit,
            "reach": self.reach,
            "bound": self.bound,
            "ok": self.is_ok,
        }
        return {**made, "note": self.note} if self.note else made
