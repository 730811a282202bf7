"""The page on the real engine and a real Asterisk: nothing is made up but the CRM and the people."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from rig.sip import sound

from .chromium import Watched, chromium
from .office import PASSWORD, Office, give_password, office
from .screen import log_in

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

MARIA, OTTO = "+436641112223", "+436765556667"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def firm() -> AsyncIterator[Office]:
    async with office() as running:
        for name in running.people:
            await give_password(running.engine, name)
        yield running
        assert running.engine.complaints == []


@asynccontextmanager
async def page_of(browser: Browser, firm: Office, name: str, **options: Any) -> AsyncIterator[Page]:
    context = await browser.new_context(locale="en-GB", **options)
    watched = await Watched.of(await context.new_page())
    await watched.page.goto(firm.url)
    await log_in(watched.page, name, PASSWORD)
    await watched.page.get_by_role("tablist").wait_for()
    try:
        yield watched.page
        assert watched.faults == []
    finally:
        await context.close()


async def test_a_call_is_seen_with_its_record_taken_and_gone_for_the_other(browser: Browser, firm: Office) -> None:
    async with page_of(browser, firm, "anna") as anna, page_of(browser, firm, "berta") as berta:
        caller = await firm.call("known", MARIA)
        calls = await firm.rings()
        for page in (anna, berta):
            card = page.get_by_role("article", name="Maria Huber 2223")
            for text in ("Rings", MARIA, "Klagenfurt", "Why here"):
                await card.get_by_text(text).first.wait_for()
        next(call for call in calls if call.called == "1001").answer()
        await anna.get_by_role("article").get_by_text("Talking").wait_for()
        await berta.get_by_text("Maria Huber 2223: Answered by Anna").wait_for()
        assert await berta.get_by_role("article").count() == 0
        await anna.get_by_label("New note").fill("Wants an offer.")
        await anna.get_by_role("button", name="Add note").click()
        await anna.locator(".note").wait_for()
        await caller.hang_up()
        await anna.get_by_role("article").get_by_text("Ended").wait_for()


async def test_a_caller_whom_no_route_looked_up_is_found_while_it_rings(browser: Browser, firm: Office) -> None:
    async with page_of(browser, firm, "anna") as anna:
        caller = await firm.call("unknown", OTTO)
        await firm.rings()
        await anna.get_by_role("article", name="Maria Huber 6667").get_by_text("Klagenfurt").wait_for()
        await caller.hang_up()
        await anna.get_by_text("Maria Huber 6667: The caller hung up").wait_for()
        await anna.get_by_role("tab", name="Missed").click()
        await anna.get_by_role("tabpanel").get_by_text("Maria Huber 6667").wait_for()


async def test_a_wrong_password_lets_nobody_in(browser: Browser, firm: Office) -> None:
    watched = await Watched.of(await browser.new_page())
    await watched.page.goto(firm.url)
    await log_in(watched.page, "anna", "wrong")
    await watched.page.get_by_text("User or password is wrong.").wait_for()
    await watched.page.close()


async def test_a_click_lets_the_desk_phone_ring_and_a_second_cancels(browser: Browser, firm: Office) -> None:
    async with page_of(browser, firm, "berta") as berta:
        await berta.get_by_label("Number to call").fill("1001")
        await berta.get_by_role("button", name="Call", exact=True).click()
        ringing = await firm.desks.next_call()
        assert ringing.called == "1002"
        await berta.get_by_role("article").get_by_role("button", name="Cancel").click()
        await ringing.ended()


async def test_a_log_out_is_one_for_the_engine_too(browser: Browser, firm: Office) -> None:
    async with page_of(browser, firm, "berta") as berta:
        await berta.get_by_role("button", name="Log out").click()
        await berta.get_by_role("heading", name="Log in to take calls").wait_for()
        answer = await berta.request.get(f"{firm.url}/v1/me")
        assert answer.status == 401


async def test_the_telephone_in_the_page_rings_and_both_hear_each_other(firm: Office) -> None:
    async with (
        chromium("--ignore-certificate-errors") as browser,
        page_of(browser, firm, "anna", permissions=["microphone"]) as anna,
    ):
        await anna.get_by_role("link", name="Settings").click()
        setting = anna.locator(".setting", has_text="Telephone in this page")
        await setting.get_by_role("button", name="Switch on").click()
        await anna.get_by_text("Telephone in this page: Ready").wait_for()
        dialling = await firm.desks.dial(firm.asterisk.sip_address, "1001-web", caller="1002")
        await anna.get_by_role("region", name="Telephone in this page").get_by_role("button", name="Answer").click()
        await dialling.answered()
        await dialling.hears(sound(0.05))
        await anna.get_by_role("article").get_by_text("Talking").wait_for()
        await anna.get_by_role("button", name="Hang up").first.click()
        await dialling.ended()


async def test_a_click_is_answered_by_the_page_that_clicked(firm: Office) -> None:
    async with (
        chromium("--ignore-certificate-errors") as browser,
        page_of(browser, firm, "anna", permissions=["microphone"]) as anna,
    ):
        await anna.get_by_role("link", name="Settings").click()
        setting = anna.locator(".setting", has_text="Telephone in this page")
        await setting.get_by_role("button", name="Switch on").click()
        await anna.get_by_text("Telephone in this page: Ready").wait_for()
        await anna.get_by_label("Telephone", exact=True).select_option("main/1001-web")
        await anna.get_by_label("Number to call").fill("1002")
        await anna.get_by_role("button", name="Call", exact=True).click()
        called = await firm.desks.next_call()
        called.answer()
        await called.hears(sound(0.05))
        await anna.get_by_role("article").get_by_text("Talking").wait_for()
        await called.hang_up()
