"""The files of the pages, as the listener `http` serves them, and as a browser takes them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from routing_engine.http_server import HttpLimits, HttpListener
from routing_engine.web.pages import Pages

from .chromium import Watched

if TYPE_CHECKING:
    from playwright.async_api import Browser

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


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


async def test_a_page_loads_without_breaking_its_policy(browser: Browser) -> None:
    async with served() as url:
        watched = await Watched.of(await browser.new_page())
        await watched.page.goto(url)
        await watched.page.get_by_role("heading", name="Log in").wait_for()
        assert watched.faults == []
        await watched.page.close()
