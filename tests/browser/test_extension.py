"""The browser extension in a real Chromium: numbers of a CRM's page dial, records open, and what a page must not do."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from routing_engine.calls.call import CallContact

from .chromium import FLAGS, PATIENCE_MS, TOP, executable
from .standin import COOKIE, StandIn, stand_in

if TYPE_CHECKING:
    from playwright.async_api import BrowserContext, Page

pytestmark = [pytest.mark.browser, pytest.mark.asyncio]

CRM = """<!doctype html><title>CRM</title>
<p id=one>Call +43 664 111-2223, or 0664 1112224; order 4711, 2026-11-30 12:00, v1.2.3.4, AT61 1904 3002 3457 3201</p>
<p id=two><a href="tel:+436641112225">Anna</a> <input value="+43 664 1112226"> <button>+43 664 1112227</button></p>
<p id=later></p>"""


@dataclass
class Crm:
    """A CRM's page with the extension beside it."""

    context: BrowserContext
    api: StandIn
    records: Records

    async def page(self) -> Page:
        page = await self.context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        await page.goto(self.records.url)
        await page.locator("#one a").first.wait_for()
        return page

    async def dialled(self, page: Page, what: str) -> str:
        """Click, and return the address of the page that opens."""
        async with self.context.expect_page() as opened:
            await page.locator(what).click()
        return (await opened.value).url

    async def save(self, records: str) -> str:
        """Write the settings as a person does; what the page says then."""
        worker = self.context.service_workers[0] if self.context.service_workers else None
        worker = worker or await self.context.wait_for_event("serviceworker")
        page = await self.context.new_page()
        await page.goto(worker.url.replace("background.js", "options.html"))
        await page.locator("#engine").fill(self.api.url)
        await page.locator("#sites").fill("http://localhost/deals/\n")
        await page.locator("#records").select_option(records)
        await page.get_by_role("button", name="Save").click()
        said = page.locator("#said")
        await said.filter(has_text=".").wait_for()
        return await said.inner_text()


@dataclass
class Records:
    """The pages of a CRM, and which of them were opened."""

    url: str = ""
    opened: list[str] = field(default_factory=list)
    told: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, request: web.BaseRequest) -> web.Response:
        if request.path.startswith("/contact/"):
            self.opened.append(request.path)
            self.told.set()
        return web.Response(text=CRM, content_type="text/html")

    async def until(self, path: str) -> list[str]:
        """Wait until a record was opened; return all that were."""
        while path not in self.opened:
            self.told.clear()
            await self.told.wait()
        return self.opened


@asynccontextmanager
async def crm_site() -> AsyncIterator[Records]:
    records = Records()
    runner = web.ServerRunner(web.Server(records.answer), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    records.url = f"http://localhost:{runner.addresses[0][1]}"
    yield records
    await runner.cleanup()


def allowed(folder: Path) -> Path:
    """Copy the extension, with the sites allowed that a person allows in a dialog: no test can press that."""
    copied = folder / "extension"
    shutil.copytree(TOP / "extension", copied)
    manifest = copied / "manifest.json"
    told = json.loads(manifest.read_text())
    told["host_permissions"] = told.pop("optional_host_permissions")
    manifest.write_text(json.dumps(told))
    return copied


@pytest.fixture
async def crm(tmp_path: Path) -> AsyncIterator[Crm]:
    from playwright.async_api import async_playwright

    extension = allowed(tmp_path)
    flags = (f"--load-extension={extension}", f"--disable-extensions-except={extension}", "--headless=new")
    async with async_playwright() as playwright, stand_in() as api, crm_site() as records:
        context = await playwright.chromium.launch_persistent_context(
            tmp_path / "profile",
            executable_path=executable(),
            headless=False,
            ignore_default_args=["--disable-extensions"],
            args=[*FLAGS, *flags],
        )
        found = Crm(context, api, records)
        assert "Saved" in await found.save("ringing")
        yield found
        await context.close()


async def test_numbers_become_links_and_nothing_else_does(crm: Crm) -> None:
    page = await crm.page()
    told = "all => all.map(one => [one.textContent, one.getAttribute('href')])"
    links = await page.locator("#one a").evaluate_all(told)
    assert links == [["+43 664 111-2223", "tel:+436641112223"], ["0664 1112224", "tel:06641112224"]]
    assert await page.locator("#two a").count() == 1
    assert await page.locator("button a").count() == 0


async def test_a_click_opens_the_page_of_calls_with_the_number(crm: Crm) -> None:
    page = await crm.page()
    assert await crm.dialled(page, "#one a >> nth=0") == f"{crm.api.url}/?dial=%2B436641112223"


async def test_a_link_of_the_crm_itself_dials_too(crm: Crm) -> None:
    page = await crm.page()
    assert await crm.dialled(page, "#two a") == f"{crm.api.url}/?dial=%2B436641112225"


async def test_what_the_page_writes_later_becomes_a_link_too(crm: Crm) -> None:
    page = await crm.page()
    await page.evaluate("document.getElementById('later').innerHTML = '<b>+43 1 5120001</b>'")
    await page.locator("#later a").wait_for()
    assert await page.locator("#later a").get_attribute("href") == "tel:+4315120001"


async def test_a_page_cannot_dial_by_itself(crm: Crm) -> None:
    page = await crm.page()
    await page.evaluate("document.querySelector('#one a').addEventListener('click', e => e.preventDefault())")
    await page.evaluate("document.querySelector('#one a').click()")
    before = len(crm.context.pages)
    # Behind it, in the same order, a click of a person.
    await crm.dialled(page, "#one a >> nth=1")
    assert len(crm.context.pages) == before + 1


async def test_the_callers_record_opens_once_when_it_rings_and_only_a_page(crm: Crm) -> None:
    await crm.context.add_cookies([{"name": COOKIE, "value": "anna", "url": crm.api.url}])
    page = await crm.context.new_page()
    async with page.expect_request("**/v1/stream"):
        await page.goto(crm.api.url)
    while len(crm.api.streams) < 2:  # that of the page, and that of the extension
        await page.evaluate("new Promise(done => requestAnimationFrame(done))")
    ring, at = crm.api.ring, crm.records.url
    crm.api.tell(ring("c1", "anna", contact=contact(f"{at}/contact/7")))
    ring("c2", "berta", contact=contact(f"{at}/contact/9"))  # of somebody else
    ring("c3", "anna", contact=contact(f"javascript:open('{at}/contact/666')"))
    ring("c4", "anna", contact=contact(f"{at}/contact/8"))  # told behind the others
    assert await crm.records.until("/contact/8") == ["/contact/7", "/contact/8"]


def contact(url: str) -> CallContact:
    return CallContact("found", "crm", "contact", "7", "Anna", url)
