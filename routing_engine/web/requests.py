"""A request and the answer to it, as JSON: who asks for what, what is wrong with it, and what to do."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import parse_qsl

from aiohttp import web

from routing_engine.calls.as_json import JsonObject, JsonValue
from routing_engine.errors import RoutingEngineError
from routing_engine.settings.api import Right
from routing_engine.settings.people import User, Verb


class ApiError(RoutingEngineError):
    """A request that is refused: `status` of HTTP, `code` for programs, a sentence and a remedy for people."""

    def __init__(
        self, status: int, code: str, message: str, remedy: str, headers: Mapping[str, str] | None = None
    ) -> None:
        self.status, self.code, self.message, self.remedy = status, code, message, remedy
        self.headers = headers or {}
        super().__init__(f"{message}; {remedy}")

    @property
    def body(self) -> JsonObject:
        """The answer's body."""
        return {"error": {"code": self.code, "message": self.message, "remedy": self.remedy}}

    @property
    def answer(self) -> ApiAnswer:
        """What is sent."""
        return ApiAnswer(self.body, self.status, self.headers)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks: a program (`user` is None), or a person. `name` is its key of engine.yaml, or that of users.yaml.

    `models` says what may be done with the records of each data model, `integration.model`. `session` is the person's,
    "" for a program.
    """

    name: str
    may: frozenset[Right] = frozenset()
    user: User | None = None
    models: Mapping[str, frozenset[Verb]] = field(default_factory=dict)
    session: str = ""

    @property
    def sees_all(self) -> bool:
        """Whether all calls may be seen, and not the own alone."""
        return self.user is None or self.user.role != "agent"


@dataclass(frozen=True, slots=True)
class Peer:
    """Where a request comes from. `secure`: over TLS, also where a proxy ends it; `local`: from this machine."""

    address: str = ""
    secure: bool = False
    local: bool = False


#: Who has said no name, and may do what anybody may.
NOBODY = Actor("")


async def nobody_again() -> Actor:
    """Return who asks where nothing was asked."""
    return NOBODY


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """What somebody asks. `path` are the values in the address, `body` is the JSON that was sent.

    `headers` are those of HTTP, in any case; `version` is what `If-Match` asks for. `again` looks who asks once more,
    for an answer that goes on for long: it raises `ApiError` when the right is gone.
    """

    actor: Actor
    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    body: JsonObject = field(default_factory=dict)
    version: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    again: Callable[[], Awaitable[Actor]] = field(default=nobody_again)
    peer: Peer = Peer()

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
    """What is answered, as JSON; nothing of it with 204 and 304. `cookies` are whole headers `Set-Cookie`."""

    body: JsonObject
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    cookies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PlainAnswer:
    """What is no JSON and small enough to be in memory: a page, a picture."""

    body: bytes
    media_type: str
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    cookies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StreamAnswer:
    """What is written piece by piece: events as they come, a recording.

    `pieces` is closed when it is over, also where the reader goes away. A reader who takes nothing for `patience_s` is
    ended. `length` is how many bytes come, where that is known.
    """

    pieces: AsyncGenerator[bytes, None]
    media_type: str
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    length: int | None = None
    patience_s: float = 30.0


@dataclass(frozen=True, slots=True)
class LineAnswer:
    """A WebSocket: `talk` takes the request and returns when the line is over."""

    talk: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


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


#: How other systems send a form.
FORM = "application/x-www-form-urlencoded"
_MOST_PAIRS = 500


def read_form(raw: bytes) -> JsonObject:
    """Return what a form says; `a[b]=c` is {"a": {"b": "c"}}. Raises `ApiError`."""
    try:
        pairs = parse_qsl(raw.decode(), keep_blank_values=True, max_num_fields=_MOST_PAIRS)
    except ValueError:
        raise ApiError(400, "not_a_form", "the body is not a form", "send names and values in UTF-8") from None
    found: JsonObject = {}
    for name, value in pairs:
        inside, names = found, name.replace("]", "").split("[")
        for one in names[:-1]:
            below = inside.setdefault(one, {})
            # A name that is a value already has nothing below it.
            inside = below if isinstance(below, dict) else {}
        inside[names[-1]] = value
    return found


def _no_number(word: str) -> float:
    raise ValueError(f"{word} is no number")
