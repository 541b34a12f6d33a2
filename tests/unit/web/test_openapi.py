"""The OpenAPI document: every route is in it, and what is answered is what it says."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from leftzmq.web.openapi import document
from leftzmq.web.verbs import API, OWN_ROUTES, ROUTES, ApiRoute
from leftzmq.wire.replies import Reply
from tests.helpers.web import FakeAgent, a_status, served

pytestmark = pytest.mark.slow  # servers and sockets

DOCUMENT = document()


def complaints(value: Any, schema: dict[str, Any], at: str = "") -> list[str]:
    """What of JSON Schema the document uses, and no more."""
    if "$ref" in schema:
        name = schema["$ref"].removeprefix("#/components/schemas/")
        return complaints(value, DOCUMENT["components"]["schemas"][name], at)
    if "anyOf" in schema:
        found = [complaints(value, each, at) for each in schema["anyOf"]]
        return [] if [] in found else found[0]
    known = {"type", "title", "description", "properties", "required", "default", "items"}
    assert set(schema) <= known, schema
    types = {
        "object": dict,
        "array": list,
        "string": str,
        "boolean": bool,
        "integer": int,
        "number": (int, float),
        "null": type(None),
    }
    said = schema.get("type")
    if said is not None and not isinstance(value, types[said]):
        return [f"{at}: {value!r} is no {said}"]
    if said in ("integer", "number") and isinstance(value, bool):
        return [f"{at}: {value!r} is no {said}"]
    if said == "array":
        return [w for each in value for w in complaints(each, schema.get("items", {}), f"{at}[]")]
    if said == "object":
        wrong = [
            f"{at}.{name} is missing" for name in schema.get("required", ()) if name not in value
        ]
        for name, each in schema.get("properties", {}).items():
            if name in value:
                wrong += complaints(value[name], each, f"{at}.{name}")
        return wrong
    return []


def made(kind: Any) -> Any:
    """A value of a type of a reply, as small as it can be; every list has an item."""
    if isinstance(kind, type) and issubclass(kind, Reply):
        return kind(**{f.name: made(f.type) for f in msgspec.structs.fields(kind)})
    info = msgspec.inspect.type_info(kind)
    match info:
        case msgspec.inspect.UnionType(types=types):
            return made_of(types[0])
        case msgspec.inspect.ListType(item_type=item):
            return [made_of(item)]
    return made_of(info)


def made_of(info: msgspec.inspect.Type) -> Any:
    match info:
        case msgspec.inspect.StructType(cls=cls):
            return made(cls)
        case msgspec.inspect.ListType(item_type=item):
            return [made_of(item)]
        case msgspec.inspect.StrType() | msgspec.inspect.AnyType():
            return "<b>"
        case msgspec.inspect.BoolType():
            return True
        case msgspec.inspect.IntType():
            return 7
        case msgspec.inspect.FloatType():
            return 1.5
        case msgspec.inspect.UnionType(types=types):
            return made_of(types[0])
    raise AssertionError(info)


def test_it_is_served(tmp_path: Path) -> None:
    async def played() -> None:
        async with served(tmp_path / "s") as site:
            answer = await site.client.get(f"{API}/openapi.json", headers=site.program)
            assert answer.status_code == 200 and answer.json() == DOCUMENT

    asyncio.run(played())


def test_every_route_is_in_it_and_no_other() -> None:
    said = {
        (method.upper(), path) for path, methods in DOCUMENT["paths"].items() for method in methods
    }
    wanted = {(route.method, API + route.path) for route in (*ROUTES, *OWN_ROUTES)}
    others = {
        ("GET", path) for path in ("/healthz", "/metrics", "/readyz", "/synced", f"{API}/stream")
    }
    assert said == wanted | others
    assert DOCUMENT["openapi"] == "3.1.0"
    assert len({route.verb for route in ROUTES}) == len(ROUTES)


def test_every_reference_leads_somewhere() -> None:
    found = []

    def look(value: Any) -> None:
        if isinstance(value, dict):
            if "$ref" in value:
                found.append(value["$ref"])
            for each in value.values():
                look(each)
        elif isinstance(value, list):
            for each in value:
                look(each)

    look(DOCUMENT)
    names = {ref.removeprefix("#/components/schemas/") for ref in found}
    assert names <= set(DOCUMENT["components"]["schemas"]) and len(names) > 20


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.verb)
def test_what_is_answered_is_what_it_says(tmp_path: Path, route: ApiRoute) -> None:
    """Of each route: an answer that has every field comes out as the document says, over HTTP."""
    agent = FakeAgent(tmp_path / "s", {route.verb: made(route.reply).fields()})
    responses = DOCUMENT["paths"][API + route.path][route.method.lower()]["responses"]
    schema = responses["200"]["content"]["application/json"]["schema"]

    async def played() -> None:
        async with served(tmp_path / "s", agent) as site:
            fields = {
                name: made_of(msgspec.inspect.type_info(f.type)) for name, f in route.fields.items()
            }
            url = API + route.path
            if route.changes:
                answer = await site.client.post(url, json=fields, headers=site.browser)
            else:
                answer = await site.client.get(url, params=fields, headers=site.browser)
            assert answer.status_code == 200, answer.text
            assert complaints(answer.json(), schema) == []
            assert agent.asked[-1] == (route.verb, fields if route.verb != "status" else {})

    asyncio.run(played())


def test_a_wrong_answer_is_complained_about() -> None:
    schema = {"$ref": "#/components/schemas/Status"}
    right = a_status()
    assert complaints(right, schema) == []
    assert complaints({**right, "device": 1}, schema) == [".device: 1 is no string"]
    folder = {**right["folders"][0], "files": True}
    wrong = complaints({**right, "folders": [folder]}, schema)
    assert wrong == [".folders[].files: True is no integer"]
    del folder["id"]
    assert ".folders[].id is missing" in complaints({**right, "folders": [folder]}, schema)
