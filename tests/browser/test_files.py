"""The files of the pages, as the listener `http` serves them, and as a browser takes them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from routing_engine.http_server import HttpLimits, HttpListener
from tests.web.served_pages import served

from .chromium import Watched
from .standin import PASSWORD, found, stand_in

if TYPE_CHECKING:
    from playwright.async_api import Browser

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


@asynccontextmanager
async def another_site(framed: list[str]) -> AsyncIterator[str]:
    """Run a site of somebody else's, whose page shows ours in a frame."""

    async def answer(_: web.BaseRequest) -> web.StreamResponse:
        return web.Response(text=f'<iframe src="{framed[0]}" width=400 height=600></iframe>', content_type="text/html")

    listener = HttpListener("http", answer, HttpLimits(100, 30.0))
    await listener.listen("127.0.0.1", 0)
    try:
        yield f"http://{listener.addresses[0]}"
    finally:
        await listener.stop()


async def test_a_page_works_inside_the_frame_of_a_site_that_is_named(browser: Browser) -> None:
    framed = [""]
    async with another_site(framed) as site, stand_in(frames=[site]) as api:
        framed[0] = api.url
        page = await browser.new_page(locale="en-GB")
        await page.goto(site)
        frame = page.frame_locator("iframe")
        await frame.locator("[name=username]").fill("anna")
        await frame.locator("[name=password]").fill(PASSWORD)
        await frame.locator("form button").click()
        await frame.get_by_role("tablist").wait_for()
        api.ring("c1", "anna", contact=found())
        await frame.get_by_role("article", name="Maria Huber").wait_for()
        await page.close()


async def test_a_page_is_not_shown_inside_the_frame_of_anybody_else(browser: Browser) -> None:
    framed = [""]
    async with another_site(framed) as site, stand_in() as api:
        framed[0] = api.url
        page = await browser.new_page()
        refused = page.wait_for_event("console", lambda message: "frame-ancestors" in message.text)
        await asyncio.gather(refused, page.goto(site))
        assert await page.frame_locator("iframe").locator("[name=username]").count() == 0
        await page.close()


async def test_a_page_loads_without_breaking_its_policy(browser: Browser) -> None:
    async with served() as url:
        watched = await Watched.of(await browser.new_page())
        await watched.page.goto(url)
        await watched.page.get_by_role("heading", name="Log in").wait_for()
        assert watched.faults == []
        await watched.page.close()
