"""Bodies that an OpenAPI document says are right."""

from __future__ import annotations

from typing import Any


def resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def example(document: dict[str, Any], schema: dict[str, Any]) -> Any:
    """Something plain of that type."""
    schema = resolved(document, schema)
    if "enum" in schema:
        return schema["enum"][0]
    if "const" in schema:
        return schema["const"]
    for choice in ("anyOf", "oneOf", "allOf"):
        if choice in schema:
            return example(document, schema[choice][0])
    match schema.get("type"):
        case "integer" | "number":
            return max(1, schema.get("minimum", 1))
        case "boolean":
            return True
        case "array":
            return [example(document, schema.get("items", {}))]
        case "object":
            wanted = schema.get("required", [])
            return {name: example(document, schema["properties"][name]) for name in wanted}
        case _:
            return {"date-time": "2026-03-06T08:00:00Z", "uuid": "00000000-0004-8000-8000-000000000001"}.get(
                schema.get("format", ""), "a@example.org" if schema.get("minLength", 0) > 1 else "name"
            )
