"""The record of who is calling: chosen, linked, made, changed; and what strangers have written into it stays text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from routing_engine.calls.call import CallContact, Candidate

from .screen import screen
from .standin import HUBER, found, record

if TYPE_CHECKING:
    from playwright.async_api import Browser

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

JOSEF, ILSE = Candidate("crm", "contact", "8", "Josef Steiner"), Candidate("crm", "contact", "9", "Ilse Steiner")
BOTH = CallContact("ambiguous", candidates=(JOSEF, ILSE))
LEAD = {
    "integration": "crm",
    "model": "lead",
    "title": "Lead in CRM",
    "fields": [
        {"name": "name", "label": "Name", "type": "text", "needed": True, "value": None},
        {"name": "phone", "label": "Phone", "type": "phone", "needed": True, "value": "+436641112223"},
    ],
}
MARKUP = "<img src=x onerror=\"document.body.className='broken'\"><script>document.body.className='broken'</script>"


async def test_who_of_several_it_is_is_chosen_by_the_person(browser: Browser) -> None:
    async with screen(browser) as anna:
        anna.api.records |= {"8": record(JOSEF), "9": record(ILSE)}
        anna.api.ring("c1", "anna", contact=BOTH)
        await anna.button("Choose Ilse Steiner")
        await anna.card("Ilse Steiner").wait_for()
        chosen = {"action": "choose", "integration": "crm", "model": "contact", "id": "9"}
        assert anna.api.asks("POST", "/contact") == [chosen]


async def test_a_field_is_edited_and_only_what_changed_is_sent(browser: Browser) -> None:
    async with screen(browser) as anna:
        anna.api.ring("c1", "anna", contact=found())
        await anna.button("Edit")
        await anna.page.get_by_label("City").fill("Villach")
        await anna.button("Save")
        await anna.card("Maria Huber").get_by_text("Villach").wait_for()
        assert [body["fields"] for body in anna.api.asks("POST", "/contact")] == [{"city": "Villach"}]


async def test_who_may_only_read_is_offered_no_change(browser: Browser) -> None:
    async with screen(browser) as anna:
        anna.api.records["7"]["may"] = ["read"]
        anna.api.ring("c1", "anna", contact=found())
        await anna.card("Maria Huber").get_by_text("Gold").wait_for()
        for name in ("Edit", "Create"):
            assert await anna.page.get_by_role("button", name=name, exact=True).count() == 0


async def test_a_record_that_the_group_may_not_see_is_not_called_unknown(browser: Browser) -> None:
    async with screen(browser) as anna:
        anna.api.ring("c1", "anna", contact=CallContact("routed"))
        await anna.shows("There is a record, but your group may not see it")
        assert await anna.page.get_by_text("No record knows this number").count() == 0


async def test_an_unknown_caller_becomes_a_record(browser: Browser) -> None:
    async with screen(browser) as anna:
        anna.api.create = [LEAD]
        anna.api.ring("c1", "anna")
        await anna.button("Create")
        await anna.page.get_by_label("Name").fill("Franz Neu")
        await anna.button("Save")
        await anna.card("Franz Neu").wait_for()
        made = {"name": "Franz Neu", "phone": "+436641112223"}
        assert [body["fields"] for body in anna.api.asks("POST", "/contact")] == [made]


async def test_a_record_is_found_and_linked(browser: Browser) -> None:
    async with screen(browser) as anna:
        anna.api.ring("c1", "anna", from_="+4315550100")
        await anna.button("Link")
        await anna.page.get_by_label("Search records by name").fill("Huber")
        await anna.button("Search", anna.card("+4315550100"))
        await anna.button("Link Maria Huber")
        await anna.card("Maria Huber").wait_for()


async def test_several_systems_stand_side_by_side(browser: Browser) -> None:
    async with screen(browser) as anna:
        anna.api.others = [record(Candidate("erp", "customer", "K1", "Huber GmbH"), {"open": ("Open items", "€ 12")})]
        anna.api.ring("c1", "anna", contact=found())
        await anna.page.get_by_text("ERP: Huber GmbH").click()
        await anna.shows("€ 12")


async def test_what_is_refused_is_said_and_nothing_is_lost(browser: Browser) -> None:
    async with screen(browser) as anna:
        anna.api.refuses["POST /v1/calls/c1/contact"] = (403, "no_right")
        anna.api.ring("c1", "anna", contact=found())
        await anna.button("Edit")
        await anna.page.get_by_label("City").fill("Villach")
        await anna.button("Save")
        await anna.page.get_by_text("Your group does not allow this.").wait_for()
        assert await anna.page.get_by_label("City").input_value() == "Villach"


async def test_markup_of_callers_and_records_stays_text(browser: Browser) -> None:
    async with screen(browser) as anna:
        evil = Candidate("crm", "contact", "7", MARKUP, "https://crm.example.com/7")
        anna.api.records["7"] = record(evil, {"city": (MARKUP, MARKUP)})
        anna.api.sentence = MARKUP
        anna.api.ring("c1", "anna", contact=found(evil), from_=MARKUP, queue=MARKUP, tags=(MARKUP,))
        await anna.card(f"Call with {MARKUP}").get_by_text(MARKUP).nth(4).wait_for()
        anna.api.answer("c1", "anna")
        await anna.page.get_by_label("New note").fill(MARKUP)
        await anna.button("Add note")
        await anna.page.locator(".note").wait_for()
        assert await anna.page.evaluate("document.body.className") == ""
        assert await anna.page.locator("img, main script").count() == 0
        assert anna.watched.faults == []


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "JavaScript://crm/%0aalert(1)", "//x", ""])
async def test_an_address_of_a_crm_that_is_no_web_page_is_no_link(browser: Browser, url: str) -> None:
    async with screen(browser) as anna:
        evil = Candidate("crm", "contact", "7", "Maria Huber", url)
        anna.api.records["7"] = record(evil)
        anna.api.ring("c1", "anna", contact=found(evil))
        await anna.card("Maria Huber").get_by_text("Gold").wait_for()
        assert await anna.card("Maria Huber").get_by_role("link").count() == 0


async def test_a_record_opens_in_a_tab_that_knows_nothing_of_ours(browser: Browser) -> None:
    async with screen(browser) as anna:
        anna.api.ring("c1", "anna", contact=found(HUBER))
        way = anna.page.get_by_role("link", name="Open in CRM")
        assert (await way.get_attribute("href"), await way.get_attribute("rel")) == (HUBER.url, "noopener noreferrer")
