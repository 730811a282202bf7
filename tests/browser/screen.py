"""A page of somebody who is logged in, as a test looks at it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from .chromium import Watched
from .standin import PASSWORD, StandIn, stand_in

if TYPE_CHECKING:  # `make test` collects these tests, and has no playwright
    from playwright.async_api import Browser, BrowserContext, Locator, Page


class Screen:
    """One tab. What went wrong in it is in `watched.faults`."""

    def __init__(self, watched: Watched, api: StandIn) -> None:
        self.watched, self.page, self.api = watched, watched.page, api

    def card(self, name: str) -> Locator:
        """Return the card of a call, by the other party's name or number."""
        return self.page.get_by_role("article", name=name)

    async def shows(self, text: str) -> None:
        """Wait until a text is seen somewhere."""
        await self.page.get_by_text(text).first.wait_for()

    async def rests(self) -> None:
        """Wait until there is no call."""
        await self.page.get_by_text("No call now").wait_for()

    async def gone(self, name: str) -> None:
        """Wait until the card of a call is gone."""
        await self.card(name).wait_for(state="detached")

    async def button(self, name: str, within: Locator | None = None) -> None:
        """Click on a button."""
        await (within or self.page).get_by_role("button", name=name, exact=True).click()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something has reached the stand-in."""
        for _ in range(600):
            if holds():
                return
            await self.page.wait_for_timeout(50)
        raise AssertionError("it never came")

    async def another_tab(self) -> Screen:
        """Open one more tab of the same browser."""
        return await _opened(self.page.context, self.api)


@asynccontextmanager
async def screen(browser: Browser, user: str = "anna", **options: Any) -> AsyncIterator[Screen]:
    """Open the page of a person, on a stand-in of its own."""
    async with stand_in() as api:
        api.roles.update(options.pop("roles", {}))
        async with logged_in(browser, api, user, **options) as shown:
            yield shown


@asynccontextmanager
async def logged_in(browser: Browser, api: StandIn, user: str, **options: Any) -> AsyncIterator[Screen]:
    """Open the page of a person, in a browser of their own."""
    shown = await opened_for(browser, api, user, **options)
    try:
        yield shown
    finally:
        await shown.page.context.close()


async def opened_for(browser: Browser, api: StandIn, user: str, **options: Any) -> Screen:
    """Return the page of a person, in a browser of their own, which nobody closes."""
    context = await browser.new_context(**{"locale": "en-GB", "timezone_id": "Europe/Vienna", **options})
    shown = await _opened(context, api)
    await log_in(shown.page, user)
    return shown


async def _opened(context: BrowserContext, api: StandIn) -> Screen:
    watched = await Watched.of(await context.new_page())
    await watched.page.goto(api.url)
    return Screen(watched, api)


async def log_in(page: Page, user: str, password: str = PASSWORD) -> None:
    """Log in, whatever the language."""
    await page.locator("[name=username]").fill(user)
    await page.locator("[name=password]").fill(password)
    await page.locator("form button").click()
    if password == PASSWORD:
        await page.get_by_role("tablist").wait_for()
