"""Which state a change is meant for: If-Match (RFC 9110, section 13.1.1), for every operation that changes
something.

Where a thing has versions a tag is as good as the version in it, also when a proxy has made it weak. People
and lists are changed in many ways at once and have none: there the tag of the content counts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from flask import jsonify, request
from pydantic_core import to_jsonable_python

from application import precondition
from domain.errors import VersionConflict
from storage.log.versions import versions
from web.http.errors import Refusal
from web.http.services import reading
from web.http.versions import digest_of

ONE = r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"'
LIST = re.compile(rf"[\s,]*{ONE}(?:\s*,[\s,]*{ONE})*[\s,]*")
VERSION = re.compile(r"([0-9]{1,10})(?:-[0-9a-f]+)?")
PATTERN = r'^([*]|(W/)?"[!#-~]*"(, *(W/)?"[!#-~]*")*|[0-9]{1,10})$'
"""For the OpenAPI document."""


@dataclass(frozen=True)
class WantedVersion:
    """`tags` without their quotation marks; `anything` for `*`: whatever is there."""

    tags: frozenset[str] = frozenset()
    anything: bool = False

    def versions(self) -> frozenset[int]:
        return frozenset(int(found[1]) for one in self.tags if (found := VERSION.fullmatch(one)))


@dataclass(frozen=True)
class OfStream:
    """The thing is a stream of events, named by the parts of the address."""

    stream: Callable[..., UUID]

    @contextmanager
    def held(self, wanted: WantedVersion, parts: Mapping[str, Any]) -> Iterator[None]:
        """What is not there is for the view to say. Raises VersionConflict."""
        stream = self._stream(parts)
        if stream is None or wanted.anything:
            yield
            return
        with reading() as cursor:
            version = versions(cursor, [stream]).get(stream, 0)
        if version and version not in wanted.versions():
            raise VersionConflict(wanted.versions(), version)
        with precondition.at_version(stream, wanted.versions()):
            yield

    def _stream(self, parts: Mapping[str, Any]) -> UUID | None:
        """None for numbers that no stream can have."""
        try:
            return self.stream(*parts.values())
        except ValueError:
            return None


@dataclass(frozen=True)
class OfContent:
    """`read` gives what GET at the same address does, from a cursor and the parts of the address, and raises
    Refusal 404."""

    read: Callable[..., Any]

    @contextmanager
    def held(self, wanted: WantedVersion, parts: Mapping[str, Any]) -> Iterator[None]:
        """Raises Refusal 412."""

        def check(cursor: Any) -> None:
            try:
                tag = content_tag(self.read(cursor, *parts.values()))
            except Refusal as refusal:
                if request.method != "DELETE":
                    raise
                raise Refusal(412, refusal.message) from None
            if not (wanted.anything or tag in wanted.tags):
                raise Refusal(412, "This was changed since it was read.", {"ETag": f'"{tag}"'})

        with reading() as cursor:
            check(cursor)
        with precondition.with_content(check):
            yield


Condition = OfStream | OfContent


@contextmanager
def held(condition: Condition | None, parts: Mapping[str, Any]) -> Iterator[None]:
    """A change within the block is made only to what If-Match names. Raises Refusal 400 and 412, and
    VersionConflict."""
    wanted = asked_for()
    if wanted is not None and condition is None and not wanted.anything:
        raise Refusal(412, "If-Match: what this changes has no tag; send it without.")
    with condition.held(wanted, parts) if wanted and condition else nullcontext():
        yield


def asked_for() -> WantedVersion | None:
    """None without If-Match. A version alone, such as 7, is taken, too."""
    lines = request.headers.getlist("If-Match")
    if not lines:
        return None
    given = ", ".join(lines).strip()
    if given == "*":
        return WantedVersion(anything=True)
    if VERSION.fullmatch(given):
        return WantedVersion(frozenset([given]))
    if not LIST.fullmatch(given):
        raise Refusal(400, 'If-Match: ETags of answers are expected, as in "7-1f0c", or *.')
    return WantedVersion(frozenset(re.sub("^W/", "", one)[1:-1] for one in re.findall(ONE, given)))


def content_tag(data: Any) -> str:
    return digest_of(jsonify(data=to_jsonable_python(data, by_alias=True)))
