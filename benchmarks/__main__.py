"""`python -m benchmarks [NAME ...]`: one JSON line each. Exit code 1 when a figure is out of reach."""

from __future__ import annotations

import importlib
import json
import sys

NAMES = (
    "compose",
    "transport",
    "dispatch",
    "queueing",
    "rebuild",
    "stats",
    "plan",
    "footprint",
    "pages",
    "kills",
)


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        print(f"there is no benchmark {', '.join(unknown)}; there are {', '.join(NAMES)}", file=sys.stderr)
        return 2
    is_within_reach = True
    for name in names or NAMES:
        figures = importlib.import_module(f"benchmarks.{name}").run()
        for figure in figures if isinstance(figures, list) else [figures]:
            print(json.dumps(figure), flush=True)
            is_within_reach &= figure["ok"]
    return 0 if is_within_reach else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
