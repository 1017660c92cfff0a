"""Bodies that are written in Markdown."""

from __future__ import annotations

import re

from markdown_it import MarkdownIt

from mail.template.render import LIMITS, TemplateError

_CLOSINGS = {"{{": "}}", "{%": "%}", "{#": "#}"}
_OPENING = re.compile(r"\{[{%#]")
_KEPT_TAG = re.compile(r"KEPTxTAGx([0-9]{1,6})xTAGxKEPT")


def from_markdown(source: str) -> str:
    """CommonMark with tables and strike-through, HTML as it is. Tags of templates pass through untouched.
    Raises TemplateError for what grows too much: links that refer to an address which stands elsewhere."""
    tags: list[str] = []
    html = _MARKDOWN.render("".join(_hidden(source, tags)))
    places = [int(found[1]) for found in _KEPT_TAG.finditer(html)]
    if len(html) + sum(len(tags[place]) for place in places if place < len(tags)) > LIMITS.output:
        raise TemplateError("html", None, f"it grows to more than {LIMITS.output:,} characters")
    return _KEPT_TAG.sub(
        lambda found: tags[int(found[1])] if int(found[1]) < len(tags) else found.group(), html
    )


def _hidden(source: str, tags: list[str]) -> list[str]:
    """The source in pieces, with a word for each tag, which goes to `tags`."""
    pieces, at, searched, closings = [], 0, 0, dict(_CLOSINGS)
    while (opening := _OPENING.search(source, searched)) is not None:
        start, searched = opening.start(), opening.start() + 1
        closing = closings.get(opening.group())
        end = source.find(closing, opening.end()) if closing else -1
        if end < 0:
            # There is none in the rest either: looked for only once.
            closings.pop(opening.group(), None)
            continue
        pieces += [source[at:start], f"KEPTxTAGx{len(tags)}xTAGxKEPT"]
        at = searched = end + 2
        tags.append(source[start:at])
    return [*pieces, source[at:]]


_MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
