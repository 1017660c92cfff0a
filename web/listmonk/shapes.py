"""What listmonk's bodies, parameters and pages have in common."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple, TypeVar, get_args, get_origin

from flask import request
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from domain.errors import Refused
from domain.streams import LARGEST_NUMBER
from web.http.contract import read_body, refusal
from web.http.errors import Refusal
from web.http.shapes import ALL, LARGEST_PAGE, Digits, Line, Query

MOST_PER_PAGE = 1000
FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
ID = re.compile("0*[1-9][0-9]{0,18}")

Number = Annotated[int, Field(ge=1, le=LARGEST_NUMBER)]
Numbers = Annotated[list[Number], Field(max_length=10_000)]

Model = TypeVar("Model", bound=BaseModel)


class Lenient(BaseModel):
    """A JSON object that is sent by listmonk's clients. Fields that are not known mean nothing; null is the
    same as leaving a field out."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)

    def given(self) -> dict[str, Any]:
        """What was sent and is not null."""
        return {name: value for name, value in self if name in self.model_fields_set and value is not None}


def clamped(value: Any) -> Any:
    if value == "all" or not isinstance(value, str):
        return value
    return min(Digits(0, LARGEST_NUMBER, " or all").read(value), MOST_PER_PAGE) or DEFAULT_PER_PAGE


DEFAULT_PER_PAGE = 20


class PageWindow(NamedTuple):
    """`per_page` is 0 where everything was asked for, as listmonk tells it."""

    page: int
    per_page: int
    limit: int
    offset: int


class ListmonkPaged(Query):
    """More than a thousand a page count as a thousand; `all` asks for the first ten thousand at once. An
    order that is not known counts as none."""

    page: Annotated[int, Digits(0, LARGEST_PAGE)] = 1
    per_page: Annotated[
        Literal["all"] | Annotated[int, Field(ge=0, le=LARGEST_NUMBER)], BeforeValidator(clamped)
    ] = DEFAULT_PER_PAGE
    order_by: Annotated[str, Line(40)] = ""
    order: Annotated[str, Line(40)] = ""

    def window(self) -> PageWindow:
        if self.per_page == "all":
            return PageWindow(1, 0, ALL, 0)
        page = max(self.page, 1)
        return PageWindow(page, self.per_page, self.per_page, (page - 1) * self.per_page)

    def ordered(self, known: Mapping[str, Any] | Sequence[str], default: str) -> tuple[str, bool]:
        """(what to order by, whether ascending)."""
        return self.order_by if self.order_by in known else default, self.order.lower() == "asc"


def listing(
    results: list[dict[str, Any]], total: int, window: PageWindow, *, query: str = "", search: str = ""
) -> dict[str, Any]:
    return {
        "results": results,
        "search": search,
        "query": query,
        "total": total,
        "per_page": window.per_page,
        "page": window.page,
    }


def body_or_form(model: type[Model]) -> Model:
    """What listmonk takes as JSON it takes from a form as well. Raises Refusal."""
    if request.mimetype not in FORMS:
        found = read_body(model, optional=False)
        assert isinstance(found, model)
        return found
    values: dict[str, Any] = {}
    for name, one in model.model_fields.items():
        texts = request.form.getlist(name)
        if texts:
            values[name] = texts if takes_list(one.annotation) else texts[0]
    try:
        return model.model_validate(values, strict=False)
    except ValidationError as error:
        raise refusal(error, "body") from None


def takes_list(annotation: Any) -> bool:
    """Whether it is a list, or may be one: `Annotated[list[str], …] | None`."""
    return get_origin(annotation) is list or any(takes_list(part) for part in get_args(annotation))


def found_or_404(found: Model | Any, thing: str, number: int) -> Any:
    """Raises Refusal 404; listmonk's handlers say 400 here, its documentation 404."""
    if found is None:
        raise Refusal(404, f"There is no {thing} {number}.")
    return found


def ids_argument(*, needed_of: str = "") -> list[int]:
    """Each `id` of the query; at least one where it is said of what. Raises Refusal."""
    texts = [word.strip() for text in request.args.getlist("id") for word in text.split(",") if word.strip()]
    if len(texts) > 10_000 or not all(ID.fullmatch(text) for text in texts):
        raise wrong_ids("whole numbers from 1 on are expected, 10,000 at most")
    if needed_of and not texts:
        raise wrong_ids(f"numbers of {needed_of} are needed")
    return [int(text) for text in texts if int(text) <= LARGEST_NUMBER]


def wrong_ids(what: str) -> Refusal:
    message = f"id: {what}."
    return Refusal(400, message, fields={"id": message}, part="query")


def refuse_field(field: str, message: str) -> Refused:
    return Refused(f"{field}: {message}", field)
