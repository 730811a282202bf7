"""The page as people outside reach it: through nginx, in a frame of a CRM, with a log-in at a provider."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import pytest
import pytest_asyncio

from rig.conf import PATIENCE_S
from tests.web.test_oidc import real_provider

from .chromium import Watched, chromium
from .doors import EDGE_KEY, engine_of_anna, free_port, nginx_before, page_around
from .office import PASSWORD
from .screen import log_in

if TYPE_CHECKING:
    from playwright.async_api import Browser

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def trusting() -> AsyncIterator[Browser]:
    async with chromium("--ignore-certificate-errors") as running:
        yield running


@asynccontextmanager
async def watched(browser: Browser, address: str) -> AsyncIterator[Watched]:
    context = await browser.new_context(locale="en-GB", ignore_https_errors=True)
    found = await Watched.of(await context.new_page())
    await found.page.goto(address)
    try:
        yield found
    finally:
        await context.close()


# nginx, as the how-to has it


async def test_behind_nginx_people_log_in_and_calls_come_at_once(trusting: Browser, tmp_path: Path) -> None:
    port = free_port()
    address = f"https://127.0.0.1:{port}"
    async with (
        engine_of_anna(f"pages: {{address: '{address}'}}\n") as engine,
        nginx_before(engine, tmp_path, port),
        watched(trusting, address) as anna,
    ):
        await log_in(anna.page, "anna", PASSWORD)
        await anna.page.get_by_role("tablist").wait_for()
        # Over TLS in the engine's eyes, though it speaks none itself: the cookie is one of this host alone.
        (cookie,) = [one for one in await anna.page.context.cookies() if one["name"] == "__Host-routing_engine"]
        assert (cookie["secure"], cookie["sameSite"]) == (True, "Strict")
        # A stream that were kept back would never tell its first event: the answer does not end.
        first = await anna.page.evaluate(
            "async () => { const answer = await fetch('/v1/stream');"
            " const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader(); let text = '';"
            " while (!text.includes('event: snapshot')) text += (await reader.read()).value; return text }"
        )
        assert '"calls"' in first
        assert anna.faults == []


async def test_behind_nginx_an_edge_gets_its_websocket(tmp_path: Path) -> None:
    port = free_port()
    async with engine_of_anna("") as engine, nginx_before(engine, tmp_path, port) as address:
        headers = {"Authorization": f"Bearer {EDGE_KEY}"}
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.ws_connect(f"{address}/v1/edges", ssl=False) as line,
        ):
            # That is no hello of an edge: the hub says so, over the line that nginx has let through.
            await line.send_str("{}")
            async with asyncio.timeout(PATIENCE_S):
                assert (await line.receive()).type is aiohttp.WSMsgType.CLOSE


async def test_behind_nginx_another_site_still_cannot_ride_on_a_session(trusting: Browser, tmp_path: Path) -> None:
    port = free_port()
    address = f"https://127.0.0.1:{port}"
    async with engine_of_anna("") as engine, nginx_before(engine, tmp_path, port), watched(trusting, address) as anna:
        await log_in(anna.page, "anna", PASSWORD)
        await anna.page.get_by_role("tablist").wait_for()
        headers = {"X-Routing-Engine": "1", "Origin": "https://evil.example.com"}
        answer = await anna.page.request.delete(f"{address}/v1/session", headers=headers)
        assert answer.status == 403


# A frame of a CRM, over TLS


async def test_a_site_that_is_named_shows_the_page_in_a_frame_where_one_logs_in(
    trusting: Browser, tmp_path: Path
) -> None:
    port, around = free_port(), free_port()
    (tmp_path / "crm").mkdir()
    async with (
        engine_of_anna(f"pages: {{frames: ['https://localhost:{around}']}}\n") as engine,
        nginx_before(engine, tmp_path, port) as address,
        page_around(address, tmp_path / "crm", around) as crm,
        watched(trusting, crm) as anna,
    ):
        inside = anna.page.frame_locator("iframe")
        await inside.locator("[name=username]").fill("anna")
        await inside.locator("[name=password]").fill(PASSWORD)
        await inside.locator("form button").click()
        await inside.get_by_role("tablist").wait_for()
        # The session is there after a reload, too: the cookie is one that frames are sent.
        await anna.page.reload()
        await inside.get_by_role("tablist").wait_for()
        (cookie,) = [one for one in await anna.page.context.cookies() if one["name"] == "__Host-routing_engine"]
        assert cookie["sameSite"] == "None"
        # A page inside another one takes no focus, and Chromium says so.
        assert [one for one in anna.faults if "autofocusing" not in one] == []


async def test_a_site_that_is_not_named_gets_no_frame(trusting: Browser, tmp_path: Path) -> None:
    port, around = free_port(), free_port()
    (tmp_path / "crm").mkdir()
    async with (
        engine_of_anna("pages: {frames: ['https://crm.example.com']}\n") as engine,
        nginx_before(engine, tmp_path, port) as address,
        page_around(address, tmp_path / "crm", around) as crm,
        watched(trusting, crm) as evil,
    ):
        async with asyncio.timeout(PATIENCE_S):
            while not any("frame-ancestors" in one for one in evil.faults):
                await evil.page.wait_for_timeout(50)
        assert await evil.page.frame_locator("iframe").locator("[name=username]").count() == 0


# A log-in at a provider


async def test_people_log_in_at_a_provider_and_strangers_are_told(trusting: Browser) -> None:
    async with real_provider() as issuer:
        keys = f"issuer: '{issuer}', client_id: engine, client_secret: {{file: keys/far}}, title: Ours"
        async with engine_of_anna(f"log_in: {{oidc: {{{keys}}}}}\n") as engine:
            address = f"http://{engine.http}"
            async with watched(trusting, address) as anna:
                await anna.page.get_by_role("link", name="Ours").click()
                await anna.page.get_by_placeholder("sub").fill("anna@example.com")
                await anna.page.get_by_role("button", name="Authorize").click()
                await anna.page.get_by_role("tablist").wait_for()
                assert anna.page.url == f"{address}/"
                await anna.page.get_by_role("button", name="Log out").click()
                await anna.page.get_by_role("link", name="Ours").wait_for()
                assert anna.faults == []
            async with watched(trusting, address) as mallory:
                await mallory.page.get_by_role("link", name="Ours").click()
                await mallory.page.get_by_placeholder("sub").fill("mallory@example.com")
                await mallory.page.get_by_role("button", name="Authorize").click()
                await mallory.page.get_by_text("Nobody here is known by that log-in.").wait_for()
            async with watched(trusting, address) as shy:
                await shy.page.get_by_role("link", name="Ours").click()
                await shy.page.get_by_role("button", name="Deny").click()
                await shy.page.get_by_text("That did not work.").wait_for()
