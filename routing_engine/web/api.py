"""Every address of the API in one table: the right that it needs, and what answers.

An answer is JSON; what is refused says why and what to do, as the contract for calls has it (section 5).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from routing_engine.connections import EVERYBODY, AccessList
from routing_engine.core.ports import Clock
from routing_engine.errors import StaleVersion, StorageError, UnknownCall
from routing_engine.http_server import FAULTS, HttpLimits, HttpListener
from routing_engine.settings.api import PER_SECOND
from routing_engine.web.access import Access, need_right
from routing_engine.web.answers import sent, whole
from routing_engine.web.endpoints import Endpoint, Endpoints
from routing_engine.web.pace import Paces
from routing_engine.web.pages import Pages
from routing_engine.web.repeats import Repeats
from routing_engine.web.requests import (
    FORM,
    NOBODY,
    Actor,
    ApiAnswer,
    ApiError,
    ApiRequest,
    LineAnswer,
    PlainAnswer,
    StreamAnswer,
    bad_value,
    read_body,
    read_form,
)

#: More connections at a time are no programs of one site.
MOST_CONNECTIONS = 1000
SILENT_S = 30.0
#: A note is a text of people; an event of another system is a few hundred bytes.
MOST_BYTES = 256 * 1024
_LONGEST_QUERY = 2000
#: A page asks a few times for each call; nobody clicks faster.
PERSON_PER_SECOND = 20.0
#: A body of that size takes as long on a bad line; who sends it byte by byte holds a place for nothing.
_BODY_S = 30.0
_FAULTS = {
    400: ("not_http", "send HTTP/1.1, with a body as its headers say"),
    408: ("too_slow", "send it at once"),
    431: ("headers_too_large", "shorten the address, or send fewer headers"),
    500: ("internal", "look into the engine's log"),
}


class ApiListener(HttpListener):
    """The listener `http`: finds the row of a request, looks at who asks, and answers."""

    def __init__(
        self,
        offers: Sequence[Endpoints],
        access: Access,
        hosts: AccessList = EVERYBODY,
        clock: Clock = time.monotonic,
    ) -> None:
        limits = HttpLimits(MOST_CONNECTIONS, SILENT_S, kept=True, longest_line=8190)
        super().__init__("http", self._answered, limits, hosts)
        self.access = access
        #: What is shown to people, without a key; set before it listens.
        self.pages: Pages | None = None
        #: What was answered before; set before it listens.
        self.repeats: Repeats | None = None
        self._paces = Paces(clock)
        self._rows = [(row.pattern, row) for offer in offers for row in offer.endpoints()]

    @property
    def rows(self) -> Sequence[Endpoint]:
        """Every address that is offered."""
        return [row for _, row in self._rows]

    def refusal(self, status: int) -> web.Response:
        """Return what is said of a request that cannot be read, or of a fault of ours, as every other error."""
        code, remedy = _FAULTS.get(status, _FAULTS[400])
        return whole(ApiError(status, code, FAULTS.get(status, FAULTS[400]), remedy).answer)

    async def _answered(self, request: web.BaseRequest) -> web.StreamResponse:
        if self.pages is not None and (page := self.pages.answer(request)) is not None:
            return page
        try:
            answer = await self._found(request)
        except ApiError as error:
            answer = error.answer
        except UnknownCall as error:
            answer = ApiError(404, "unknown_call", str(error), "take an id that /v1/calls lists").answer
        except StaleVersion as error:
            answer = ApiError(412, "stale_version", str(error), "read the call, and try again").answer
        except StorageError:
            # Its reason may name a server of ours: the log has it.
            why = "calls cannot be read or written now"
            answer = ApiError(503, "database_down", why, "try again in some seconds", {"Retry-After": "5"}).answer
        return await sent(request, answer)

    async def _found(self, request: web.BaseRequest) -> ApiAnswer | PlainAnswer | StreamAnswer | LineAnswer:
        row, values = self._row_of(request)
        if row is None:
            # Also where there is nothing: who guesses keys is not listened to anywhere.
            await self.access.of(request)
            raise ApiError(404, "unknown_address", f"there is no {request.path[:200]}", "see the reference of the API")
        again = partial(self._asked_by, request, row)
        actor, peer = await again(), self.access.peer(request)
        self._pace(actor, peer.address)
        wanted = await _request(request, row, actor, values)
        wanted = replace(wanted, again=again, peer=peer)
        answer = await (row.answer(wanted) if self.repeats is None else self.repeats.answer(row, wanted))
        if row.method != "GET" and row.audited:
            self.access.note(wanted, f"{row.method} {row.path}")
        return answer

    def _pace(self, actor: Actor, address: str) -> None:
        """Count a request. Raises `ApiError` where too many come."""
        if actor.user is None and actor is not NOBODY:
            keys = self.access.ring.keys
            per_second = next((one.per_second for one in keys if one.name == actor.name), PER_SECOND)
            self._paces.take(f"key:{actor.name}", per_second)
        else:
            who = f"user:{actor.name}" if actor.user is not None else f"address:{address}"
            self._paces.take(who, PERSON_PER_SECOND)

    async def _asked_by(self, request: web.BaseRequest, row: Endpoint) -> Actor:
        """Return who asks, and may. Raises `ApiError`."""
        if row.right is None:
            return NOBODY
        actor = await self.access.of(request)
        need_right(actor, row.right)
        return actor

    def _row_of(self, request: web.BaseRequest) -> tuple[Endpoint | None, Mapping[str, str]]:
        matching = [(row, match) for pattern, row in self._rows if (match := pattern.match(request.path)) is not None]
        # What is written out goes before what a value may be: `/v1/accounts/back` is no integration.
        path = min((row.path for row, _ in matching), key=lambda one: one.count("{"), default="")
        found = [(row, match) for row, match in matching if row.path == path]
        wanted = "GET" if request.method == "HEAD" else request.method
        for row, match in found:
            if row.method == wanted:
                return row, match.groupdict()
        if found:
            allowed = ", ".join(sorted({row.method for row, _ in found}))
            sentence = f"{request.path[:200]} takes {allowed}"
            raise ApiError(405, "wrong_method", sentence, f"use {allowed}", {"Allow": allowed})
        return None, {}


async def _request(request: web.BaseRequest, row: Endpoint, actor: Actor, values: Mapping[str, str]) -> ApiRequest:
    query = _query(request, row)
    raw = await _body(request)
    body = read_form(raw) if row.form and request.content_type == FORM else read_body(raw)
    for name in body:
        # A misspelt one must not be lost in silence.
        if row.members and name not in row.members:
            raise bad_value(name, "is not known", f"known are: {', '.join(row.members)}")
    return ApiRequest(actor, values, query, body, _version(request), request.headers)


def _query(request: web.BaseRequest, row: Endpoint) -> Mapping[str, str]:
    if len(request.query_string) > _LONGEST_QUERY:
        raise ApiError(400, "too_long", f"the query is longer than {_LONGEST_QUERY} characters", "shorten it")
    for name in request.query:
        # One that is misspelt would list all calls, and nobody would see why.
        if name not in row.query and not row.any_query:
            raise bad_value(name, "is not known", f"known are: {', '.join(row.query) or 'none'}")
        if len(request.query.getall(name)) > 1:
            raise bad_value(name, "is there twice", "name it once")
    for one in row.parameters:
        allowed, value = one.schema.get("enum"), request.query.get(one.name)
        if one.where == "query" and value is not None and isinstance(allowed, list) and value not in allowed:
            raise bad_value(one.name, f"cannot be '{value[:80]}'", f"write {' or '.join(map(str, allowed))}")
    return dict(request.query)


async def _body(request: web.BaseRequest) -> bytes:
    too_large = ApiError(413, "too_large", f"the body is larger than {MOST_BYTES >> 10} KiB", "send less at once")
    # Before the first byte of it where it says so itself, and else while it comes.
    if (request.content_length or 0) > MOST_BYTES:
        raise too_large
    found = bytearray()
    try:
        async with asyncio.timeout(_BODY_S):
            async for piece in request.content.iter_any():
                found += piece
                if len(found) > MOST_BYTES:
                    raise too_large
    except TimeoutError:
        raise ApiError(408, "too_slow", FAULTS[408], _FAULTS[408][1], {"Connection": "close"}) from None
    except (web.RequestPayloadError, HttpProcessingError):
        raise ApiError(400, "not_http", "the body is not what its headers say", _FAULTS[400][1]) from None
    return bytes(found)


def _version(request: web.BaseRequest) -> int | None:
    """Return the version that `If-Match` asks for; None where it does not. Raises `ApiError`."""
    wanted = request.headers.get("If-Match", "").strip().removeprefix("W/").strip('"')
    if wanted in ("", "*"):
        return None
    if not (wanted.isdecimal() and wanted.isascii() and len(wanted) < 19):
        raise ApiError(400, "bad_version", "'If-Match' is no version of a call", 'send the ETag of the call: "3"')
    return int(wanted)
