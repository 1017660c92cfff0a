"""Takes pictures of a running Postledger: both themes, wide and narrow.

    python scripts/screenshots.py http://127.0.0.1:8025 FOLDER [/PATH …]

Without a path it takes every page that needs no number, and of the queue, servers, campaigns, lists,
subscribers and templates also the first that is listed.
Needs Chromium (`chromium` on the PATH) and the `dev` extra. Prints what the browser complains of and
exits with 1 when it does.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
WIDTHS = (1280, 400)
PAGES = (
    "/", "/campaigns", "/campaigns/new", "/queue", "/servers", "/servers/new", "/lists", "/subscribers",
    "/templates", "/log", "/settings", "/users",
)  # fmt: skip
LISTS = ("/campaigns", "/queue", "/servers", "/lists", "/subscribers", "/templates")


def main(address: str, folder: Path, paths: list[str]) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    complaints: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        for path in paths or [*PAGES, *first_of_each(browser, address)]:
            for scheme in ("light", "dark"):
                for width in WIDTHS:
                    complaints += take(browser, address + path, folder, scheme, width)
        browser.close()
    print("\n".join(complaints))
    return 1 if complaints else 0


def first_of_each(browser: Browser, address: str) -> list[str]:
    """The page of the first thing on each list, where there is any."""
    page = browser.new_page()
    found = []
    for path in LISTS:
        page.goto(address + path)
        links = page.eval_on_selector_all("main a", "links => links.map(link => link.getAttribute('href'))")
        found += [link for link in links if re.fullmatch(rf"{path}/\d+", link or "")][:1]
    page.close()
    return found


def take(browser: Browser, url: str, folder: Path, scheme: str, width: int) -> list[str]:
    """One picture of the whole page; what the browser complained of."""
    complaints: list[str] = []
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme=scheme,  # type: ignore[arg-type]
        reduced_motion="reduce",
        locale="en-GB",
    )
    page = context.new_page()
    page.on(
        "console", lambda said: complaints.append(f"{url}: {said.text}") if said.type == "error" else None
    )
    page.on("pageerror", lambda error: complaints.append(f"{url}: {error}"))
    page.goto(url, wait_until="load")
    page.wait_for_timeout(1500)
    if page.evaluate("document.documentElement.scrollWidth") > width:
        complaints.append(f"wider than {width} pixels")
    # What is out of sight, frames above all, is not drawn.
    height = page.evaluate("document.documentElement.scrollHeight")
    page.set_viewport_size({"width": width, "height": max(900, height)})
    page.wait_for_timeout(500)
    name = url.split("//")[1].partition("/")[2].strip("/").replace("/", "-") or "dashboard"
    page.screenshot(path=folder / f"{name}-{scheme}-{width}.png", full_page=True)
    context.close()
    return [f"{url}: {complaint}" for complaint in complaints]


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1].rstrip("/"), Path(sys.argv[2]), sys.argv[3:]))
