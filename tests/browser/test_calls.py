"""What a person sees of calls: always what is so now, whatever was missed, came late, or came twice."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from routing_engine.calls.call import CallTransfer, Leg

from .screen import logged_in, screen
from .standin import found

if TYPE_CHECKING:
    from playwright.async_api import Browser

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


async def test_who_is_calling_stands_there_while_it_rings(browser: Browser) -> None:
    async with screen(browser) as anna:
        anna.api.sentence = "The record's level is Gold."
        anna.api.ring("c1", "anna", contact=found(), queue="gold")
        card = anna.card("Maria Huber")
        for text in ("Rings", "+436641112223", "queue gold", "Huber & Söhne GmbH", "The record's level is Gold."):
            await card.get_by_text(text).wait_for()
        assert anna.watched.faults == []


async def test_a_call_that_somebody_else_takes_disappears_and_is_said(browser: Browser) -> None:
    async with screen(browser) as anna:
        anna.api.ring("c1", "anna", "berta", contact=found())
        await anna.card("Maria Huber").wait_for()
        anna.api.answer("c1", "berta")
        await anna.gone("Maria Huber")
        await anna.shows("Maria Huber: Answered by Berta Lang")


async def test_a_caller_who_gives_up_is_a_missed_call_at_once(browser: Browser) -> None:
    async with screen(browser) as anna:
        anna.api.ring("c1", "anna", contact=found())
        await anna.card("Maria Huber").wait_for()
        anna.api.end("c1")
        await anna.gone("Maria Huber")
        await anna.shows("Maria Huber: The caller hung up")
        await anna.page.get_by_role("tab", name="Missed 1").wait_for()


async def test_a_call_that_is_passed_on_leaves_and_reaches_the_other_with_the_callers_name(browser: Browser) -> None:
    async with screen(browser) as anna, logged_in(browser, anna.api, "berta") as berta:
        anna.api.ring("c1", "anna", contact=found())
        call = anna.api.answer("c1", "anna")
        await anna.card("Maria Huber").get_by_text("Talking").wait_for()
        gone = replace(call.legs[0], left_at=call.started_at + 9, result="transferred")
        rings = Leg("main/202", "berta", ringing_at=call.started_at + 9)
        passed = CallTransfer(call.started_at + 9, "main/201", "berta", "blind")
        anna.api.change(replace(call, state="ringing", legs=(gone, rings), transfers=(passed,)), "call.transferred")
        await anna.card("Maria Huber").get_by_text("Passed on to Berta Lang").wait_for()
        await berta.card("Maria Huber").get_by_text("Rings").wait_for()


async def test_a_reload_shows_what_is_so_then(browser: Browser) -> None:
    async with screen(browser) as anna:
        anna.api.ring("c1", "anna", contact=found())
        anna.api.ring("c2", "anna", "berta", from_="+4315550100")
        await anna.card("+4315550100").wait_for()
        anna.api.answer("c2", "berta")
        await anna.page.reload()
        await anna.card("Maria Huber").wait_for()
        assert await anna.page.get_by_role("article").count() == 1


async def test_all_tabs_of_a_browser_share_one_stream(browser: Browser) -> None:
    async with screen(browser) as anna:
        second = await anna.another_tab()
        third = await anna.another_tab()
        anna.api.ring("c1", "anna", contact=found())
        for tab in (anna, second, third):
            await tab.card("Maria Huber").wait_for()
        assert len(anna.api.streams) == 1


async def test_a_tab_that_was_frozen_shows_what_is_so_when_it_wakes(browser: Browser) -> None:
    async with screen(browser) as anna:
        anna.api.ring("c1", "anna", "berta", contact=found())
        await anna.card("Maria Huber").wait_for()
        devtools = await anna.page.context.new_cdp_session(anna.page)
        await devtools.send("Page.setWebLifecycleState", {"state": "frozen"})
        anna.api.answer("c1", "berta")
        await devtools.send("Page.setWebLifecycleState", {"state": "active"})
        await anna.gone("Maria Huber")


async def test_what_comes_late_or_twice_changes_nothing(browser: Browser) -> None:
    async with screen(browser) as anna:
        ringing = anna.api.ring("c1", "anna", contact=found())
        await anna.card("Maria Huber").wait_for()
        ended = anna.api.end("c1")
        anna.api.tell(ringing)
        anna.api.tell(ended)
        anna.api.ring("c2", "anna", from_="+4315550100")
        await anna.card("+4315550100").wait_for()
        assert await anna.card("Maria Huber").count() == 0


async def test_what_happened_while_the_line_was_cut_is_there_when_it_is_back(browser: Browser) -> None:
    async with screen(browser) as anna:
        anna.api.ring("c1", "anna", "berta", contact=found())
        await anna.card("Maria Huber").wait_for()
        anna.api.cut()
        await anna.until(lambda: not anna.api.streams)
        anna.api.answer("c1", "berta")
        anna.api.ring("c2", "anna", from_="+4315550100")
        await anna.card("+4315550100").wait_for()
        await anna.gone("Maria Huber")


async def test_several_calls_stand_below_one_another_what_rings_first(browser: Browser) -> None:
    async with screen(browser) as anna:
        anna.api.ring("c1", "anna", contact=found())
        anna.api.answer("c1", "anna")
        anna.api.ring("c2", "anna", from_="+4315550100")
        await anna.card("+4315550100").wait_for()
        await anna.card("Maria Huber").wait_for()
        cards = anna.page.get_by_role("article")
        assert [await cards.nth(at).get_attribute("aria-label") for at in (0, 1)] == [
            "Call with +4315550100",
            "Call with Maria Huber",
        ]


async def test_a_call_that_is_over_stays_until_it_is_closed_and_then_stays_away(browser: Browser) -> None:
    async with screen(browser) as anna:
        anna.api.ring("c1", "anna", contact=found())
        anna.api.answer("c1", "anna")
        await anna.card("Maria Huber").get_by_text("Talking").wait_for()
        anna.api.end("c1")
        await anna.card("Maria Huber").get_by_text("Ended").wait_for()
        await anna.button("Close")
        await anna.rests()
        await anna.page.reload()
        await anna.rests()


async def test_a_call_that_became_a_part_of_another_is_gone(browser: Browser) -> None:
    async with screen(browser) as anna:
        call = anna.api.ring("c1", "anna", contact=found())
        await anna.card("Maria Huber").wait_for()
        anna.api.change(replace(call, state="ended", merged_into="c0"))
        await anna.gone("Maria Huber")


async def test_who_does_not_ring_sees_nothing_of_it(browser: Browser) -> None:
    async with screen(browser, "carl") as carl, logged_in(browser, carl.api, "anna") as anna:
        carl.api.ring("c1", "anna", contact=found())
        await anna.card("Maria Huber").wait_for()
        assert await carl.page.get_by_role("article").count() == 0


async def test_a_log_out_ends_the_stream_and_shows_nothing_more(browser: Browser) -> None:
    async with screen(browser) as anna:
        second = await anna.another_tab()
        anna.api.ring("c1", "anna", contact=found())
        await second.card("Maria Huber").wait_for()
        await anna.button("Log out")
        for tab in (anna, second):
            await tab.page.get_by_role("heading", name="Log in to take calls").wait_for()
        await anna.until(lambda: not anna.api.streams)
