"""`POST /v1/decide`: where would this call go, and why? Nobody is called, and nothing is kept of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time
from typing import Protocol

from routing_engine.calls.as_json import JsonObject, JsonValue
from routing_engine.core.caller import read_when
from routing_engine.web.endpoints import NUMBER, TEXT, Endpoint, Gives, Schema, has, listed, or_null, takes, text
from routing_engine.web.requests import ApiAnswer, ApiRequest, bad_value

_KEYS = "0123456789*#ABCD"
_LONGEST, _MOST = 200, 100
_TEXTS = listed(TEXT)
_INPUT: Schema = {"type": "string", "maxLength": _LONGEST, "pattern": "^[0-9*#A-D]*$"}
_BODY = takes(
    {
        "route": text(_LONGEST, 1),
        "caller": or_null(text(_LONGEST)),
        "called": or_null(text(_LONGEST)),
        "inputs": or_null({**listed(_INPUT), "maxItems": _MOST}),
        "variables": or_null(
            {"type": "object", "additionalProperties": text(_LONGEST), "maxProperties": _MOST},
        ),
        "at": or_null(text(_LONGEST)),
    },
    needed=("route",),
)
_STEP = has({"step": TEXT, "outcome": TEXT, "took_ms": or_null(NUMBER)})
_DECISION = has(
    {
        "route": TEXT,
        "revision": TEXT,
        "reason": TEXT,
        "rule": or_null(TEXT),
        "destination": or_null({"type": "object"}),
        "chain": listed({"type": "object"}),
        "play": _TEXTS,
        "source": or_null(TEXT),
        "record": or_null({"type": "object"}),
        "record_url": or_null(TEXT),
        "variables": {"type": "object"},
        "trail": listed(_STEP),
        "played": _TEXTS,
        "last_good": or_null(has({"revision": TEXT, "since": TEXT, "problems": _TEXTS})),
        "assumed": {"type": "object", "additionalProperties": TEXT},
    }
)
_SUMMARY = (
    "Ask where a call would go, and why: what `run-test --json` gives. The sources are asked, no telephone rings."
)


@dataclass(frozen=True, slots=True)
class AskedCall:
    """The call that is asked about. `at` is a moment, or a time of today; None is now."""

    route: str
    caller: str = "anonymous"
    called: str = ""
    inputs: Sequence[str] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    at: datetime | time | None = None


class Decides(Protocol):
    """What knows the routes in force."""

    async def decide(self, asked: AskedCall) -> JsonObject:
        """Return what a call would come to. Raises `ApiError` where there is no such route, or too many are asked."""


class DecideApi:
    """`/v1/decide`."""

    def __init__(self, routes: Decides) -> None:
        self._routes = routes

    def endpoints(self) -> Sequence[Endpoint]:
        """Return the rows of the table."""
        gives = (Gives("the decision", _DECISION),)
        return (Endpoint("POST", "/v1/decide", "decide", self._decide, _SUMMARY, (), _BODY, gives, refuses=(404,)),)

    async def _decide(self, request: ApiRequest) -> ApiAnswer:
        return ApiAnswer(await self._routes.decide(self._read(request)))

    def _read(self, request: ApiRequest) -> AskedCall:
        return AskedCall(
            request.needed("route", _LONGEST),
            request.text("caller", _LONGEST) or "anonymous",
            request.text("called", _LONGEST) or "",
            _inputs(request.body.get("inputs")),
            _variables(request.body.get("variables")),
            _when(request.text("at", _LONGEST)),
        )


def _inputs(value: JsonValue) -> Sequence[str]:
    if value is None:
        return ()
    found = [one for one in value if isinstance(one, str)] if isinstance(value, list) else []
    if not isinstance(value, list) or len(found) != len(value) or len(found) > _MOST:
        raise bad_value("inputs", "is not a list of texts", f"write what is typed each time, at most {_MOST} times")
    for one in found:
        if len(one) > _LONGEST or set(one) - set(_KEYS):
            raise bad_value("inputs", "has what cannot be typed on a telephone", "write digits, * and #")
    return found


def _variables(value: JsonValue) -> Mapping[str, str]:
    if value is None:
        return {}
    found = {name: one for name, one in value.items() if isinstance(one, str)} if isinstance(value, dict) else {}
    if not isinstance(value, dict) or len(found) != len(value) or len(found) > _MOST:
        raise bad_value("variables", "is not an object of texts", f"write channel variables, at most {_MOST}")
    if any(len(one) > _LONGEST for one in found.values()):
        raise bad_value("variables", f"has a text longer than {_LONGEST} characters", "shorten it")
    return found


def _when(value: str | None) -> datetime | time | None:
    try:
        return None if value is None else read_when(value)
    except ValueError:
        raise bad_value("at", "is not a time", "write 2026-12-24T18:00 or 18:00") from None
