"""`python -m proofs NAME`: one JSON line a finding. Exit code 1 when one of them is not ok."""

from __future__ import annotations

import importlib
import json
import signal
import sys

NAMES = ("attacks",)


def main(arguments: list[str]) -> int:
    if not arguments or arguments[0] not in NAMES:
        print(f"say what is to be proven: {', '.join(NAMES)}", file=sys.stderr)
        return 2
    name, *parts = arguments
    proof = importlib.import_module(f"proofs.{name}.run")
    if unknown := [part for part in parts if part not in proof.NAMES]:
        print(
            f"{name}: there is no {', '.join(unknown)}; there are {', '.join(proof.NAMES)}", file=sys.stderr
        )
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what was started is ended all the same
    is_proven = True
    for finding in proof.run(parts):
        print(json.dumps(finding.as_dict()), flush=True)
        is_proven &= finding.is_ok
    return 0 if is_proven else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
