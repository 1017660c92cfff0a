"""What axe-core (vendored beside this file) finds on a page: WCAG 2.2 A and AA, and good practice."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Page

SOURCE = Path(__file__).with_name("axe.min.js")
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def violations(page: Page) -> list[str]:
    """One line for each rule that is broken, with where."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(SOURCE.read_text())
    found: dict[str, Any] = page.evaluate(
        "tags => axe.run(document, {runOnly: tags, resultTypes: ['violations']})", TAGS
    )
    return [
        f"{one['id']}: {one['help']} at {'; '.join(str(node['target']) for node in one['nodes'][:5])}"
        f" ({one['nodes'][0]['failureSummary'][:300]})"
        for one in found["violations"]
    ]
