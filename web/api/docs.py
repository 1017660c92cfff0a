"""The description of the API: as OpenAPI for programs, as a page for people."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from flask import Blueprint, Response, current_app, render_template, request

from web.api.openapi import described
from web.http.access import needs

blueprint = Blueprint("docs", __name__)

KEPT = "postledger.openapi"

PROBLEMS = {
    "invalid": (400, "A value that is never right", "Mend what `errors` names; asking again is of no use."),
    "not-signed-in": (401, "No key, or one that is not known", "Send a key that is in force."),
    "not-allowed": (403, "The key's role or scope does not allow it", "Use another key, or ask an admin."),
    "not-found": (404, "There is no such thing", "Look at the address and the number."),
    "conflict": (409, "The thing's state does not allow it now", "Look at it again, then decide."),
    "changed-meanwhile": (412, "It is at another version than If-Match says", "`version` tells at which."),
    "key-reused": (422, "The Idempotency-Key belongs to another request", "Use a new key for a new request."),
    "too-many-requests": (429, "Too many requests", "Wait as long as Retry-After says."),
    "not-now": (503, "The database or the figures are behind", "Wait as long as Retry-After says."),
}  # fmt: skip


@dataclass(frozen=True)
class DocsRow:
    name: str
    kind: str
    required: bool
    note: str


@dataclass(frozen=True)
class Operation:
    id: str
    method: str
    path: str
    summary: str
    paragraphs: list[str]
    needs: str
    parameters: list[DocsRow]
    body: list[DocsRow]
    answer: list[DocsRow]
    answer_kind: str
    statuses: list[tuple[str, str]]


@dataclass(frozen=True)
class Group:
    name: str
    operations: list[Operation] = field(default_factory=list)


@blueprint.get("/api/openapi.json")
@needs("public")
def openapi() -> Response:
    """OpenAPI 3.1."""
    text = json.dumps(document(), ensure_ascii=False)
    response = Response(text, content_type="application/json")
    response.set_etag(sha256(text.encode()).hexdigest()[:16])
    response.headers["Cache-Control"] = "no-cache"
    response.make_conditional(request)
    return response


@blueprint.get("/api/docs")
@needs("public")
def page() -> str:
    found = document()
    return render_template(
        "api/docs.html", groups=groups(found), problems=PROBLEMS, version=found["info"]["version"]
    )


def document() -> dict[str, Any]:
    """Made once, since what is declared does not change while the process lives."""
    kept = current_app.extensions
    if KEPT not in kept:
        kept[KEPT] = described(current_app)
    found: dict[str, Any] = kept[KEPT]
    return found


def groups(found: dict[str, Any]) -> list[Group]:
    named: dict[str, Group] = {}
    for path, methods in found["paths"].items():
        for method, operation in methods.items():
            tag = operation["tags"][0]
            named.setdefault(tag, Group(tag)).operations.append(operation_of(found, path, method, operation))
    return [named[name] for name in sorted(named)]


def operation_of(found: dict[str, Any], path: str, method: str, operation: dict[str, Any]) -> Operation:
    success = next(iter(operation["responses"].values()))
    answer = content_of(success)
    data = answer.get("properties", {}).get("data", answer)
    return Operation(
        id=operation["operationId"],
        method=method.upper(),
        path=path,
        summary=operation["summary"],
        paragraphs=[part for part in operation["description"].split("\n\n") if part],
        needs=operation["x-needs"],
        parameters=[
            DocsRow(one["name"], kind_of(found, one["schema"]), one["required"], note_of(one["schema"], one))
            for one in operation.get("parameters", [])
        ],
        body=list(rows(found, content_of(operation.get("requestBody", {})))),
        answer=list(rows(found, data)),
        answer_kind=kind_of(found, data) if data else next(iter(success.get("content", {})), "nothing"),
        statuses=[
            (code, one["description"]) for code, one in operation["responses"].items() if code.isdigit()
        ],
    )


def content_of(part: dict[str, Any]) -> dict[str, Any]:
    schema: dict[str, Any] = part.get("content", {}).get("application/json", {}).get("schema", {})
    return schema


def resolved(found: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    reference = schema.get("$ref")
    if reference is None:
        return schema
    model: dict[str, Any] = found["components"]["schemas"][reference.rpartition("/")[2]]
    return model


def rows(
    found: dict[str, Any], schema: dict[str, Any], prefix: str = "", depth: int = 0
) -> Iterable[DocsRow]:
    """The fields of an object, or of the objects in a list, and of the objects within."""
    schema = resolved(found, schema)
    if schema.get("type") == "array":
        yield from rows(found, schema.get("items", {}), prefix, depth)
    for name, one in schema.get("properties", {}).items():
        yield DocsRow(
            prefix + name, kind_of(found, one), name in schema.get("required", ()), note_of(one, one)
        )
        if depth < 3:
            yield from rows(found, inner(one), f"{prefix}{name}.", depth + 1)


def inner(schema: dict[str, Any]) -> dict[str, Any]:
    """What is within a field that may be null."""
    choices = [one for one in schema.get("anyOf", ()) if one.get("type") != "null"]
    return choices[0] if len(choices) == 1 else schema


def kind_of(found: dict[str, Any], schema: dict[str, Any]) -> str:
    schema = resolved(found, schema)
    if "anyOf" in schema:
        return " or ".join(kind_of(found, one) for one in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(str(one) for one in schema["enum"])
    if "const" in schema:
        return str(schema["const"])
    match schema.get("type"):
        case "array":
            return f"list of {kind_of(found, schema.get('items', {}))}"
        case "string":
            return {"date-time": "instant", "uuid": "UUID"}.get(schema.get("format", ""), "text")
        case "integer":
            return "whole number"
        case None:
            return "anything"
        case kind:
            return str(kind)


def note_of(schema: dict[str, Any], holder: dict[str, Any]) -> str:
    """What is said of it, its limits and its default."""
    inside = inner(schema)
    notes = [holder.get("description", "")]
    least, most = inside.get("minimum"), inside.get("maximum")
    if least is not None and most is not None:
        notes.append(f"{least} to {most}")
    if inside.get("maxLength"):
        notes.append(f"at most {inside['maxLength']} characters")
    if schema.get("default") not in (None, "", []):
        notes.append(f"default {schema['default']}")
    return " · ".join(note.rstrip(".") for note in notes if note)
