"""The contract of the API: what each operation takes and gives is declared once, with its view, and
from that come the checks of every request, the refusals and the OpenAPI document.

    @endpoint(blueprint, "PUT", "/api/x/<int:number>", needs="write", body=Change, answer=X, errors=(404,))
    def change(number: int, body: Change) -> dict[str, Any]:
        ...

A view is given the parts of its address, and `query` and `body` when it declares them. What it returns
is sent as `{"data": …}` with the declared status; a Response goes out as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import wraps
from inspect import cleandoc
from typing import Any, TypeVar, get_origin

from flask import Blueprint, Response, jsonify, request
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, to_jsonable_python

from web.access import Permission
from web.access import needs as decided
from web.errors import Refusal

View = TypeVar("View", bound=Callable[..., Any])

SENTENCES = {
    "missing": "is needed",
    "extra_forbidden": "there is no such field",
    "string_type": "a string is expected",
    "bool_type": "true or false is expected",
    "int_type": "a whole number is expected",
    "model_type": "an object is expected",
    "dict_type": "an object is expected",
    "list_type": "a list is expected",
    "timezone_aware": "the offset from UTC is missing",
    "datetime_parsing": "this is no instant such as 2026-03-06T08:00:00Z",
    "datetime_from_date_parsing": "this is no instant such as 2026-03-06T08:00:00Z",
    "datetime_type": "an instant such as 2026-03-06T08:00:00Z is expected",
    "string_pattern_mismatch": "control characters are not taken",
    "value_error": "{error}",
    "string_too_long": "at most {max_length} characters",
    "string_too_short": "at least {min_length} characters",
    "literal_error": "one of {expected} is expected",
    "enum": "one of {expected} is expected",
    "uuid_parsing": "this is no UUID",
    "uuid_type": "a UUID is expected",
}
"""In our words; for other kinds of errors pydantic's are used."""


@dataclass(frozen=True, kw_only=True)
class Contract:
    """One operation. `answer` is a type that pydantic knows, None for what is no JSON; `media` then says
    what it is. `takes` describes, in OpenAPI, a body that the view reads itself (an upload)."""

    method: str
    rule: str
    summary: str
    needs: Permission
    query: type[BaseModel] | None = None
    body: type[BaseModel] | None = None
    body_optional: bool = False
    answer: Any = None
    errors: Sequence[int] = ()
    status: int = 200
    media: str = "application/json"
    takes: dict[str, Any] | None = None
    description: str = ""
    headers: dict[str, str] = field(default_factory=dict)


def endpoint(
    blueprint: Blueprint,
    method: str,
    rule: str,
    *,
    needs: Permission,
    summary: str = "",
    largest_body: int | None = None,
    **declared: Any,
) -> Callable[[View], View]:
    """See Contract for what can be declared. Without `summary` the first line of the view's docstring is
    taken; `largest_body` in bytes, where the usual is too small. The address is named after the view, as
    with `blueprint.get`."""

    def declare(view: View) -> View:
        first, _, words = cleandoc(view.__doc__ or "").partition("\n")
        contract = Contract(
            method=method, rule=rule, needs=needs, description=words.strip(),
            summary=summary or first.removesuffix("."), **declared,
        )  # fmt: skip

        @wraps(view)
        def kept(**parts: Any) -> Response:
            return answered(contract, view(**parts, **given(contract)))

        checked = decided(needs, largest_body=largest_body)(kept)
        checked.contract = contract  # type: ignore[attr-defined]
        blueprint.add_url_rule(rule, view.__name__, checked, methods=[method])
        return view

    return declare


def given(contract: Contract) -> dict[str, Any]:
    """What the view asks for beside the parts of the address. Raises Refusal, 400 for a value that is
    never right and 415 for a body of another type."""
    found: dict[str, Any] = {}
    if contract.query is not None:
        found["query"] = read_query(contract.query)
    if contract.body is not None:
        found["body"] = read_body(contract.body, contract.body_optional)
    return found


def read_query(model: type[BaseModel]) -> BaseModel:
    """Blank values count as left out; a list may be repeated, or have commas between. Parameters that are
    not known are ignored, as in listmonk."""
    values: dict[str, Any] = {}
    for name, one in model.model_fields.items():
        parameter = one.alias or name
        texts = [text.strip() for text in request.args.getlist(parameter)]
        if get_origin(one.annotation) is list:
            texts = [word.strip() for text in texts for word in text.split(",")]
        texts = [text for text in texts if text]
        if texts:
            values[parameter] = texts if get_origin(one.annotation) is list else texts[0]
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise refusal(error, "query") from None


def read_body(model: type[BaseModel], optional: bool) -> BaseModel:
    content = request.get_data()
    if optional and not content:
        content = b"{}"
    elif request.mimetype != "application/json":
        raise Refusal(415, "The body must be JSON, with Content-Type: application/json.")
    try:
        return model.model_validate_json(content)
    except ValidationError as error:
        raise refusal(error, "body") from None


def refusal(error: ValidationError, part: str) -> Refusal:
    """One message for each field that is wrong, each beginning with the name of the field."""
    fields: dict[str, str] = {}
    for one in error.errors(include_url=False):
        if one["type"] == "json_invalid":
            return Refusal(400, f"The body is not JSON: {one['ctx']['error']}.")
        if not one["loc"]:
            return Refusal(400, f"The {part} is wrong: {sentence(one)}.")
        steps = one["loc"] if part == "body" else one["loc"][:1]
        name = ".".join(str(step) for step in steps)
        fields.setdefault(name, f"{name}: {sentence(one)}")
    return Refusal(400, "; ".join(fields.values()), fields=fields, part=part)


def sentence(error: ErrorDetails) -> str:
    words = SENTENCES.get(error["type"])
    if words is None:
        return error["msg"].replace("Input should", "should")
    return words.format(**error.get("ctx", {}))


def answered(contract: Contract, result: Any) -> Response:
    if isinstance(result, Response):
        return result
    response = jsonify(data=to_jsonable_python(result, by_alias=True))
    response.status_code = contract.status
    return response
