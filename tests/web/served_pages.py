"""The pages on a listener of their own, without the API behind them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from routing_engine.http_server import HttpLimits, HttpListener
from routing_engine.web.pages import Pages


@asynccontextmanager
async def served(*frames: str) -> AsyncIterator[str]:
    pages = Pages(frames)

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        return pages.answer(request) or web.json_response({"error": {"code": "no_key"}}, status=401)

    listener = HttpListener("http", answer, HttpLimits(100, 30.0, kept=True))
    await listener.listen("127.0.0.1", 0)
    try:
        yield f"http://{listener.addresses[0]}"
    finally:
        await listener.stop()
