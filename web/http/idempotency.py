"""A POST with an Idempotency-Key has its effect once, however often it is sent within a day."""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256

from flask import Response, request
from werkzeug.exceptions import HTTPException

from application.permission import ScopeMissing
from domain.errors import Refused
from storage import idempotency
from storage.idempotency import Earlier
from web.http.access import actor
from web.http.errors import Refusal
from web.http.services import services

HEADER = "Idempotency-Key"
KEY = re.compile(r"[\x21-\x7e]{1,255}")
REPEATED = "Idempotency-Replayed"
HEADERS = ("Content-Type", "ETag", "Location")
LONGEST = timedelta(minutes=2)
"""What takes longer has ended without telling."""
MOST_KEPT = 16 * 1024 * 1024
"""Bytes of answers that are kept for one user or key."""


@dataclass(frozen=True)
class Slot:
    """Whose key it is, and what was asked for with it."""

    principal: str
    key: bytes
    request: bytes


def once(work: Callable[[], Response], anew: Callable[[int], Response] | None = None) -> Response:
    """With `anew` the answer, which tells of a person, is not kept, but the number in it, if it has one: from
    that the answer to the same request is made once more.

    Raises Refusal: 400 for a key that is none, 409 while the first request with it is under way, 422 when
    it came with another request, 429 when too much is kept for this user or key.
    """
    given = request.headers.get(HEADER)
    if given is None:
        return work()
    slot = slot_of(given)
    with services().pool.transaction() as cursor:
        found = idempotency.claim(cursor, slot.principal, slot.key, slot.request, services().clock.now())
        if found is None and idempotency.room_taken(cursor, slot.principal) >= MOST_KEPT:
            raise Refusal(
                429,
                f"{HEADER}: {MOST_KEPT // 2**20} MB of answers are kept for you, each for a day, and no more."
                " Send this without a key, or later.",
                {"Retry-After": "3600"},
            )
    if found is not None:
        return again(slot, found, anew)
    return first(slot, work, keeps_number=anew is not None)


def slot_of(given: str) -> Slot:
    if not KEY.fullmatch(given):
        raise Refusal(400, f"{HEADER}: 1 to 255 visible ASCII characters are expected.")
    key = given.encode()
    asked = [request.method, request.full_path, request.mimetype]
    content = b"\0".join([*(part.encode() for part in asked), body_as_meant()])
    return Slot(actor(), sha256(key).digest(), hmac.digest(key, content, "sha256"))


def body_as_meant() -> bytes:
    """Clients choose another boundary each time they send the same form."""
    content, boundary = request.get_data(), request.mimetype_params.get("boundary")
    return content.replace(f"--{boundary}".encode(), b"--") if boundary else content


def first(slot: Slot, work: Callable[[], Response], *, keeps_number: bool) -> Response:
    """What was refused changed nothing, so its key is free again. After an error inside the key stays
    taken, since it is not known how far the work came."""
    try:
        response = work()
    except (Refusal, Refused, ScopeMissing, HTTPException) as refusal:
        if not is_inside(refusal):
            free(slot)
        raise
    if response.status_code < 400:
        headers = {name: response.headers[name] for name in HEADERS if name in response.headers}
        body = response.get_data()
        if keeps_number:
            body = str(json.loads(body)["data"].get("id", 0)).encode()
        with services().pool.transaction() as cursor:
            idempotency.keep(cursor, slot.principal, slot.key, response.status_code, headers, body)
    elif response.status_code < 500:
        free(slot)
    return response


def is_inside(error: Refusal | Refused | ScopeMissing | HTTPException) -> bool:
    if isinstance(error, Refusal):
        return error.status >= 500
    return isinstance(error, HTTPException) and (error.code or 500) >= 500


def free(slot: Slot) -> None:
    with services().pool.transaction() as cursor:
        idempotency.release(cursor, slot.principal, slot.key)


def again(slot: Slot, found: Earlier, anew: Callable[[int], Response] | None) -> Response:
    if not hmac.compare_digest(found.request, slot.request):
        raise Refusal(422, f"{HEADER}: this key came with another request.")
    if found.status is not None:
        number = (found.body or b"").decode() if anew else ""
        if anew and number.isdigit():
            response = anew(int(number))
        else:
            response = Response(found.body or b"", status=found.status, headers=dict(found.headers or {}))
        response.headers[REPEATED] = "true"
        return response
    if services().clock.now() - found.begun_at < LONGEST:
        raise Refusal(409, "The first request with this key is under way.", {"Retry-After": "1"})
    raise Refusal(
        409,
        "The first request with this key ended without an answer. Look whether it was carried out; if it was "
        "not, send it with a new key.",
    )
