"""A call as the JSON of the contract, section 3: the same in the API, in webhooks and in `--json`.

A member that is not known is null, never missing; moments are UTC with milliseconds, durations seconds. The database
keeps a form of its own, which loses nothing: all fields of a `Call` by their names, moments as numbers.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TypeAlias, TypeVar

from routing_engine.calls.call import (
    Call,
    CallContact,
    CallDelivery,
    CallRecording,
    CallRoute,
    CallTransfer,
    Candidate,
    Leg,
    Note,
)

JsonValue: TypeAlias = "str | int | float | bool | list[JsonValue] | dict[str, JsonValue] | None"
JsonObject: TypeAlias = dict[str, JsonValue]
_Part: TypeAlias = Call | CallContact | CallDelivery | CallRecording | CallRoute | CallTransfer | Candidate | Leg | Note
P = TypeVar("P", bound=_Part)
#: Everything that has members of its own, the call first.
PARTS = (Call, CallContact, CallDelivery, CallRecording, CallRoute, CallTransfer, Candidate, Leg, Note)
# What stays inside: the contract has no such members, and the fields of a record are for whom the rights allow.
_INSIDE = {
    *((Call, name) for name in ("linkedids", "route_call_id", "stranded", "told")),
    (CallRecording, "name"),
    (CallContact, "fields"),
    (Candidate, "fields"),
    (CallDelivery, "record"),
}

_FIELDS: Mapping[type, Sequence[str]] = {part: [field.name for field in fields(part)] for part in PARTS}
#: The members of the contract's JSON by the fields; `from` is a word of Python's own, hence `from_`.
_MEMBERS: Mapping[type, Sequence[tuple[str, str]]] = {
    part: [(name, name.rstrip("_")) for name in names if (part, name) not in _INSIDE] for part, names in _FIELDS.items()
}
#: What the members of the stored form are made of that are no plain values.
_MADE_OF: Mapping[str, type[_Part]] = {
    "legs": Leg,
    "transfers": CallTransfer,
    "contact": CallContact,
    "candidates": Candidate,
    "route": CallRoute,
    "recording": CallRecording,
    "notes": Note,
    "deliveries": CallDelivery,
}
#: Words of ours, and ids, whose digits are no telephone numbers.
_NAMES = {
    *("id", "pbx", "pbx_call_id", "direction", "state", "outcome", "matched", "integration", "model", "how", "result"),
    *("merged_into", "linkedids", "route_call_id", "call_id", "revision", "hangup_by", "sentiment"),
}


def is_inside(part: type, name: str) -> bool:
    """Return whether a field is ours alone, and no member of the contract's JSON."""
    return (part, name) in _INSIDE


@lru_cache(maxsize=4096)
def moment(at: float | None) -> str | None:
    """Return a moment as JSON has it, `2026-11-30T12:00:00.123Z`; `at` is seconds since 1970."""
    if at is None:
        return None
    return datetime.fromtimestamp(round(at, 3), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def call_json(call: Call) -> JsonObject:
    """Return a call with exactly the members of the contract."""
    return _part_json(call)


def _part_json(part: _Part) -> JsonObject:
    return {shown: _member(name, getattr(part, name)) for name, shown in _MEMBERS[type(part)]}


def _member(name: str, value: object) -> JsonValue:
    if value is None or isinstance(value, str):
        return value  # most are, and a call of many telephones has hundreds of them
    # By the name: its ending says the unit everywhere in this package.
    if isinstance(value, int | float) and (name == "at" or name.endswith("_at")):
        return moment(value)
    if isinstance(value, float):
        return round(value, 3)
    if isinstance(value, tuple):
        return [_member("", one) for one in value]
    if isinstance(value, Mapping):
        return {key: _member("", one) for key, one in value.items()}
    if isinstance(value, PARTS):
        return _part_json(value)
    return value if isinstance(value, int) else None


def with_texts(value: JsonValue, change: Callable[[str], str]) -> JsonValue:
    """Return the JSON of a call, of either form, with every text changed; what its things are called stays."""
    if isinstance(value, dict):
        return {name: one if name in _NAMES else with_texts(one, change) for name, one in value.items()}
    if isinstance(value, list):
        return [with_texts(one, change) for one in value]
    return change(value) if isinstance(value, str) else value


def call_with_texts(call: Call, change: Callable[[str], str]) -> Call:
    """Return a call with every text changed; what its things are called stays."""
    return _read_part(Call, _object(with_texts(_stored(call), change)))


def stored_json(call: Call) -> str:
    """Return a call as the database keeps it: `call_from_json` gives the same again."""
    return json.dumps(_stored(call), ensure_ascii=False, separators=(",", ":"))


def call_from_json(stored: str) -> Call:
    """Return the call that `stored_json` has written, this version's or another's.

    Members that are not known are left out, those that are missing have their defaults.
    """
    return _read_part(Call, _object(json.loads(stored)))


def _object(value: JsonValue) -> JsonObject:
    return value if isinstance(value, dict) else {}


def _stored(value: object) -> JsonValue:
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, PARTS):
        return {name: _stored(getattr(value, name)) for name in _FIELDS[type(value)]}
    if isinstance(value, tuple):
        return [_stored(one) for one in value]
    if isinstance(value, Mapping):
        return {key: _stored(one) for key, one in value.items()}
    return None


def _read_part(kind: type[P], kept: Mapping[str, JsonValue]) -> P:
    known: dict[str, Any] = {name: _read(name, kept[name]) for name in _FIELDS[kind] if name in kept}
    return kind(**known)


def _read(name: str, value: JsonValue) -> Any:
    kind = _MADE_OF.get(name)
    if isinstance(value, list):
        return tuple(_read_part(kind, one) if kind and isinstance(one, dict) else one for one in value)
    if kind is None or not isinstance(value, dict):
        return value
    if kind is CallDelivery:  # by their targets
        return {target: _read_part(CallDelivery, one) for target, one in value.items() if isinstance(one, dict)}
    return _read_part(kind, value)
