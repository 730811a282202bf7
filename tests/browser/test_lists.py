"""Calls of before, calling back, dialling, and what is written to a call."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from .screen import screen
from .standin import found

if TYPE_CHECKING:
    from playwright.async_api import Browser

    from .screen import Screen

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

DAY_S = 86_400


async def missed(anna: Screen, call_id: str = "m1", ago_s: float = 600, **more: str) -> None:
    anna.api.ring(call_id, "anna", **{"from_": "+4315550100", **more})
    anna.api.end(call_id, ago_s)
    await anna.page.get_by_role("tab", name="Missed 1").click()


async def test_a_call_back_dials_and_clears_the_missed_call(browser: Browser) -> None:
    async with screen(browser) as anna:
        await missed(anna)
        await anna.button("Call +4315550100")
        await anna.shows("Nobody waits for a call back")
        assert anna.api.asks("POST", "/v1/calls") == [{"user": "anna", "to": "+4315550100", "phone": "main/201"}]
        assert anna.api.asks("PATCH", "/m1") == [{"tags": {"add": ["called back"]}}]


async def test_a_missed_call_is_cleared_by_hand_too(browser: Browser) -> None:
    async with screen(browser) as anna:
        await missed(anna)
        await anna.button("Done: +4315550100 needs no call back")
        await anna.shows("Nobody waits for a call back")


async def test_who_was_spoken_to_since_waits_for_no_call_back(browser: Browser) -> None:
    async with screen(browser) as anna:
        await missed(anna)
        anna.api.ring("c2", "anna", from_="+4315550100")
        anna.api.answer("c2", "anna")
        anna.api.end("c2")
        await anna.shows("Nobody waits for a call back")


async def test_missed_calls_of_a_long_weekend_are_there(browser: Browser) -> None:
    async with screen(browser) as anna:
        await missed(anna, ago_s=4 * DAY_S)
        await anna.page.reload()
        await anna.page.get_by_role("tab", name="Missed 1").wait_for()


async def test_a_call_that_a_colleague_took_is_missed_by_nobody(browser: Browser) -> None:
    async with screen(browser) as anna:
        anna.api.ring("c1", "anna", "berta", contact=found())
        anna.api.answer("c1", "berta")
        anna.api.end("c1")
        await anna.page.get_by_role("tabpanel").get_by_text("Maria Huber").wait_for()
        await anna.page.get_by_role("tab", name="Missed").click()
        await anna.shows("Nobody waits for a call back")


async def test_a_colleague_whom_one_called_in_vain_waits_for_no_call_back(browser: Browser) -> None:
    async with screen(browser) as anna:
        call = anna.api.ring("own", "anna", "berta", from_="201", to="202")
        anna.api.change(replace(call, direction="internal"))
        anna.api.end("own")
        await anna.page.get_by_role("tabpanel").get_by_text("no answer").wait_for()
        assert await anna.page.get_by_role("tab", name="Missed", exact=True).count() == 1


async def test_more_calls_come_page_by_page(browser: Browser) -> None:
    async with screen(browser) as anna:
        for at in range(60):
            anna.api.ring(f"c{at}", "anna", from_=f"+43155501{at:02}")
            anna.api.end(f"c{at}", ago_s=60 * at)
        await anna.page.reload()
        await anna.button("Show more")
        await anna.shows("+4315550159")


async def test_a_search_by_number_asks_the_engine_and_one_by_words_looks_into_notes(browser: Browser) -> None:
    async with screen(browser) as anna:
        for at, number in enumerate(("+4315550100", "+4315550199")):
            anna.api.ring(f"c{at}", "anna", from_=number)
            anna.api.end(f"c{at}", ago_s=600)
        anna.api.change(replace(anna.api.calls["c1"], disposition="Pallets ordered"))
        await anna.page.get_by_role("tab", name="Search").click()
        panel = anna.page.get_by_role("tabpanel")
        for words, wanted in (("555 0100", "+4315550100"), ("pallets", "+4315550199")):
            await anna.page.get_by_label("Number, name or note").fill(words)
            await anna.button("Search", panel)
            await panel.get_by_role("listitem").filter(has_text=wanted).wait_for()
            assert await panel.get_by_role("listitem").count() == 1


async def test_the_dial_box_calls_what_stands_in_it_from_the_telephone_that_is_chosen(browser: Browser) -> None:
    async with screen(browser) as anna:
        anna.api.phones["anna"] = ["main/201", "main/201-web"]
        await anna.page.reload()
        await anna.page.get_by_label("Telephone").select_option("main/201-web")
        await anna.page.get_by_label("Number to call").fill("+43 (0)1 555-0100")
        await anna.page.get_by_label("Number to call").press("Enter")
        await anna.card("+4315550100").get_by_text("Dialling").wait_for()
        assert anna.api.asks("POST", "/v1/calls") == [{"user": "anna", "to": "+4315550100", "phone": "main/201-web"}]


async def test_a_number_that_failed_is_not_dialled_with_the_next(browser: Browser) -> None:
    async with screen(browser) as anna:
        anna.api.refuses["POST /v1/calls"] = (409, "pbx_down")
        await anna.page.get_by_label("Number to call").fill("+4315550100")
        await anna.button("Call")
        await anna.shows("The telephone system does not answer.")
        anna.api.refuses.clear()
        await anna.page.get_by_label("Number to call").fill("+4315550199")
        await anna.button("Call")
        await anna.card("+4315550199").wait_for()
        clicks = [headers["Idempotency-Key"] for method, path, _, headers in anna.api.asked if path == "/v1/calls"]
        assert len(set(clicks)) == 2


async def test_a_telephone_link_fills_the_box_and_dials_nothing(browser: Browser) -> None:
    async with screen(browser) as anna:
        await anna.page.goto(f"{anna.api.url}/?dial=tel:%2B43-1-5550100;ext=5")
        await anna.page.locator("#number:focus").wait_for()
        assert await anna.page.get_by_label("Number to call").input_value() == "+4315550100"
        assert anna.api.asks("POST", "/v1/calls") == []


async def test_a_call_is_transferred_held_and_ended_from_its_card(browser: Browser) -> None:
    async with screen(browser) as anna:
        anna.api.ring("c1", "anna", contact=found())
        anna.api.answer("c1", "anna")
        await anna.button("Hold")
        await anna.until(lambda: anna.api.asks("POST", "/hold") == [{}])
        await anna.button("Transfer")
        await anna.page.get_by_label("Transfer to").fill("202")
        await anna.button("Transfer now")
        await anna.until(lambda: anna.api.asks("POST", "/transfer") == [{"to": "202", "how": "blind"}])
        await anna.button("Hang up")
        await anna.until(lambda: anna.api.asks("POST", "/hangup") == [{}])


async def test_notes_tags_result_and_mood_are_written_and_seen_in_every_tab(browser: Browser) -> None:
    async with screen(browser) as anna:
        second = await anna.another_tab()
        anna.api.ring("c1", "anna", contact=found())
        anna.api.answer("c1", "anna")
        await anna.page.get_by_label("New note").fill("Wants an offer.\nUntil Friday.")
        await anna.button("Add note")
        await anna.page.get_by_label("New tag").fill("offer")
        await anna.page.get_by_label("New tag").press("Enter")
        await anna.page.get_by_label("Result").fill("Offer wanted")
        await anna.page.get_by_label("Result").press("Enter")
        await anna.page.get_by_text("good", exact=True).click()
        card = second.card("Maria Huber")
        await card.get_by_text("Wants an offer.").wait_for()
        await card.get_by_role("button", name="Remove tag offer").wait_for()
        await card.get_by_role("radio", name="good", checked=True).wait_for()
        await second.until(lambda: anna.api.calls["c1"].disposition == "Offer wanted")


async def test_a_note_that_could_not_be_saved_stays_in_the_box(browser: Browser) -> None:
    async with screen(browser) as anna:
        anna.api.refuses["PATCH /v1/calls/c1"] = (503, "database_down")
        anna.api.ring("c1", "anna", contact=found())
        anna.api.answer("c1", "anna")
        await anna.page.get_by_label("New note").fill("Wants an offer.")
        await anna.button("Add note")
        await anna.page.get_by_role("alert").wait_for()
        assert await anna.page.get_by_label("New note").input_value() == "Wants an offer."


async def test_the_address_of_a_call_shows_it(browser: Browser) -> None:
    async with screen(browser) as anna:
        anna.api.ring("c1", "anna", contact=found())
        anna.api.end("c1", ago_s=3 * DAY_S)
        await anna.page.goto(f"{anna.api.url}/calls/c1")
        await anna.card("Maria Huber").get_by_text("missed").wait_for()
