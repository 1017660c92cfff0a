"""The picture of the rooms in README is what the imports say."""

from __future__ import annotations

import runpy
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_the_picture_of_the_rooms_shows_the_imports_as_they_are() -> None:
    drawn = runpy.run_path(str(ROOT / "scripts" / "rooms.py"))["drawn"]
    assert (ROOT / "docs" / "images" / "rooms.svg").read_text() == drawn(), "run: python scripts/rooms.py"
