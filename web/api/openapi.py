"""The API described in OpenAPI 3.1, from what the views declare."""

from __future__ import annotations

import re
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from flask import Flask
from pydantic import BaseModel, TypeAdapter
from werkzeug.routing import IntegerConverter, Rule, UUIDConverter

from web.http import if_match
from web.http.contract import Contract
from web.http.services import release

PROBLEM = {
    "type": "object",
    "description": "RFC 9457. `message` says the same as `detail`, for clients of listmonk.",
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "message": {"type": "string"},
        "version": {
            "type": "integer",
            "description": "With 409 and 412: the version that the thing is at.",
        },
        "errors": {
            "type": "array",
            "description": "For each field that was at fault: where it is, and what is wrong with it.",
            "items": {
                "type": "object",
                "properties": {
                    "pointer": {"type": "string", "description": "A JSON pointer into the body."},
                    "parameter": {"type": "string", "description": "A parameter of the query."},
                    "detail": {"type": "string"},
                },
                "required": ["detail"],
            },
        },
    },
    "required": ["type", "title", "status", "detail", "instance", "message"],
}

SECURITY = {
    "key": {"type": "http", "scheme": "bearer", "description": "An API key."},
    "basic": {
        "type": "http",
        "scheme": "basic",
        "description": "The name of an API key's user, and the key.",
    },
    "token": {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
        "description": "`token user:key`, as listmonk has it.",
    },
}

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
JSON = "application/json"
REFERENCE = "#/components/schemas/{model}"


def described(app: Flask) -> dict[str, Any]:
    """The whole document."""
    found = sorted(contracts(app), key=lambda pair: (pair[0].rule, METHODS.index(pair[1].method)))
    schemas, models = schemas_of(contract for _, contract in found)
    paths: dict[str, dict[str, Any]] = {}
    for rule, contract in found:
        operation = operation_of(rule, contract, schemas)
        paths.setdefault(path_of(rule), {})[contract.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Postledger",
            "version": release() or "0",
            "summary": "E-mail campaigns through many capped SMTP servers, every step on the record.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {"schemas": {"Problem": PROBLEM, **models}, "securitySchemes": SECURITY},
    }


def contracts(app: Flask) -> Iterable[tuple[Rule, Contract]]:
    for rule in app.url_map.iter_rules():
        contract = getattr(app.view_functions[rule.endpoint], "contract", None)
        if isinstance(contract, Contract):
            yield rule, contract


def schemas_of(found: Iterable[Contract]) -> tuple[dict[Any, Any], dict[str, Any]]:
    """The schema of each type that is declared, and the models that they refer to."""
    wanted: list[tuple[Any, Any, TypeAdapter[Any]]] = []
    for contract in found:
        for kind in (contract.query, contract.body):
            if kind is not None:
                wanted.append((kind, "validation", TypeAdapter(kind)))
        if contract.answer is not None:
            wanted.append((str(contract.answer), "serialization", TypeAdapter(contract.answer)))
    schemas, common = TypeAdapter.json_schemas(wanted, ref_template=REFERENCE)
    return {key: schema for (key, _), schema in schemas.items()}, common.get("$defs", {})


