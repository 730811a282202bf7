"""Every address of the API in one table: the right that it needs, and what answers.

An answer is JSON; what is refused says why and what to do, as the contract for calls has it (section 5).
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from aiohttp import web

from routing_engine.calls.as_json import JsonObject
from routing_engine.connections import EVERYBODY, AccessList
from routing_engine.core.ports import Clock
from routing_engine.errors import StaleVersion, StorageError, UnknownCall
from routing_engine.http_server import HttpLimits, HttpListener
from routing_engine.settings.api import Program, Right
from routing_engine.web.keys import KeyRing
from routing_engine.web.requests import ApiAnswer, ApiError, ApiRequest, read_body

#: More connections at a time are no programs of one site.
MOST_CONNECTIONS = 1000
SILENT_S = 30.0
#: A note is a text of people; an event of another system is a few hundred bytes.
MOST_BYTES = 256 * 1024
_LONGEST_QUERY = 2000

AnswerTo: TypeAlias = Callable[[ApiRequest], Awaitable[ApiAnswer]]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One address: `{id}` in its path is a value. `right` is what the key must have."""

    method: str
    path: str
    right: Right
    answer: AnswerTo

    @property
    def pattern(self) -> re.Pattern[str]:
        """What paths of requests look like."""
        return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]{1,200})", self.path) + r"\Z")


class Endpoints(Protocol):
    """What has addresses to offer."""

    def endpoints(self) -> Sequence[Endpoint]:
        """Return the rows of the table."""


class ApiListener(HttpListener):
    """The listener `http`: finds the row of a request, looks at its key, and answers."""

    def __init__(
        self, offers: Sequence[Endpoints], keys: Sequence[Program], clock: Clock, access: AccessList = EVERYBODY
    ) -> None:
        limits = HttpLimits(MOST_CONNECTIONS, SILENT_S, kept=True, longest_line=8190)
        super().__init__("http", self._answered, limits, access)
        self.ring = KeyRing(keys, clock)
        self._rows = [(row.pattern, row) for offer in offers for row in offer.endpoints()]

    async def _answered(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            answer = await self._found(request)
        except ApiError as error:
            answer = ApiAnswer(error.body, error.status)
        except UnknownCall as error:
            answer = ApiAnswer(ApiError(404, "unknown_call", str(error), "take an id that /v1/calls lists").body, 404)
        except StaleVersion as error:
            answer = ApiAnswer(ApiError(412, "stale_version", str(error), "read the call, and try again").body, 412)
        except StorageError:
            # Its reason may name a server of ours: the log has it.
            down = ApiError(503, "database_down", "calls cannot be read or written now", "try again in some seconds")
            answer = ApiAnswer(down.body, 503, {"Retry-After": "5"})
        return _written(answer)

    async def _found(self, request: web.BaseRequest) -> ApiAnswer:
        key = self._key_of(request)
        row, values = self._row_of(request)
        if row.right not in key.may:
            sentence = f"the key '{key.name}' has no right '{row.right}'"
            raise ApiError(403, "no_right", sentence, "the administrator: api_keys in engine.yaml")
        return await row.answer(await _request(request, key, values))

    def _key_of(self, request: web.BaseRequest) -> Program:
        address = request.remote or ""
        if self.ring.waits(address):
            raise ApiError(429, "too_many_tries", "too many wrong keys came from this address", "wait a minute")
        key = self.ring.of(request.headers.get("Authorization", ""))
        if key is None:
            self.ring.note_wrong(address)
            remedy = "send 'Authorization: Bearer KEY' with a key of api_keys in engine.yaml"
            raise ApiError(401, "no_key", "the request has no key that is known", remedy)
        return key

    def _row_of(self, request: web.BaseRequest) -> tuple[Endpoint, Mapping[str, str]]:
        found = [(row, match) for pattern, row in self._rows if (match := pattern.match(request.path)) is not None]
        for row, match in found:
            if row.method == request.method:
                return row, match.groupdict()
        if found:
            allowed = ", ".join(row.method for row, _ in found)
            raise ApiError(405, "wrong_method", f"{request.path[:200]} takes {allowed}", f"use {allowed}")
        raise ApiError(404, "unknown_address", f"there is no {request.path[:200]}", "see the reference of the API")


async def _request(request: web.BaseRequest, key: Program, values: Mapping[str, str]) -> ApiRequest:
    if len(request.query_string) > _LONGEST_QUERY:
        raise ApiError(400, "too_long", f"the query is longer than {_LONGEST_QUERY} characters", "shorten it")
    return ApiRequest(key.name, values, dict(request.query), read_body(await _body(request)), _version(request))


async def _body(request: web.BaseRequest) -> bytes:
    too_large = ApiError(413, "too_large", f"the body is larger than {MOST_BYTES >> 10} KiB", "send less at once")
    # Before the first byte of it where it says so itself, and else while it comes.
    if (request.content_length or 0) > MOST_BYTES:
        raise too_large
    found = bytearray()
    async for piece in request.content.iter_any():
        found += piece
        if len(found) > MOST_BYTES:
            raise too_large
    return bytes(found)


def _version(request: web.BaseRequest) -> int | None:
    """Return the version that `If-Match` asks for; None where it does not. Raises `ApiError`."""
    wanted = request.headers.get("If-Match", "").strip().removeprefix("W/").strip('"')
    if wanted in ("", "*"):
        return None
    if not (wanted.isdecimal() and wanted.isascii() and len(wanted) < 19):
        raise ApiError(400, "bad_version", "'If-Match' is no version of a call", 'send the ETag of the call: "3"')
    return int(wanted)


def _written(answer: ApiAnswer) -> web.Response:
    # ASCII: whatever reads it needs no coding, and no sign of a caller does anything to a terminal.
    body: JsonObject = answer.body
    return web.Response(
        body=json.dumps(body).encode(),
        status=answer.status,
        content_type="application/json",
        headers={"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", **answer.headers},
    )
