"""The listener `metrics`: GET /metrics, /ready and /live over HTTP, on the loop that carries the calls.

One request a connection, a few connections at a time, each over after some seconds; no body is read, one scrape is made
at a time and gives way to the calls.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aiohttp import web

from routing_engine.connections import EVERYBODY, AccessList
from routing_engine.http_server import HttpLimits, HttpListener
from routing_engine.metrics.meter import Meter

#: A connection is over after so long, whatever the other side does or leaves undone.
LONGEST_S = 10.0
#: More than a few scrapers and health checks at a time are no scrapers.
MOST_CONNECTIONS = 32
_PATHS = "/metrics, /ready and /live are here\n"


class MetricsListener(HttpListener):
    """Answers scrapers and health checks.

    `not_ready` says why no call would be taken now, "" when it would; `remark` what is wrong although they are.
    """

    def __init__(
        self,
        meter: Meter,
        not_ready: Callable[[], str] = str,
        remark: Callable[[], str] = str,
        longest_s: float = LONGEST_S,
        most: int = MOST_CONNECTIONS,
        access: AccessList = EVERYBODY,
    ) -> None:
        super().__init__("metrics", self._found, HttpLimits(most, longest_s, longest_s), access)
        self._meter, self._not_ready, self._remark = meter, not_ready, remark
        self._one_at_a_time = asyncio.Lock()

    async def _found(self, request: web.BaseRequest) -> web.Response:
        if request.method not in ("GET", "HEAD"):
            return web.Response(status=405, text="GET and nothing else\n", headers={"Allow": "GET, HEAD"})
        if request.path == "/metrics":
            return await self._scraped(request.headers.get("Accept", ""))
        if request.path == "/ready":
            why = self._not_ready()
            ready = f"ready; {remark}" if (remark := self._remark()) else "ready"
            return web.Response(status=503 if why else 200, text=f"{why or ready}\n")
        if request.path == "/live":
            return web.Response(text="alive\n")
        return web.Response(status=404, text=_PATHS)

    async def _scraped(self, accept: str) -> web.Response:
        # A scrape costs the calls some time: many scrapers wait for one another instead.
        async with self._one_at_a_time:
            body, content_type = await self._meter.scrape(accept)
        return web.Response(body=body, headers={"Content-Type": content_type})