def operation_of(rule: Rule, contract: Contract, schemas: dict[Any, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": rule.endpoint.replace(".", "_"),
        "tags": [rule.rule.split("/")[2]],
        "summary": contract.summary,
        "description": contract.description,
        "x-needs": contract.needs,
        "security": [] if contract.needs == "public" else [{name: []} for name in SECURITY],
    }
    parameters = [*path_parameters(rule), *query_parameters(contract.query), *headers_of(contract)]
    if parameters:
        operation["parameters"] = parameters
    if contract.body is not None:
        operation["requestBody"] = {
            "required": not contract.body_optional,
            "content": {JSON: {"schema": schemas[contract.body]}, **(contract.takes or {})},
        }
    elif contract.takes is not None:
        operation["requestBody"] = {"required": True, "content": contract.takes}
    operation["responses"] = responses_of(contract, schemas)
    return operation


def path_of(rule: Rule) -> str:
    return re.sub(r"<(?:[^:<>]+:)?([^<>]+)>", r"{\1}", rule.rule)


def path_parameters(rule: Rule) -> Iterable[dict[str, Any]]:
    for name, converter in rule._converters.items():
        schema: dict[str, Any] = {"type": "string"}
        if isinstance(converter, IntegerConverter):
            schema = {"type": "integer", "minimum": converter.min or 0}
        elif isinstance(converter, UUIDConverter):
            schema = {"type": "string", "format": "uuid"}
        yield {"name": name, "in": "path", "required": True, "schema": schema}


def headers_of(contract: Contract) -> Iterable[dict[str, Any]]:
    if contract.takes_key:
        yield header(
            "Idempotency-Key",
            "^[!-~]{1,255}$",
            "Sent again with it within 24 hours, the request has no second effect and gets the same answer.",
        )
    if contract.if_match is not None:
        yield header(
            "If-Match",
            if_match.PATTERN,
            "ETags of answers, or a version: the change is made only while the thing has one of them.",
        )


def header(name: str, pattern: str, description: str) -> dict[str, Any]:
    schema = {"type": "string", "pattern": pattern}
    return {"name": name, "in": "header", "required": False, "schema": schema, "description": description}


def query_parameters(model: type[BaseModel] | None) -> Iterable[dict[str, Any]]:
    if model is None:
        return
    schema = model.model_json_schema(ref_template=REFERENCE)
    for name, one in schema.get("properties", {}).items():
        description = one.pop("description", "")
        one.pop("title", None)
        yield {
            "name": name,
            "in": "query",
            "required": name in schema.get("required", ()),
            "allowEmptyValue": True,
            "schema": without_null(one),
            **({"description": description} if description else {}),
        }


def without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A parameter that may be left out is None to the view, but there is no null in a query."""
    choices = [one for one in schema.get("anyOf", ()) if one != {"type": "null"}]
    if not choices:
        return schema
    others = {key: value for key, value in schema.items() if key not in ("anyOf", "default")}
    default = {} if schema.get("default") is None else {"default": schema["default"]}
    return {**(choices[0] if len(choices) == 1 else {"anyOf": choices}), **others, **default}


def responses_of(contract: Contract, schemas: dict[Any, Any]) -> dict[str, Any]:
    post, change = contract.method == "POST", contract.method != "GET"
    taken = {
        400: contract.query or contract.body or post,
        403: contract.needs != "public",
        409: post,
        412: change,
        415: contract.body,
        422: contract.takes_key,
        429: contract.takes_key,
    }
    responses: dict[str, Any] = {str(contract.status): success(contract, schemas)}
    if not change:
        responses["304"] = {"description": "It is still what If-None-Match names"}
    for status in sorted({*(status for status, is_taken in taken.items() if is_taken), *contract.errors}):
        responses[str(status)] = problem(HTTPStatus(status).phrase)
    responses["default"] = problem("Any other error")
    return responses


def success(contract: Contract, schemas: dict[Any, Any]) -> dict[str, Any]:
    response: dict[str, Any] = {"description": HTTPStatus(contract.status).phrase}
    if contract.answer is not None:
        response["content"] = {JSON: {"schema": enveloped(schemas[str(contract.answer)])}}
    elif contract.media != (JSON,):
        response["content"] = {media: {"schema": {"type": "string"}} for media in contract.media}
    if contract.versioned:
        words = 'Begins with the version: `"7-1f0c…"`. For If-Match.'
        response["headers"] = {"ETag": {"description": words, "schema": {"type": "string"}}}
    return response


def enveloped(schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {"data": schema},
        "required": ["data"],
        "additionalProperties": False,
    }


def problem(words: str) -> dict[str, Any]:
    reference = {"$ref": "#/components/schemas/Problem"}
    return {"description": words, "content": {"application/problem+json": {"schema": reference}}}
