"""An answer on its way out: as JSON, whole, or piece by piece for as long as there are any."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing

from aiohttp import web
from multidict import CIMultiDict

from routing_engine.errors import RoutingEngineError
from routing_engine.http_server import SERVER
from routing_engine.web.requests import ApiAnswer, LineAnswer, PlainAnswer, StreamAnswer

_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
#: These have no body, not even an empty object.
_WITHOUT_BODY = (204, 304)


async def sent(
    request: web.BaseRequest, answer: ApiAnswer | PlainAnswer | StreamAnswer | LineAnswer
) -> web.StreamResponse:
    """Return an answer that aiohttp sends, or that is sent already."""
    if isinstance(answer, LineAnswer):
        return await answer.talk(request)
    return await _streamed(request, answer) if isinstance(answer, StreamAnswer) else whole(answer)


def whole(answer: ApiAnswer | PlainAnswer) -> web.Response:
    """Return an answer that is there at once. A header that it names counts, instead of the usual one."""
    if isinstance(answer, PlainAnswer):
        return _whole(answer.body, answer.media_type, answer)
    # ASCII: whatever reads it needs no coding, and no sign of a caller does anything to a terminal.
    return _whole(json.dumps(answer.body).encode(), "application/json", answer)


def _whole(body: bytes, media_type: str, answer: ApiAnswer | PlainAnswer) -> web.Response:
    headers = CIMultiDict({**_HEADERS, **answer.headers})
    if answer.status not in _WITHOUT_BODY:
        # Not `content_type`: one with a charset in it is refused there.
        headers.setdefault("Content-Type", media_type)
    for cookie in answer.cookies:
        headers.add("Set-Cookie", cookie)
    return web.Response(body=None if answer.status in _WITHOUT_BODY else body, status=answer.status, headers=headers)


async def _streamed(request: web.BaseRequest, answer: StreamAnswer) -> web.StreamResponse:
    """Write the pieces as they come. Who does not take them, or goes away, ends it and holds nobody up."""
    response = web.StreamResponse(
        status=answer.status, headers={**_HEADERS, "Content-Type": answer.media_type, **answer.headers}
    )
    response.headers["Server"] = SERVER
    response.content_length = answer.length
    async with aclosing(answer.pieces) as pieces:
        await response.prepare(request)
        if request.method == "HEAD":
            return response
        try:
            async for piece in pieces:
                async with asyncio.timeout(answer.patience_s):
                    await response.write(piece)
            await response.write_eof()
        except (TimeoutError, ConnectionError, RoutingEngineError):
            _end(request)  # half of it is out: an end that looks like one would make it whole
        except BaseException:
            _end(request)
            raise
    return response


def _end(request: web.BaseRequest) -> None:
    if request.transport is not None:
        request.transport.abort()
