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
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial, wraps
from inspect import cleandoc
from typing import Any, TypeVar, get_origin

from flask import Blueprint, Response, jsonify, request
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, to_jsonable_python
from werkzeug.exceptions import RequestEntityTooLarge

from web.http.access import Permission
from web.http.access import needs as decided
from web.http.errors import MOST_NAMED, Refusal, place
from web.http.idempotency import once
from web.http.if_match import Condition, held
from web.http.services import reading
from web.http.texts import check_json
from web.http.versions import Versioned, position_tag, tag

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
    "datetime_parsing": "an instant such as 2026-03-06T08:00:00Z is expected",
    "datetime_from_date_parsing": "an instant such as 2026-03-06T08:00:00Z is expected",
    "datetime_type": "an instant such as 2026-03-06T08:00:00Z is expected",
    "string_pattern_mismatch": "control characters are not taken",
    "value_error": "{error}",
    "string_too_long": "at most {max_length} characters",
    "string_too_short": "at least {min_length} characters",
    "too_long": "at most {max_length} are taken, not {actual_length}",
    "too_short": "at least {min_length} is needed",
    "literal_error": "one of {expected} is expected",
    "enum": "one of {expected} is expected",
    "uuid_parsing": "a UUID is expected",
    "uuid_type": "a UUID is expected",
}
"""In our words; for other kinds of errors pydantic's are used."""
LONGEST_SENTENCE = 1000
MOST_LISTED = 1000
"""Errors that pydantic is asked for. It gives all or none, each with half a kilobyte around it."""


@dataclass(frozen=True, kw_only=True)
class Contract:
    """One operation. `answer` is a type that pydantic knows, None for what is no JSON; `media` then says
    what it is. `takes` describes, in OpenAPI, a body that the view reads itself (an upload), beside
    JSON as `body` says where both are declared.

    `versioned`: the answer is Versioned. `if_match` says whose tags a change may be meant for; without it a
    change that comes with tags is refused.
    `projected`: what is read follows from the projections alone, and not from the time or the directory, so
    that who has it already is told so without reading it again. `is_secret`: the answer holds what is told
    once, so that it is not kept to be given again.
    `changes_nothing`, of a POST: it may be repeated anyway, so that nothing is kept for its Idempotency-Key.
    `anew` makes the answer to a repeated POST from the number in the first answer, which tells of a person
    and is not kept."""

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
    media: tuple[str, ...] = ("application/json",)
    takes: dict[str, Any] | None = None
    description: str = ""
    versioned: bool = False
    if_match: Condition | None = None
    projected: bool = False
    is_secret: bool = False
    changes_nothing: bool = False
    anew: Callable[[int], Any] | None = None

    @property
    def takes_key(self) -> bool:
        """Whether a request has its effect once, however often it comes with one Idempotency-Key."""
        return self.method == "POST" and not self.is_secret and not self.changes_nothing


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
    """See Contract for what can be declared. Without `summary` the view's first line is taken; `largest_body`
    in bytes, where the usual is too small. The address is named after the view, as with `blueprint.get`."""

    def declare(view: View) -> View:
        first, _, words = cleandoc(view.__doc__ or "").partition("\n")
        contract = Contract(
            method=method, rule=rule, needs=needs, description=words.strip(),
            summary=summary or first.removesuffix("."), **declared,
        )  # fmt: skip

        @wraps(view)
        def kept(**parts: Any) -> Response:
            return carried_out(contract, view, parts)

        checked = decided(needs, largest_body=largest_body)(kept)
        checked.contract = contract  # type: ignore[attr-defined]
        blueprint.add_url_rule(rule, view.__name__, checked, methods=[method])
        return view

    return declare


def carried_out(contract: Contract, view: Callable[..., Any], parts: dict[str, Any]) -> Response:
    def work() -> Response:
        refuse_cut_body()
        more = given(contract)
        with nullcontext() if contract.method == "GET" else held(contract.if_match, parts):
            return answered(contract, view(**parts, **more))

    match contract.method:
        case "GET" if contract.projected:
            return read_when_new(work)
        case "GET":
            return work()
        case "POST" if contract.takes_key:
            return once(work, None if contract.anew is None else partial(answered_anew, contract))
        case "POST" if contract.is_secret and "Idempotency-Key" in request.headers:
            raise Refusal(400, "Idempotency-Key: not taken here, since the answer holds a secret.")
        case _:
            return work()


def read_when_new(work: Callable[[], Response]) -> Response:
    with reading() as cursor:
        etag = position_tag(cursor)
    has_it = request.if_none_match.contains_weak(etag)
    response = Response(status=304) if has_it else work()
    response.set_etag(etag)
    return kept_by_asker(response)


def refuse_cut_body() -> None:
    """Of a body of unknown length werkzeug gives no more than is taken, and does not say that there was more;
    but for the parts of a form, which it reads to their end."""
    if request.content_length is None and request.mimetype != "multipart/form-data":
        most = request.max_content_length
        if most is not None and len(request.get_data()) >= most:
            raise RequestEntityTooLarge


def given(contract: Contract) -> dict[str, Any]:
    """What the view asks for beside the parts of the address. Raises Refusal, 400 for a value that is
    never right and 415 for a body of another type."""
    found: dict[str, Any] = {}
    if contract.query is not None:
        found["query"] = read_query(contract.query)
    if contract.body is not None and contract.takes is None:
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
    check_json(content)
    try:
        return model.model_validate_json(content)
    except ValidationError as error:
        raise refusal(error, "body") from None


def refusal(error: ValidationError, part: str) -> Refusal:
    """One message for each field that is wrong, each beginning with the name of the field; for the first
    of them, and for none where so many are wrong that to list them takes long."""
    if error.error_count() > MOST_LISTED:
        return Refusal(400, f"The {part} is wrong in {error.error_count()} places.")
    fields: dict[str, str] = {}
    for one in error.errors(include_url=False, include_input=False):
        if one["type"] == "json_invalid":
            return Refusal(400, f"The body is not JSON: {one['ctx']['error']}.")
        if not one["loc"]:
            return Refusal(400, f"The {part} is wrong: {sentence(one)}.")
        steps = [step for step in one["loc"] if not is_choice(step)] if part == "body" else one["loc"][:1]
        name = place(steps)
        fields.setdefault(name, f"{name}: {sentence(one)[:LONGEST_SENTENCE]}")
        if len(fields) == MOST_NAMED:
            break
    return Refusal(400, "; ".join(fields.values()), fields=fields, part=part)


def is_choice(step: int | str) -> bool:
    """Whether it is no part of the body: where several types are taken, pydantic names the one it tried."""
    return isinstance(step, str) and "[" in step


def sentence(error: ErrorDetails) -> str:
    words = SENTENCES.get(error["type"])
    if words is None:
        return error["msg"].replace("Input should", "should")
    return words.format(**error.get("ctx", {}))


def answered(contract: Contract, result: Any) -> Response:
    if isinstance(result, Response):
        return result
    data, version = (result.data, result.version) if isinstance(result, Versioned) else (result, None)
    response = jsonify(data=to_jsonable_python(data, by_alias=True))
    response.status_code = contract.status
    if contract.method == "GET" and contract.status == 200:
        tag(response, version).make_conditional(request)
        return kept_by_asker(response)
    return response if version is None else tag(response, version)


def answered_anew(contract: Contract, number: int) -> Response:
    assert contract.anew is not None
    return answered(contract, contract.anew(number))


def kept_by_asker(response: Response) -> Response:
    """Who asked may keep it, and asks again before using it."""
    response.headers.setdefault("Cache-Control", "private, no-cache")
    return response
