"""A page that comes, goes and comes again: whatever its worker does meanwhile, the calls of now are there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .screen import screen
from .standin import found

if TYPE_CHECKING:
    from playwright.async_api import Browser

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

#: A worker that takes every tab, and says nothing: as one that is just ending.
DUMB = """
window.RealWorker = window.SharedWorker;
window.SharedWorker = class { constructor() { this.port = new MessageChannel().port1; this.port.start(); } };
"""
#: The first worker of a tab is such a one; whoever asks anew gets a real one.
DUMB_AT_FIRST = (
    f"{DUMB} const Dumb = window.SharedWorker;"
    + """
window.SharedWorker = class {
  constructor(...all) { window.SharedWorker = RealWorker; return new Dumb(...all); }
};
"""
)


async def test_a_call_that_begins_in_the_moment_of_a_reload_is_shown(browser: Browser) -> None:
    async with screen(browser) as anna:
        for turn in range(12):
            number = f"+43155501{turn:02}"
            coming = anna.page.reload(wait_until="commit" if turn % 2 else "load")
            anna.api.ring(f"before{turn}", "anna", from_=f"{number}1")
            await coming
            anna.api.ring(f"after{turn}", "anna", from_=f"{number}2")
            for one in (f"{number}1", f"{number}2"):
                await anna.card(one).wait_for()
            anna.api.end(f"before{turn}")
            anna.api.end(f"after{turn}")


async def test_tabs_that_are_reloaded_side_by_side_all_show_the_call(browser: Browser) -> None:
    async with screen(browser) as anna:
        tabs = [anna, await anna.another_tab(), await anna.another_tab()]
        anna.api.ring("c1", "anna", contact=found())
        for turn in range(6):
            for tab in (*tabs[turn % 3 :], *tabs[: turn % 3]):
                await tab.page.reload(wait_until="commit")
            for tab in tabs:
                await tab.card("Maria Huber").wait_for()


async def test_a_worker_that_says_nothing_keeps_no_call_from_the_page(browser: Browser) -> None:
    async with screen(browser) as anna:
        await anna.page.add_init_script(DUMB)
        await anna.page.reload()
        anna.api.ring("c1", "anna", contact=found())
        await anna.card("Maria Huber").get_by_text("Rings").wait_for()
        anna.api.answer("c1", "anna")
        await anna.card("Maria Huber").get_by_text("Talking").wait_for()
        assert anna.watched.faults == []


async def test_a_tab_goes_back_to_the_stream_of_all_once_a_worker_answers(browser: Browser) -> None:
    async with screen(browser) as anna:
        await anna.page.add_init_script(DUMB_AT_FIRST)
        await anna.page.reload()
        anna.api.ring("c1", "anna", contact=found())
        await anna.card("Maria Huber").wait_for()
        await anna.until(lambda: anna.api.opened > 2 and len(anna.api.streams) == 1)
        anna.api.answer("c1", "anna")
        await anna.card("Maria Huber").get_by_text("Talking").wait_for()
