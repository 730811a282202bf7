"""A row of the API's table: the address, the right, what answers, and what OpenAPI and the reference say about it.

What a row declares holds: a parameter, or a member of a body with `takes`, that it does not name is refused before
`answer` sees the request.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias

from routing_engine.calls.as_json import JsonObject, JsonValue
from routing_engine.calls.json_schema import reference
from routing_engine.settings.api import Right
from routing_engine.web.requests import ApiAnswer, ApiRequest, LineAnswer, PlainAnswer, StreamAnswer, bad_value

Schema: TypeAlias = JsonObject
#: What an address asks for: a right, or `person`, anybody who has logged in.
Need: TypeAlias = Right | Literal["person"]
AnswerTo: TypeAlias = Callable[[ApiRequest], Awaitable[ApiAnswer | PlainAnswer | StreamAnswer | LineAnswer]]

TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": "number"}
WHOLE: Schema = {"type": "integer"}
FLAG: Schema = {"type": "boolean"}
CALL = reference("Call")


def text(longest: int, shortest: int = 0) -> Schema:
    """Return the schema of a text of so many characters."""
    return {"type": "string", "minLength": shortest, "maxLength": longest}


def words(*allowed: str) -> Schema:
    """Return the schema of one of some words."""
    return {"enum": [*allowed]}


def or_null(schema: Schema) -> Schema:
    """Return the schema of something that may be null."""
    return {"anyOf": [schema, {"type": "null"}]}


def listed(schema: Schema) -> Schema:
    """Return the schema of a list."""
    return {"type": "array", "items": schema}


def has(members: Mapping[str, Schema]) -> Schema:
    """Return the schema of an object in an answer: every member is there."""
    return {"type": "object", "properties": _members(members), "required": [*members]}


def takes(members: Mapping[str, Schema], needed: Sequence[str] = ()) -> Schema:
    """Return the schema of an object in a request: no other members, and those that are `needed`."""
    schema: Schema = {"type": "object", "properties": _members(members), "additionalProperties": False}
    return {**schema, "required": [*needed]} if needed else schema


def _members(members: Mapping[str, Schema]) -> dict[str, JsonValue]:
    return dict(members)


@dataclass(frozen=True, slots=True)
class Parameter:
    """A value in the query, in a header, or in the path; one in the path needs no row unless there is more to say."""

    name: str
    means: str
    schema: Schema = field(default_factory=lambda: dict(TEXT))
    where: Literal["query", "header", "path"] = "query"
    needed: bool = False


def page_limit(most: int) -> Parameter:
    """Return the parameter that says how much a page has; `read_limit` reads it."""
    return Parameter("limit", "how many a page has; 50 without it", {"type": "integer", "minimum": 1, "maximum": most})


def read_limit(value: str | None, most: int) -> int:
    """Return how much a page has. Raises `ApiError`."""
    if value is None:
        return min(50, most)
    if not (value.isdecimal() and value.isascii() and 1 <= int(value[:6]) <= most):
        raise bad_value("limit", "is not the length of a page", f"write 1 to {most}")
    return int(value)


@dataclass(frozen=True, slots=True)
class Gives:
    """An answer that is no error. `schema` None: there is no JSON, but what `media_type` says ("" for nothing)."""

    means: str
    schema: Schema | None = None
    status: int = 200
    media_type: str = "application/json"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One address: `{id}` in its path is a value. `right` is what one must have; None: everybody may, unasked.

    `body` is the schema of the JSON that it takes. `refuses` are statuses of errors beside those of every address.
    """

    method: str
    path: str
    right: Need | None
    answer: AnswerTo
    summary: str = ""
    parameters: tuple[Parameter, ...] = ()
    body: Schema | None = None
    gives: tuple[Gives, ...] = ()
    refuses: tuple[int, ...] = ()
    #: Of what other systems send: a form is taken as well, `a[b]=c` as {"a": {"b": "c"}}.
    form: bool = False
    #: Of what others send us back with, such as a log-in: parameters that are not named are let through.
    any_query: bool = False
    #: Whether the audit says who did it, where it changes something.
    audited: bool = True

    @property
    def pattern(self) -> re.Pattern[str]:
        """What paths of requests look like."""
        return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]{1,200})", self.path) + r"\Z")

    @property
    def repeatable(self) -> bool:
        """Whether `Idempotency-Key` counts: what has an effect that a repeat would have once more.

        Secrets that are given out are no answers to be kept, and events of other systems have an id of their own.
        """
        return self.method in ("POST", "PATCH") and self.right in ("calls.write", "dial")

    @property
    def query(self) -> tuple[str, ...]:
        """The parameters that may stand in the query."""
        return tuple(one.name for one in self.parameters if one.where == "query")

    @property
    def members(self) -> tuple[str, ...]:
        """The members that the body may have; none where there is nothing said."""
        found = (self.body or {}).get("properties")
        return tuple(found) if isinstance(found, dict) else ()


class Endpoints(Protocol):
    """What has addresses to offer."""

    def endpoints(self) -> Sequence[Endpoint]:
        """Return the rows of the table."""
