"""Writes requirements.txt and requirements-dev.txt: one version of every package that Postledger needs to
run, and that its tests need too, each with the SHA-256 of all files that were published of it, so that pip
takes nothing else, on whatever platform. Needs the program `uv`.

    python scripts/requirements.py              # what setup.cfg asks for now; versions stay where they can
    python scripts/requirements.py --upgrade    # the newest versions
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
FILES = {"requirements-dev.txt": ("--extra", "dev"), "requirements.txt": ()}
BUILDING = "setuptools>=77\n"
HEADING = "# Made by scripts/requirements.py; installed by bin/setup with pip's --require-hashes.\n"


def main(*more: str) -> None:
    uv = shutil.which("uv")
    if uv is None:
        sys.exit("the program uv is needed: pip install uv")
    for name, extra in FILES.items():
        # What is needed to run has the versions that the tests ran with.
        tested = ("--constraint", "requirements-dev.txt") if name == "requirements.txt" else ()
        command = [uv, "pip", "compile", "setup.cfg", "-", *extra, *tested, *(() if tested else more)]
        options = ["--universal", "--python-version", "3.11", "--generate-hashes", "--no-header"]
        options += ["--no-annotate", "--quiet", "--output-file", name]
        subprocess.run([*command, *options], cwd=ROOT, input=BUILDING, text=True, check=True)  # noqa: S603
        path = ROOT / name
        path.write_text(HEADING + path.read_text(encoding="utf-8").removeprefix(HEADING), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
