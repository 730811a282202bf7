"""The page for everybody: by keyboard, for screen readers, by day and by night, small, in English and German."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from routing_engine.calls.call import CallContact, Candidate

from .chromium import Watched
from .screen import Screen, log_in, screen
from .standin import found, record, stand_in

if TYPE_CHECKING:
    from playwright.async_api import Browser

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

WAYS: list[dict[str, Any]] = [
    {"color_scheme": "light"},
    {"color_scheme": "dark"},
    {"color_scheme": "light", "viewport": {"width": 360, "height": 640}},
]


async def full(anna: Screen) -> None:
    """Show all that there is to show."""
    both = (Candidate("crm", "contact", "8", "Josef Steiner"), Candidate("crm", "contact", "9", "Ilse Steiner"))
    anna.api.records |= {one.id: record(one) for one in both}
    anna.api.others = [record(Candidate("erp", "customer", "K1", "Huber GmbH"))]
    anna.api.accounts = [
        {"integration": "crm", "title": "CRM", "account": {"state": "connected", "expires_at": "2026-12-24T00:00:00Z"}},
        {"integration": "erp", "title": "ERP", "account": None},
    ]
    anna.api.ring("m1", "anna", from_="+4315550177")
    anna.api.end("m1", ago_s=600)
    anna.api.ring("c1", "anna", contact=found(), tags=("vip",))
    anna.api.answer("c1", "anna")
    anna.api.ring("c2", "anna", contact=CallContact("ambiguous", candidates=both), from_="+4315550100")
    await anna.page.get_by_role("article").nth(1).wait_for()
    await anna.page.get_by_role("button", name="Ilse Steiner").wait_for()


@pytest.mark.parametrize("way", WAYS, ids=["light", "dark", "small"])
async def test_axe_finds_nothing(browser: Browser, way: dict[str, Any]) -> None:
    async with screen(browser, **way) as anna:
        await full(anna)
        assert await anna.watched.axe() == []
        await anna.page.get_by_role("tab", name="Missed").click()
        await anna.page.get_by_role("link", name="Settings").click()
        await anna.shows("Your accounts")
        assert await anna.watched.axe() == []
        assert anna.watched.faults == []


async def test_axe_finds_nothing_at_the_log_in(browser: Browser) -> None:
    async with stand_in() as api:
        watched = await Watched.of(await browser.new_page())
        await watched.page.goto(api.url)
        await watched.page.get_by_role("heading").wait_for()
        assert await watched.axe() == []
        await watched.page.close()


async def test_a_log_in_at_a_provider_that_failed_is_said(browser: Browser) -> None:
    async with stand_in() as api:
        watched = await Watched.of(await browser.new_page())
        await watched.page.goto(f"{api.url}/log-in?error=oidc_failed")
        await watched.page.get_by_text("That did not work.").wait_for()
        await watched.page.close()


async def test_a_wrong_password_is_said_and_lets_nobody_in(browser: Browser) -> None:
    async with stand_in() as api:
        watched = await Watched.of(await browser.new_page())
        await watched.page.goto(api.url)
        await log_in(watched.page, "anna", "wrong")
        await watched.page.get_by_text("User or password is wrong.").wait_for()
        assert api.opened == 0
        await watched.page.close()


async def test_the_own_password_is_changed_in_the_settings(browser: Browser) -> None:
    async with screen(browser) as anna:
        await anna.page.get_by_role("link", name="Settings").click()
        await anna.button("Change your password")
        form = anna.page.get_by_role("form", name="Change your password")
        for label, text in (("Old", "correct horse"), ("New", "a battery staple"), ("New", "a battery stable")):
            named = f"{label} password" + (" once more" if text.endswith("stable") else "")
            await form.get_by_label(named, exact=True).fill(text)
        await anna.button("Save")
        await anna.shows("These are two different passwords.")
        assert anna.api.asks("POST", "/me/password") == []
        await form.get_by_label("New password once more").fill("a battery staple")
        assert await anna.watched.axe() == []
        await anna.button("Save")
        await anna.shows("Your password is changed.")
        assert anna.api.asks("POST", "/me/password") == [{"old": "correct horse", "new": "a battery staple"}]


async def test_a_refusal_is_said_to_people_without_what_administrators_are_to_do(browser: Browser) -> None:
    async with screen(browser) as anna:
        anna.api.refuses["POST /v1/calls/c1/hangup"] = (409, "pbx_refused")
        anna.api.refuses["POST /v1/calls/c1/hold"] = (409, "something_new")
        anna.api.ring("c1", "anna", contact=found())
        anna.api.answer("c1", "anna")
        await anna.button("Hang up")
        await anna.shows("The telephone system does not allow that. Tell the administrator.")
        await anna.button("Hold")
        await anna.shows("refused: something_new. Ask the administrator.")
        assert await anna.page.get_by_text("do something else").count() == 0
    async with screen(browser, roles={"anna": "administrator"}) as anna:
        anna.api.refuses["POST /v1/calls/c1/hold"] = (409, "something_new")
        anna.api.ring("c1", "anna", contact=found())
        anna.api.answer("c1", "anna")
        await anna.button("Hold")
        await anna.shows("refused: something_new; do something else")


async def test_a_telephone_that_does_not_hold_is_asked_once_and_not_again(browser: Browser) -> None:
    async with screen(browser) as anna:
        anna.api.refuses["POST /v1/calls/c1/hold"] = (409, "no_hold")
        anna.api.ring("c1", "anna", contact=found())
        anna.api.answer("c1", "anna")
        await anna.button("Hold")
        await anna.shows("This telephone cannot do that now")
        await anna.page.get_by_role("button", name="Hold").wait_for(state="detached")
        anna.api.cannot_hold = ["main/201"]
        await anna.page.reload()
        await anna.page.get_by_role("button", name="Transfer").wait_for()
        assert await anna.page.get_by_role("button", name="Hold").count() == 0


@pytest.mark.parametrize("width", [320, 360, 700, 1200])
async def test_nothing_is_wider_than_the_window(browser: Browser, width: int) -> None:
    async with screen(browser, locale="de-AT", viewport={"width": width, "height": 700}) as anna:
        await full(anna)
        over = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert await anna.page.evaluate(over) <= 0


async def test_everything_is_done_by_keyboard_alone(browser: Browser) -> None:
    async with screen(browser) as anna:
        await full(anna)
        keys = anna.page.keyboard

        async def reach(name: str) -> None:
            focused = "document.activeElement.getAttribute('aria-label') || document.activeElement.innerText"
            for _ in range(80):
                await keys.press("Tab")
                if name in (await anna.page.evaluate(focused) or ""):
                    return
            raise AssertionError(f"{name} cannot be reached")

        await reach("Ilse Steiner")
        await keys.press("Enter")
        await anna.card("Ilse Steiner").wait_for()
        await reach("New note")
        await keys.type("by keyboard")
        await keys.press("Control+Enter")
        await anna.page.locator(".note").wait_for()
        await reach("Recent")
        await keys.press("ArrowRight")
        await reach("Call +4315550177")
        await keys.press("Enter")
        await anna.card("+4315550177").get_by_text("Dialling").wait_for()


async def test_the_page_speaks_the_language_of_the_browser_and_that_which_is_chosen(browser: Browser) -> None:
    async with screen(browser, locale="de-AT") as anna:
        anna.api.language = ""
        await anna.page.reload()
        await anna.page.get_by_role("tablist").wait_for()
        anna.api.ring("c1", "anna", contact=found())
        await anna.card("Maria Huber").get_by_text("Es klingelt").wait_for()
        assert await anna.page.evaluate("document.documentElement.lang") == "de"
        await anna.page.get_by_role("link", name="Einstellungen").click()
        await anna.page.get_by_label("Sprache").select_option("en")
        await anna.card("Maria Huber").get_by_text("Rings").wait_for()


async def test_it_notifies_of_what_rings_while_nobody_looks_once_for_all_tabs(browser: Browser) -> None:
    async with screen(browser, permissions=["notifications"]) as anna:
        counts = "window.told = []; Notification = class { constructor(...all) { told.push(all[0]) } close() {}"
        counts += "; static permission = 'granted' }; document.hasFocus = () => false"
        tabs = [anna, await anna.another_tab()]
        for tab in tabs:
            await tab.page.get_by_role("tablist").wait_for()
            await tab.page.evaluate(counts)
        anna.api.ring("c1", "anna", contact=found())
        for tab in tabs:
            await tab.card("Maria Huber").wait_for()
        told = [one for tab in tabs for one in await tab.page.evaluate("told")]
        assert told == ["Maria Huber is calling"]


async def test_accounts_of_other_systems_are_connected_and_disconnected(browser: Browser) -> None:
    async with screen(browser) as anna:
        await full(anna)
        await anna.page.get_by_role("link", name="Settings").click()
        await anna.shows("connected, until 24 December 2026")
        await anna.button("Disconnect")
        await anna.until(lambda: anna.api.asks("DELETE", "/v1/accounts/crm") == [{}])
