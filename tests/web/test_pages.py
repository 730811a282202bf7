"""The page and its files, as the listener `http` serves them: to whoever asks, and kept as long as they may be."""

from __future__ import annotations

import re

import aiohttp
import pytest

from routing_engine.web.pages import STATIC, content_policy

from .served_pages import served

pytestmark = pytest.mark.io


async def test_a_page_may_be_framed_by_who_is_named_and_by_nobody_else() -> None:
    for frames, guard in (((), "frame-ancestors 'none'"), (("https://crm.test",), "frame-ancestors https://crm.test")):
        async with served(*frames) as url, aiohttp.ClientSession() as session, session.get(url) as answer:
            assert guard in answer.headers["Content-Security-Policy"]


async def test_files_are_kept_for_ever_and_the_page_is_asked_for_anew() -> None:
    async with served() as url, aiohttp.ClientSession() as session:
        async with session.get(url) as page:
            tag, text = page.headers["ETag"], await page.text()
        async with session.get(url, headers={"If-None-Match": tag}) as again:
            assert (again.status, page.headers["Cache-Control"]) == (304, "no-cache")
        script = re.findall(r'src="([^"]+)"', text)[0]
        async with session.get(url + script) as file:
            assert "immutable" in file.headers["Cache-Control"]
            assert file.headers["X-Content-Type-Options"] == "nosniff"


def test_a_page_may_connect_to_telephone_systems_that_are_named_and_to_nothing_else() -> None:
    policy = content_policy((), ("wss://pbx.test:8089/ws",))
    assert "connect-src 'self' wss://pbx.test:8089/ws;" in policy


@pytest.mark.parametrize("path", ["/", "/log-in", "/calls/0193", "/settings"])
async def test_every_address_of_the_page_gives_the_page(path: str) -> None:
    async with served() as url, aiohttp.ClientSession() as session, session.get(url + path) as answer:
        assert (answer.status, answer.content_type) == (200, "text/html")


@pytest.mark.parametrize("path", ["/v1/calls", "/static/none.js", "/static/../pages.py", "/static/%2e%2e/pages.py"])
async def test_nothing_else_is_served(path: str) -> None:
    async with served() as url, aiohttp.ClientSession() as session, session.get(url + path) as answer:
        assert answer.status == 401


def test_the_page_names_no_script_or_style_of_its_own_and_none_from_elsewhere() -> None:
    text = (STATIC / "index.html").read_text()
    assert not re.findall(r"<style|<script(?![^>]* src=)| on\w+=| style=|(?:src|href)=\"(?!/static/)", text)
