"""The pictures of the how-to, made from the page itself: `python -m tests.browser.pictures`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from routing_engine.calls.call import CallContact, Candidate, Note

from .chromium import TOP, chromium
from .screen import Screen, logged_in
from .standin import found, record, stand_in

if TYPE_CHECKING:
    from playwright.async_api import Browser

FOLDER = TOP / "docs/pictures"
HOUR_S = 3600
WIDE, NARROW = {"width": 1000, "height": 620}, {"width": 380, "height": 620}


async def ringing(anna: Screen) -> None:
    """Somebody who is known calls."""
    anna.api.ring("c1", "anna", "berta", contact=found(), queue="gold")
    await anna.card("Maria Huber").get_by_text("Gold", exact=True).wait_for()


async def talking(anna: Screen) -> None:
    """Anna talks, and writes down what for."""
    await ringing(anna)
    anna.api.answer("c1", "anna")
    note = Note(time.time(), "anna", "Wants an offer for twelve pallets until Friday.")
    anna.api.change(replace(anna.api.calls["c1"], tags=("offer",), sentiment="positive", notes=(note,)))
    await anna.card("Maria Huber").get_by_text("twelve pallets").wait_for()
    await anna.page.locator(".written").scroll_into_view_if_needed()
    await anna.page.evaluate("document.querySelector('.written').scrollIntoView({block: 'center'})")


async def several(anna: Screen) -> None:
    """Several records have the number."""
    both = (Candidate("crm", "contact", "8", "Josef Steiner"), Candidate("crm", "contact", "9", "Ilse Steiner"))
    anna.api.records |= {one.id: record(one) for one in both}
    anna.api.ring("c1", "anna", contact=CallContact("ambiguous", candidates=both), from_="+4346355500")
    await anna.page.get_by_role("button", name="Ilse Steiner").wait_for()


async def missed(anna: Screen) -> None:
    """Who waits for a call back."""
    await anna.page.get_by_role("tab", name="Missed").click()


PICTURES: Mapping[str, tuple[Callable[[Screen], Awaitable[None]], Mapping[str, int], str]] = {
    "call-rings": (ringing, WIDE, "light"),
    "call-notes": (talking, WIDE, "light"),
    "call-several": (several, NARROW, "light"),
    "calls-missed": (missed, NARROW, "light"),
}


async def take(browser: Browser, name: str, folder: Path) -> Path:
    """Take one picture into a folder; return its file."""
    scene, size, colours = PICTURES[name]
    async with stand_in() as api:
        api.sentence = "Route office: the record's customer level is Gold, so the call went to the queue gold."
        for at, number in enumerate(("+436641112223", "+4315550177", "+4346355500", "+4972123456")):
            api.ring(f"old{at}", "anna", from_=number, contact=found() if at == 0 else None)
            if at % 2 == 0:
                api.answer(f"old{at}", "anna")
            api.end(f"old{at}", ago_s=(at + 1) * HOUR_S)
        async with logged_in(browser, api, "anna", viewport=size, color_scheme=colours) as anna:
            await anna.page.get_by_role("listitem").nth(3).wait_for()
            await scene(anna)
            await anna.page.screenshot(path=folder / f"{name}.png", animations="disabled")
    return folder / f"{name}.png"


async def main() -> None:
    """Take all of them."""
    FOLDER.mkdir(exist_ok=True)
    async with chromium() as browser:
        for name in PICTURES:
            print(await take(browser, name, FOLDER))


if __name__ == "__main__":
    asyncio.run(main())
