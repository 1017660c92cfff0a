"""Building blocks for what the API takes and gives."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    WithJsonSchema,
    create_model,
)
from pydantic_core import CoreSchema, core_schema

from domain.streams import LARGEST_NUMBER

WHOLE = re.compile(r"([0-9]{1,19})(?:\.0{1,9})?")
"""10.0 is a whole number to JSON."""
LARGEST_PAGE = 1_000_000
LARGEST_PER_PAGE = 50
ALL = 10_000
ONE_LINE = r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*$"


class Query(BaseModel):
    """Parameters of a request. Numbers are read from their digits alone."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Body(BaseModel):
    """A JSON object that is sent. Unknown fields and values of another type are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, str_strip_whitespace=True)


def without_defaults(schema: dict[str, Any]) -> None:
    """For bodies in which what is not given stays as it is."""
    for one in schema["properties"].values():
        one.pop("default", None)


class Answer(BaseModel):
    """A JSON object that is given."""

    model_config = ConfigDict(extra="forbid")


@dataclass(frozen=True)
class Digits:
    """`Annotated[int, Digits(1, 20)]`: a whole number in a query. `also` names what else is taken."""

    least: int = 1
    most: int = LARGEST_NUMBER
    also: str = ""

    def read(self, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        found = WHOLE.fullmatch(value)
        if found is None or not self.least <= int(found[1]) <= self.most:
            raise ValueError(
                f"a whole number from {self.least} to {self.most}{self.also}, not {value[:40]!r}."
            )
        return int(found[1])

    def __get_pydantic_core_schema__(self, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        number = core_schema.int_schema(ge=self.least, le=self.most)
        return core_schema.no_info_before_validator_function(self.read, number)


@dataclass(frozen=True)
class Whole:
    """`Annotated[int, Whole(1, 5)]`: a whole number in a body. JSON knows no difference between 5 and 5.0."""

    least: int = 1
    most: int = LARGEST_NUMBER

    def read(self, value: Any) -> Any:
        return int(value) if isinstance(value, float) and value.is_integer() else value

    def __get_pydantic_core_schema__(self, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        number = core_schema.int_schema(ge=self.least, le=self.most)
        return core_schema.no_info_before_validator_function(self.read, number)


@dataclass(frozen=True)
class Line:
    """`Annotated[str, Line(100)]`: a text of at most so many characters, without line breaks and other
    control characters, trimmed."""

    most: int
    least: int = 0

    def __get_pydantic_core_schema__(self, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.str_schema(
            min_length=self.least, max_length=self.most, pattern=ONE_LINE, strip_whitespace=True
        )


def in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{value.isoformat()} is too far away.") from None


def instant_text(value: Any) -> Any:
    """Pydantic would take seconds since the epoch as well."""
    if not isinstance(value, str) or re.fullmatch(r"[-+.\d]*", value):
        raise ValueError("an instant such as 2026-03-06T08:00:00Z is expected")
    return value


Instant = Annotated[AwareDatetime, Field(strict=False), AfterValidator(in_utc), BeforeValidator(instant_text)]
"""An instant that is given to us, RFC 3339 with its offset; read as an aware datetime in UTC."""

Told = Annotated[
    str, WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-03-06T08:00:00.000Z"]})
]
"""An instant that we tell: RFC 3339 in UTC with milliseconds, as `domain.clock.instant` makes it."""


PER_PAGE = Digits(1, LARGEST_PER_PAGE, " or all")


class Paged(Query):
    page: Annotated[int, Digits(1, LARGEST_PAGE)] = 1
    per_page: Annotated[
        Literal["all"] | Annotated[int, Field(ge=1, le=LARGEST_PER_PAGE)],
        BeforeValidator(lambda value: value if value == "all" else PER_PAGE.read(value)),
    ] = 20

    def window(self) -> tuple[int, int]:
        """(page, per_page); `all` asks for the first 10,000 at once."""
        return (1, ALL) if self.per_page == "all" else (self.page, self.per_page)


def page_of(one: type[BaseModel]) -> Any:
    """The type of a page of a list, as listmonk has it."""
    return create_model(
        f"{one.__name__}Page",
        __base__=Answer,
        results=(list[one], ...),  # type: ignore[valid-type]
        search=(str, ...),
        query=(str, ...),
        total=(int, ...),
        per_page=(int, ...),
        page=(int, ...),
    )
