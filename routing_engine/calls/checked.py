"""Values out of JSON that somebody else has written, such as the engine beside a PBX: every member is of its kind.

What the database keeps is our own, and `as_json` believes it. What comes over a line is held against the types that the
dataclass declares, before anything looks at it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import lru_cache
from types import NoneType, UnionType
from typing import Any, Literal, TypeGuard, TypeVar, Union, get_args, get_origin, get_type_hints

from routing_engine.calls.as_json import JsonObject, JsonValue

T = TypeVar("T")
#: No number of ours is larger: microseconds since 1970 have 16 digits.
_LARGEST = 2**53
_LONGEST_NAME = 80
_PLAIN = (str, int, float, bool)


def checked(kind: Callable[..., T], value: JsonValue, where: str = "") -> T:
    """Return a dataclass of this kind as JSON has it; `where` is what it is a member of.

    A member that nobody knows is left out: a newer version may say more. Raises `ValueError`, with the member's name.
    """
    if not isinstance(value, dict):
        raise ValueError(f"{where or 'it'} is not an object")
    found: dict[str, Any] = {}
    for member, hint in _kinds(kind):
        name = f"{where}.{member.name}" if where else member.name
        if member.name in value:
            found[member.name] = _read(hint, value[member.name], name)
        elif member.default is MISSING and member.default_factory is MISSING:
            raise ValueError(f"{name} is missing")
    return kind(**found)


def read_json(text: str) -> JsonObject:
    """Return the object of a JSON text. Raises `ValueError` for anything else, and for what is no JSON."""
    try:
        found = json.loads(text, parse_constant=_no_number)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(found, dict):
        raise ValueError("it is not a JSON object")
    return found


def _no_number(word: str) -> float:
    raise ValueError(f"{word} is no number")


@lru_cache(maxsize=64)
def _kinds(kind: Hashable) -> Sequence[tuple[Field[Any], Any]]:
    """Return the members of a dataclass, each with its type."""
    if not (isinstance(kind, type) and is_dataclass(kind)):
        raise TypeError(f"{kind} is no dataclass")
    hints = get_type_hints(kind)
    return [(one, hints[one.name]) for one in fields(kind)]


def _read(hint: Any, value: JsonValue, name: str) -> Any:
    """Return a value as a type wants it: a text, a number, one of some words, a list, a mapping, a part."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return None if value is None and NoneType in parts else _read_one(parts, value, name)
    if origin is Literal:
        if not isinstance(value, str) or value not in parts:
            raise ValueError(f"{name} is none of: {', '.join(parts)}")
        return value
    if origin is tuple:
        if not isinstance(value, list):
            raise ValueError(f"{name} is not a list")
        return tuple(_read(parts[0], one, name) for one in value)
    if origin is not None:  # the one that is left is a mapping
        if not isinstance(value, dict):
            raise ValueError(f"{name} is not an object")
        return {_text(key, name): _read(parts[1], one, f"{name}.{key[:_LONGEST_NAME]}") for key, one in value.items()}
    return _plain(hint, value, name) if hint in _PLAIN else checked(hint, value, name)


def _read_one(parts: tuple[Any, ...], value: JsonValue, name: str) -> Any:
    [wanted] = [part for part in parts if part is not NoneType]
    return _read(wanted, value, name)


def _plain(hint: Any, value: JsonValue, name: str) -> str | float | bool:
    if hint is str and isinstance(value, str):
        return _text(value, name)
    if hint is bool and isinstance(value, bool):
        return value
    if hint in (int, float) and _is_number(value) and (hint is float or isinstance(value, int)):
        return value
    raise ValueError(f"{name} is no {'text' if hint is str else 'number'}")


def _is_number(value: JsonValue) -> TypeGuard[int | float]:
    # True is an int to Python, and no number to anybody else.
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return math.isfinite(value) and abs(value) <= _LARGEST


def _text(value: str, name: str) -> str:
    # Neither database keeps these, and what cannot be written must not be taken.
    if "\0" in value or any("\ud800" <= sign <= "\udfff" for sign in value):
        raise ValueError(f"{name} has a sign that is none")
    return value
