"""A call as the JSON of the contract, section 3: the same in the API, in webhooks, in `--json` and in the database.

A member that is not known is null, never missing; moments are UTC with milliseconds, durations seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, datetime
from typing import TypeAlias

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
_PARTS = (Call, CallContact, CallDelivery, CallRecording, CallRoute, CallTransfer, Candidate, Leg, Note)
# What stays inside: the contract has no such members, and the fields of a record are for whom the rights allow.
_INSIDE = {(Call, "linkedids"), (CallRecording, "name"), (CallContact, "fields")}


def moment(at: float | None) -> str | None:
    """Return a moment as JSON has it, `2026-11-30T12:00:00.123Z`; `at` is seconds since 1970."""
    if at is None:
        return None
    return datetime.fromtimestamp(round(at, 3), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def call_json(call: Call) -> JsonObject:
    """Return a call with exactly the members of the contract."""
    return _part_json(call)


def _part_json(part: _Part) -> JsonObject:
    # `from` is a word of Python's own, hence `from_`.
    names = (field.name for field in fields(part) if (type(part), field.name) not in _INSIDE)
    return {name.rstrip("_"): _member(name, getattr(part, name)) for name in names}


def _member(name: str, value: object) -> JsonValue:
    # By the name: its ending says the unit everywhere in this package.
    if isinstance(value, int | float) and (name == "at" or name.endswith("_at")):
        return moment(value)
    if isinstance(value, float):
        return round(value, 3)
    if isinstance(value, tuple):
        return [_member("", one) for one in value]
    if isinstance(value, Mapping):
        return {key: _member("", one) for key, one in value.items()}
    if isinstance(value, _PARTS):
        return _part_json(value)
    return value if isinstance(value, str | int) else None
