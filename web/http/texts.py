"""What comes in as text: refused at the door where a character is in it that no text of ours may have. Those
are control characters, tab and line breaks apart, and halves of surrogate pairs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import IO, Any

from flask import Flask, Request, request
from pydantic_core import from_json
from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.formparser import FormDataParser

from web.http.errors import LONGEST_PLACE, MOST_NAMED, Refusal, place

FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
ESCAPED = re.compile(rb"\\(?:[bf]|u00(?:0[0-8bcefBCEF]|1[0-9a-fA-F]|7[fF]))|\x7f")
"""What may stand for one in JSON, which has no other as it is; its parser takes no halves of pairs."""

WHY = "control characters are not taken"


def install(app: Flask) -> None:
    app.request_class = CheckedRequest

    @app.before_request
    def check() -> None:
        check_fields(request.args, "query")
        if FORBIDDEN.search(request.path):
            raise Refusal(400, f"The address is wrong: {WHY}.")


def check_fields(fields: MultiDict[str, str], part: str) -> None:
    """Raises Refusal, 400."""
    wrong = [name for name, value in fields.items(multi=True) if FORBIDDEN.search(name + value)]
    if wrong:
        refuse(wrong, part)


def check_json(content: bytes | str, field: str = "") -> None:
    """JSON that may be parsed: `field` is where it stands, when it is not the whole body. Raises Refusal."""
    raw = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
    if not ESCAPED.search(raw):
        return
    try:
        parsed = from_json(raw)
    except ValueError:
        return  # whoever reads it says what is wrong
    wrong = list(islice(_places(parsed, field), MOST_NAMED))
    if wrong:
        refuse(wrong, "body")


def refuse(fields: list[str], part: str) -> None:
    """Raises Refusal."""
    shown = dict.fromkeys(FORBIDDEN.sub("", name[:LONGEST_PLACE]) for name in fields[:MOST_NAMED])
    messages = {name: f"{name}: {WHY}" if name else WHY for name in shown}
    raise Refusal(400, "; ".join(messages.values()), fields=messages, part=part)


def _places(value: Any, field: str) -> Iterator[str]:
    """Only what is wrong is named: a long name may be that of a list with many elements."""
    levels: list[Iterator[tuple[str | int, Any]]] = [iter([(field, value)])]
    path: list[str | int] = [field]
    while levels:
        inner = next(levels[-1], None)
        if inner is None:
            levels.pop()
            path.pop()
            continue
        name, one = inner
        path[-1] = name
        if _is_wrong(name) or _is_wrong(one):
            yield place(path if field else path[1:])
        if isinstance(one, dict):
            levels.append(iter(one.items()))
            path.append("")
        elif isinstance(one, list):
            levels.append(enumerate(one))
            path.append("")


def _is_wrong(text: Any) -> bool:
    return isinstance(text, str) and FORBIDDEN.search(text) is not None


class CheckedForm(FormDataParser):
    def parse(
        self,
        stream: IO[bytes],
        mimetype: str,
        content_length: int | None,
        options: dict[str, str] | None = None,
    ) -> tuple[IO[bytes], MultiDict[str, str], MultiDict[str, FileStorage]]:
        """Raises Refusal."""
        stream, form, files = super().parse(stream, mimetype, content_length, options)
        check_fields(form, "body")
        for name, file in files.items(multi=True):
            if FORBIDDEN.search(name + (file.filename or "")):
                refuse([name], "body")
        return stream, form, files


class CheckedRequest(Request):
    form_data_parser_class = CheckedForm
