"""The OpenAPI document, made from the table of routes and the types of the replies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from leftzmq import __version__
from leftzmq.web.verbs import API, OWN_ROUTES, ROUTES, ApiRoute
from leftzmq.wire.replies import DeclinedReply, ErrorReply, Reply

_REF: Final = "#/components/schemas/{name}"
_ERRORS: Final = {
    "400": "a field is missing or of another type",
    "401": "no token, or a wrong one",
    "403": "a page of another origin asks",
    "421": "another Host than the one that is served",
    "501": "the agent does not know this question",
    "503": "the agent does not answer",
}
_BODY_ERRORS: Final = {
    "408": "the body did not arrive in time",
    "413": "the body is larger than 64 KiB",
    "415": "the body is not application/json",
}
_KINDS: Final = {str: "string", int: "integer", float: "number", bool: "boolean"}
TEXT_ROUTES: Final = {
    "/healthz": "this process runs",
    "/readyz": "the agent answers, and no folder is being scanned for the first time",
    "/metrics": "the agent's figures, in the text form of Prometheus",
    "/synced": "a device has in a folder what this one has, and the other way round",
}


def document() -> dict[str, Any]:
    """Return the document as plain values."""
    kinds = {route.reply for route in (*ROUTES, *OWN_ROUTES)}
    types: list[type[Reply]] = sorted(
        kinds | {ErrorReply, DeclinedReply}, key=lambda kind: kind.__name__
    )
    _, schemas = msgspec.json.schema_components(types, ref_template=_REF)
    paths: dict[str, dict[str, Any]] = {}
    for route in (*ROUTES, *OWN_ROUTES):
        paths.setdefault(API + route.path, {})[route.method.lower()] = _operation(route)
    paths[f"{API}/stream"] = {"get": _stream()}
    for path, text in TEXT_ROUTES.items():
        paths[path] = {"get": _check(path, text)}
    return {
        "openapi": "3.1.0",
        "info": {"title": "leftzmq web", "version": __version__},
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"token": []}],
    }


def _operation(route: ApiRoute) -> dict[str, Any]:
    said: dict[str, Any] = {
        "operationId": (route.verb or route.path[1:]).replace(" ", "_"),
        "summary": route.text,
        "responses": {"200": _json("the answer", route.reply)}
        | {"409": _json("the agent declines", DeclinedReply)}
        | _refusals(_ERRORS | (_BODY_ERRORS if route.changes else {})),
    }
    if route.changes:
        said["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": _body(route)}},
        }
    else:
        said["parameters"] = [
            {
                "name": name,
                "in": "query",
                "required": field.is_needed,
                "description": field.text,
                "schema": {"type": _KINDS[field.type]},
            }
            for name, field in route.fields.items()
        ]
    return said


def _body(route: ApiRoute) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {
            name: {"type": _KINDS[field.type], "description": field.text}
            for name, field in route.fields.items()
        },
        "required": [name for name, field in route.fields.items() if field.is_needed],
        "additionalProperties": False,
    }


def _json(text: str, reply: type[Reply]) -> dict[str, Any]:
    shape = {"$ref": _REF.format(name=reply.__name__)}
    return {"description": text, "content": {"application/json": {"schema": shape}}}


def _refusals(said: Mapping[str, str]) -> dict[str, Any]:
    return {status: _json(text, ErrorReply) for status, text in said.items()}


def _stream() -> dict[str, Any]:
    text = "events `status`, `away`, `invitations`, `events` and `speeds`, until the client goes"
    return {
        "operationId": "stream",
        "summary": "what an open page shows, as it changes",
        "responses": {
            "200": {"description": text, "content": {"text/event-stream": {}}},
            **_refusals({key: _ERRORS[key] for key in ("401", "403", "421", "503")}),
        },
    }


def _check(path: str, text: str) -> dict[str, Any]:
    plain: dict[str, Any] = {"content": {"text/plain": {}}}
    said: dict[str, Any] = {
        "operationId": path.strip("/"),
        "summary": text,
        "responses": {"200": {"description": "yes", **plain}},
    }
    if path == "/healthz":
        return said | {"security": []}
    said["responses"]["503"] = {"description": "no, and why", **plain}
    if path == "/synced":
        said["parameters"] = [
            {"name": name, "in": "query", "required": False, "schema": {"type": "string"}}
            for name in ("folder", "peer")
        ]
    return said
