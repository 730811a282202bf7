"""A request of a program and the answer to it, as JSON: what was asked, what is wrong with it, and what to do."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from routing_engine.calls.as_json import JsonObject, JsonValue
from routing_engine.errors import RoutingEngineError


class ApiError(RoutingEngineError):
    """A request that is refused: `status` of HTTP, `code` for programs, a sentence and a remedy for people."""

    def __init__(self, status: int, code: str, message: str, remedy: str) -> None:
        self.status, self.code, self.message, self.remedy = status, code, message, remedy
        super().__init__(f"{message}; {remedy}")

    @property
    def body(self) -> JsonObject:
        """The answer's body."""
        return {"error": {"code": self.code, "message": self.message, "remedy": self.remedy}}


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """What a program asks. `key` is its name in engine.yaml, `path` the values in the address, `body` its JSON."""

    key: str
    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    body: JsonObject = field(default_factory=dict)
    version: int | None = None

    def refuse_unknown(self, *known: str) -> None:
        """Raise `ApiError` for a member of the body that nobody reads: a misspelt one must not be lost in silence."""
        for name in self.body:
            if name not in known:
                raise bad_value(name, "is not known", f"known are: {', '.join(known)}")

    def text(self, name: str, longest: int = 1000) -> str | None:
        """Return a text of the body, None when it is not there or null. Raises `ApiError`."""
        value = self.body.get(name)
        if value is None:
            return None
        if not isinstance(value, str):
            raise bad_value(name, "must be a text", "write it in quotes")
        if len(value) > longest:
            raise bad_value(name, f"is longer than {longest} characters", "shorten it")
        return value

    def needed(self, name: str, longest: int = 1000) -> str:
        """Return a text of the body that must be there. Raises `ApiError`."""
        found = self.text(name, longest)
        if not found:
            raise bad_value(name, "is missing", f"add {name}")
        return found

    def moment(self, name: str, value: JsonValue) -> float | None:
        """Return a moment in seconds since 1970; a text without a zone is UTC. Raises `ApiError`."""
        if value is None:
            return None
        try:
            found = datetime.fromisoformat(str(value))
            return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
        except (ValueError, OverflowError):
            raise bad_value(name, "is not a moment", "write it as 2026-11-30T12:00:00.123Z") from None


@dataclass(frozen=True, slots=True)
class ApiAnswer:
    """What a program gets."""

    body: JsonObject
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


def bad_value(name: str, sentence: str, remedy: str) -> ApiError:
    """Return the refusal of a member or a parameter."""
    return ApiError(400, "bad_value", f"'{name[:80]}' {sentence}", remedy)


def read_body(raw: bytes) -> JsonObject:
    """Return the JSON object of a request, empty for no body. Raises `ApiError`."""
    if not raw.strip():
        return {}
    try:
        found = json.loads(raw, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise ApiError(400, "not_json", "the body is not JSON", "send a JSON object in UTF-8") from None
    if not isinstance(found, dict):
        raise ApiError(400, "not_an_object", "the body is not a JSON object", "send one: {...}")
    return found


def _no_number(word: str) -> float:
    raise ValueError(f"{word} is no number")
