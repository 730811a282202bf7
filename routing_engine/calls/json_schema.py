"""The JSON Schema of a call, read off the values that `as_json` writes: the two cannot part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from types import NoneType, UnionType
from typing import Literal, Union, get_args, get_origin, get_type_hints

from routing_engine.calls.as_json import PARTS, JsonObject, JsonValue, is_inside

#: Where OpenAPI keeps schemas that others refer to.
_PLACE = "#/components/schemas/"
#: As `moment` writes it.
MOMENT: JsonObject = {"type": "string", "format": "date-time"}
_PLAIN: Mapping[object, str] = {str: "string", int: "integer", float: "number", bool: "boolean"}


def call_schemas() -> dict[str, JsonValue]:
    """Return the schemas of a call and its parts, by their names."""
    return {_name(part): _schema_of_part(part) for part in PARTS}


def reference(name: str) -> JsonObject:
    """Return what stands for a schema that is kept by its name."""
    return {"$ref": f"{_PLACE}{name}"}


def _name(part: type) -> str:
    return part.__name__ if part.__name__ == "Call" else part.__name__.removeprefix("Call")


def _schema_of_part(part: type) -> JsonObject:
    hints = get_type_hints(part)
    names = [field.name for field in fields(part) if not is_inside(part, field.name)]
    members: JsonObject = {name.rstrip("_"): _schema(name, hints[name]) for name in names}
    # Never missing: what is not known is null.
    return {"type": "object", "properties": members, "required": [*members]}


def _schema(name: str, hint: object) -> JsonObject:
    origin, inside = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        known = [_schema(name, one) for one in inside if one is not NoneType]
        return {"anyOf": [*known, {"type": "null"}]}
    if origin is Literal:
        return {"enum": [*inside]}
    if origin is tuple:
        return {"type": "array", "items": _schema("", inside[0])}
    if origin is not None:  # a mapping
        return {"type": "object", "additionalProperties": _schema("", inside[1])}
    part = next((one for one in PARTS if one is hint), None)
    if part is not None:
        return reference(_name(part))
    # By the name, as `as_json` does it.
    return dict(MOMENT) if name == "at" or name.endswith("_at") else {"type": _PLAIN[hint]}
