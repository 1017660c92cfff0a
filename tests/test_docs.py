"""The documentation tells the truth: its commands exist, its settings exist, its links lead somewhere."""

from __future__ import annotations

import re
import shlex
from dataclasses import fields
from pathlib import Path

import click
import pytest

from domain.topics import EVENT_CLASSES
from postledger.cli import main
from postledger.config import Config

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```\w*\n(.*?)^```", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`(postledger [a-z][^`]*)`")
LINK = re.compile(r"\]\((?!https?:)([^)#]*)(#[^)]*)?\)")


def commands() -> list[tuple[str, str]]:
    found = []
    for page in PAGES:
        text = page.read_text()
        lines = [line for block in BLOCK.findall(text) for line in block.splitlines()]
        written = [line.strip() for line in lines if line.strip().startswith("postledger ")]
        written += SPAN.findall(BLOCK.sub("", text))
        found += [(page.name, command) for command in written]
    return found


@pytest.mark.parametrize(("page", "command"), commands())
def test_a_command_in_the_documentation_is_one_that_the_program_takes(page: str, command: str) -> None:
    words = shlex.split(command)[1:]
    group: click.Command = main
    context = click.Context(main, info_name="postledger")
    while words and isinstance(group, click.Group):
        name = words.pop(0)
        found = group.get_command(context, name)
        assert found is not None, f"{page}: {command!r}: there is no {name!r}"
        group, context = found, click.Context(found, parent=context, info_name=name)
    known = {option for parameter in group.params for option in (*parameter.opts, *parameter.secondary_opts)}
    for word in words:
        if word.startswith("--"):
            assert word.partition("=")[0] in known, f"{page}: {command!r}: there is no {word}"


def test_the_guide_names_every_setting_and_its_variable() -> None:
    guide = (ROOT / "docs" / "guide.md").read_text()
    names = [field.name for field in fields(Config) if field.name != "sources"]
    missing = [
        name for name in names if f"`{name}`" not in guide or f"POSTLEDGER_{name.upper()}" not in guide
    ]
    assert missing == []


def test_the_audit_guide_names_every_topic_of_the_log() -> None:
    table = re.findall(r"^\| (`[a-z]+[.][^|]*) \|", (ROOT / "docs" / "audit.md").read_text(), re.MULTILINE)
    named = set()
    for cell in table:
        subject = ""
        for topic in re.findall("`([a-z_.]+)`", cell):
            subject, what = topic.split(".")[0] or subject, topic.split(".")[1]
            named.add(f"{subject}.{what}")
    assert named == {str(one.TOPIC) for one in EVENT_CLASSES}  # type: ignore[attr-defined]


def test_the_page_about_adding_an_event_names_places_that_there_are() -> None:
    page = (ROOT / "docs" / "adding-an-event.md").read_text()
    rows = re.findall(r"^\| `([^`]+)` \| ([^|]+) \|", page, re.MULTILINE)
    assert 0 < len(rows) <= 8
    for file, places in rows:
        text = (ROOT / file).read_text()
        names = re.findall("`([^`]+)`", places)
        assert names, file
        for name in names:
            assert re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text), f"{file}: there is no {name}"
    named = set(re.findall(r"`((?:\w+/)+\w+[.]\w+)`", page))
    assert {file for file in named if not (ROOT / file).exists()} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_between_pages_leads_somewhere(page: Path) -> None:
    for target, anchor in LINK.findall(page.read_text()):
        file = (page.parent / target).resolve() if target else page
        assert file.exists(), f"{page.name}: {target}"
        if anchor and file.suffix == ".md":
            headings = re.findall(r"^#+ (.+)$", file.read_text(), re.MULTILINE)
            assert anchor[1:] in {slug(heading) for heading in headings}, f"{page.name}: {target}{anchor}"


def slug(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
