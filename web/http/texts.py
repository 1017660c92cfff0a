"""What comes in as text: refused at the door where a character is in it that no text of ours may have. Those
are control characters, tab and line breaks apart, and halves of surrogate pairs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import IO, Any

from flask import Flask, Request, request
from pydantic_core import from_json
from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.formparser import FormDataParser

from web.http.errors import Refusal

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
    wrong = list(dict.fromkeys(_places(parsed, field)))
    if wrong:
        refuse(wrong, "body")


def refuse(fields: list[str], part: str) -> None:
    """Raises Refusal."""
    shown = {FORBIDDEN.sub("", name)[:100]: "" for name in fields[:20]}
    messages = {name: f"{name}: {WHY}" if name else WHY for name in shown}
    raise Refusal(400, "; ".join(messages.values()), fields=messages, part=part)


def _places(value: Any, place: str) -> Iterator[str]:
    if isinstance(value, str):
        if FORBIDDEN.search(value):
            yield place
    elif isinstance(value, Mapping):
        for name, one in value.items():
            inner = f"{place}.{name}" if place else str(name)
            if FORBIDDEN.search(str(name)):
                yield inner
            yield from _places(one, inner)
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from _places(one, f"{place}.{number}" if place else str(number))


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
