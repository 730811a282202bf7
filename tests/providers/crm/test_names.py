"""Records found by a part of their name: what each shipped system is asked, and which of its answers count."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from urllib.parse import unquote_plus

import pytest
from aiohttp import web

from routing_engine.core.ports import NAME_WORDS, Query
from routing_engine.providers.crm.filters import Unsearchable
from routing_engine.providers.crm.provider import CrmProvider, open_crm
from routing_engine.providers.crm.settings import CrmSettings, shipped_description
from routing_engine.providers.shipped import shipped

from .contract import connection

pytestmark = pytest.mark.io

#: What must stand in the requests for a contact whose name has the word, by system.
WORD = "Gruber"
ASKED: Mapping[str, tuple[str, ...]] = {
    "bitrix24": ('{"%LAST_NAME":"Gruber"}', '{"%NAME":"Gruber"}'),
    "bullhorn": ("(lastName:Gruber* OR firstName:Gruber*)",),
    "dynamics": ("contains(fullname,'Gruber')",),
    "espocrm": ('"type":"contains","attribute":"name","value":"Gruber"',),
    "freshdesk": ("/contacts/autocomplete?term=Gruber",),
    "hubspot": ('"query":"Gruber"',),
    "odoo": ('["name","ilike","Gruber"]',),
    "odoo_rpc": ('[[["name","ilike","Gruber"]]]',),
    "pipedrive": ("/v2/persons/search?term=Gruber&fields=name",),
    "salesforce": ("Name LIKE '%Gruber%'",),
    "sugarcrm": ('{"last_name":{"$contains":"Gruber"}},{"first_name":{"$contains":"Gruber"}}',),
    "suitecrm": ("filter[last_name][like]=%Gruber%", "filter[first_name][like]=%Gruber%"),
    "tryton": (),  # base64: asked of a real one
    "vtiger": ("lastname LIKE '%Gruber%'", "firstname LIKE '%Gruber%'"),
    "vtiger_open": ("lastname LIKE '%Gruber%'", "firstname LIKE '%Gruber%'"),
    "zendesk": ("name:Gruber*",),
    "zoho": ("((Last_Name:starts_with:Gruber)or(First_Name:starts_with:Gruber))",),
}
#: Systems that find whole names only; the page says so.
WHOLE = {"freshsales"}


def built(provider: str, model: str, word: str) -> str:
    """Return the requests that a system gets for a word, one a line, as they can be read."""
    description = shipped_description(provider)
    model = model if model in description.models else next(iter(description.models))
    found = []
    for attempt in description.names_for(model):
        scope = {
            **{"settings": dict.fromkeys(description.settings, "s"), "auth": {}, "value": word, "limit": 20},
            **{"model": description.models[model].constants, "fields": ["id"], "cursor": "0", "page": 1, "offset": 0},
        }
        request = attempt.request.build(scope, "https://crm.example.com")
        found.append(f"{unquote_plus(str(request.url))} {(request.body or b'').decode()}")
    return "\n".join(found)


def test_every_shipped_system_finds_parts_of_names_or_is_known_not_to() -> None:
    systems = {name: shipped_description(name) for name in shipped()}
    assert {name for name, one in systems.items() if not one.find_by_name} == WHOLE
    assert {*ASKED} | WHOLE == {*systems}


@pytest.mark.parametrize("provider", [*ASKED])
def test_a_system_is_asked_in_its_own_words(provider: str) -> None:
    asked = built(provider, "contact", WORD)
    assert all(one in asked for one in ASKED[provider]), asked


OWN = """
title: Acme
settings: {server: {example: 'https://a.example.com', pattern: 'https?://[^/]+'}}
address: '{settings.server}'
models: {contact: {fields: {id: id, name: name, phone: phone}, numbers: [phone]}}
records: items
find_by_phone: [{get: /none, query: {phone: '{number.e164}'}}]
find_by_name:
  - {get: /last, query: {q: '{value}'}}
  - {get: /first, query: {q: '{value}'}}
"""
MARIA, MARIO, ANNA = (
    {"id": str(at), "name": name} for at, name in enumerate(("Maria Huber", "Mario Huber", "Anna Huber"))
)


@pytest.fixture
async def acme(tmp_path: Path) -> AsyncIterator[tuple[CrmProvider, list[str]]]:
    asked: list[str] = []

    async def answer(request: web.BaseRequest) -> web.Response:
        asked.append(f"{request.path} {request.query['q']}")
        items = [MARIA, MARIO, ANNA] if request.path == "/last" else [MARIA]
        return web.json_response({"items": items})

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    (tmp_path / "providers").mkdir()
    (tmp_path / "providers/acme.yaml").write_text(OWN)
    address = "http://{}:{}".format(*runner.addresses[0])
    found = connection("acme", f"provider: acme\nserver: {address}\nmodels: {{contact: {{}}}}\n", tmp_path)
    assert isinstance(found.settings, CrmSettings)
    provider = open_crm("crm", found.settings, found.models, "AT", lambda: 0.0)
    assert isinstance(provider, CrmProvider)
    yield provider, asked
    await provider.close()
    await runner.cleanup()


async def test_a_record_counts_whose_name_holds_every_word_in_any_order(acme: tuple[CrmProvider, list[str]]) -> None:
    provider, asked = acme
    found = await provider.find(Query("contact", NAME_WORDS, "HUBER mari", False, None))
    assert [one.id for one in found] == ["0", "1"]
    assert asked == ["/last HUBER", "/first HUBER"]


async def test_nothing_and_control_characters_ask_nothing(
    acme: tuple[CrmProvider, list[str]],
) -> None:
    provider, asked = acme
    for value in ("", " ", "Hub\ner"):
        assert list(await provider.find(Query("contact", NAME_WORDS, value, False, None))) == []
    assert asked == []


def test_a_name_with_an_apostrophe_stays_within_its_quotes() -> None:
    assert r"LIKE '%O\'Hara%'" in built("salesforce", "contact", "O'Hara")
    assert "contains(fullname,'O''Hara')" in built("dynamics", "contact", "O'Hara")
    for strict in ("vtiger", "zendesk", "bullhorn"):
        with pytest.raises(Unsearchable):
            built(strict, "contact", "O'Hara")
