"""CRMs that no one at this project has named, described in `config/providers/` from their public API pages.

Each stand-in answers as that page says, and refuses what it would refuse. The descriptions are read as an operator's:
whole configuration folders, and calls through them.
"""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TypeAlias
from urllib.parse import parse_qs

import pytest
from aiohttp import web

from routing_engine.core.model import Decision
from routing_engine.core.ports import Batch, Query
from routing_engine.dry_run import DryCall, dry_run
from routing_engine.engine import open_provider, open_store
from routing_engine.errors import ProviderRefused, ProviderThrottled
from routing_engine.providers.crm.provider import CrmProvider
from tests.providers.contract import HOSTILE

from . import unlisted_more as more
from .standin import digits
from .unlisted import ANNA, COPPER, TWENTY, copper, twenty

pytestmark = pytest.mark.io

Answer: TypeAlias = Callable[[web.BaseRequest, dict[str, str]], Awaitable[web.Response]]
reply = web.json_response
#: In each system: Anna, and a stranger whose number ends alike.
CALLER, NOBODY = "+43 664 1234567", "+43 664 7654321"

# ------------------------------------------------------------------------------------------- GraphQL: monday.com

MONDAY = r"""
title: monday.com
settings:
  board: {example: '1234567890', pattern: '[0-9]+'}
address: https://api.monday.com/v2
auth:
  token: {needs: {token: secret}, headers: {Authorization: '{auth.token}', API-Version: '2025-10'}}
models:
  item:
    fields:
      id: id
      name: name
      phone: $.column_values[?@.type=='phone'].text
      tier: $.column_values[?@.id=='tier'].text
    numbers: [phone]
record_url: 'https://acme.monday.com/boards/{settings.board}/pulses/{record.id}'
error_code: $.errors[0].extensions.code
errors:
  - where: {'$.errors[0].extensions.code': COMPLEXITY_BUDGET_EXHAUSTED}
    then: throttled
    wait_path: $.errors[0].extensions.retry_in_seconds
  - {where: {errors: any}, then: refused}
find_by_phone:
  - post: /
    json:
      variables: {board: '{settings.board}', number: '{spelling}'}
      query:
        as_written: |
          query ($board: ID!, $number: String!) {
            items_page_by_column_values (limit: 20, board_id: $board,
                columns: [{column_id: "phone", column_values: [$number]}]) {
              items { id name column_values { id type text } } } }
    spellings: ['{number.digits}', '{number.national}']
    records: data.items_page_by_column_values.items
list:
  - post: /
    json:
      variables: {board: '{settings.board}', cursor: '{cursor}'}
      query:
        as_written: |
          query ($board: ID!, $cursor: String) { boards (ids: [$board]) {
            items_page (limit: 100, cursor: $cursor) { cursor items { id name column_values { id type text } } } } }
    records: $.data.boards[0].items_page.items
    next: {cursor: '$.data.boards[0].items_page.cursor'}
check: {post: /, json: {query: {as_written: 'query { me { id } }'}}}
"""


def item(number: str, name: str, phone: str) -> dict[str, object]:
    columns = [{"id": "tier", "type": "status", "text": "gold"}, {"id": "phone", "type": "phone", "text": phone}]
    return {"id": number, "name": name, "column_values": columns}


ITEMS = [item("7", ANNA, "06641234567"), item("8", "Zita", "+41 664 1234567")]


async def monday(request: web.BaseRequest, state: dict[str, str]) -> web.Response:
    """Every answer of the application has status 200; one column value is compared as a whole text."""
    if request.headers.get("Authorization") != "key":
        return reply({"errors": [{"message": "Not Authenticated"}]}, status=401)
    if "throttled" in state:
        code = {"code": "COMPLEXITY_BUDGET_EXHAUSTED", "retry_in_seconds": 24}
        return reply({"data": {}, "errors": [{"message": "Complexity budget exhausted", "extensions": code}]})
    asked = await request.json()
    assert asked["query"].count("{") == asked["query"].count("}")
    if "items_page_by_column_values" in asked["query"]:
        found = [one for one in ITEMS if one["column_values"][1]["text"] == asked["variables"]["number"]]  # type: ignore[index]
        return reply({"data": {"items_page_by_column_values": {"items": found}}})
    start = int(asked["variables"].get("cursor", 0))
    page = {"cursor": str(start + 1) if start + 1 < len(ITEMS) else None, "items": ITEMS[start : start + 1]}
    return reply({"data": {"boards": [{"items_page": page}], "me": {"id": "1"}}})


# ----------------------------------------------------------------- an old CRM: log-in form, cookie, one spelling

OLD = r"""
title: Altes CRM
settings:
  site: {example: crm.example.com}
  mask: {example: '(###) ###-####', default: ''}
address: https://{settings.site}
auth:
  form:
    needs: {user: text, password: secret}
    login:
      - post: /login.php
        form: {user: '{auth.user}', pass: '{auth.password}'}
        fine: 302
        capture: {session: 'cookie:PHPSESSID'}
    headers: {Cookie: 'PHPSESSID={auth.session}'}
models:
  customer: {fields: {id: nr, name: name, phone: tel}, numbers: [phone]}
errors:
  - {status: 302, then: login}
  - {where: {error: any}, then: refused}
error_code: code
records: data.customers
find_by_phone:
  - {get: /search.php, query: {tel: '{number.national | mask settings.mask}'}, when: {settings.mask: any}}
  - get: /search.php
    query: {tel: '{spelling}'}
    spellings: ['{number.local}', "{number.significant | mask '+43 (#) ### ###'}"]
"""


async def old(request: web.BaseRequest, state: dict[str, str]) -> web.Response:
    """A form sends to a page, also without a session; PHP writes an empty object as a list, and `error: false`."""
    if request.path == "/login.php":
        form = parse_qs(await request.text())
        assert form == {"user": ["me"], "pass": ["key"]}
        state["session"] = f"s{len(state)}"
        answer = web.Response(status=302, headers={"Location": "/start.php"})
        answer.headers.add("Set-Cookie", "lang=de; Path=/")
        answer.headers.add("Set-Cookie", f"PHPSESSID={state['session']}; Path=/; HttpOnly")
        return answer
    if "session" not in state or request.headers.get("Cookie") != f"PHPSESSID={state['session']}":
        return web.Response(status=302, headers={"Location": "/login.php"})
    found = [{"nr": 5, "name": ANNA, "tel": "0664/123-4567"}] if request.query["tel"] == "0664/123-4567" else []
    return reply({"error": False, "data": {"customers": found} if found else []})


# ------------------------------------------------------------------- ServiceNow: its query, Link, a moment to wait

SERVICENOW = r"""
title: ServiceNow
settings:
  instance: {example: dev12345, pattern: '[a-z0-9-]+'}
address: https://{settings.instance}.service-now.com/api/now
auth:
  basic:
    needs: {user: text, password: secret}
    headers: {Authorization: 'Basic {auth.user | basic auth.password}', Accept: application/json}
nothing: ['']
models:
  contact:
    table: customer_contact
    fields: {id: sys_id, name: name, phone: phone, mobile: mobile_phone, account: account.display_value}
    numbers: [phone, mobile]
record_url: 'https://{settings.instance}.service-now.com/{model.table}.do?sys_id={record.id}'
errors:
  - {status: 429, then: throttled, wait_header: X-RateLimit-Reset}
records: result
next: {link: 'header:Link'}
find_by_phone:
  - get: /table/{model.table}
    query:
      sysparm_query: phoneENDSWITH{number.digits | last 7 | text}^ORmobile_phoneENDSWITH{number.digits | last 7 | text}
      sysparm_limit: '{limit}'
find_by_field:
  - {get: '/table/{model.table}', query: {sysparm_query: '{field | name}={value | strict}', sysparm_limit: '{limit}'}}
list:
  - {get: '/table/{model.table}', query: {sysparm_query: ORDERBYsys_id, sysparm_limit: '{limit}'}}
"""
ROWS = [
    {"sys_id": "a1", "name": "Zita", "phone": "+41 664 1234567", "mobile_phone": "", "account": ""},
    {"sys_id": "a2", "name": "Bob", "phone": "", "mobile_phone": "", "account": ""},
    {"sys_id": "a3", "name": ANNA, "phone": "", "mobile_phone": "0664 1234567", "account": {"display_value": "Acme"}},
]
TERM = re.compile(r"([a-z_]+)(ENDSWITH|=)(.*)", re.S)


async def servicenow(request: web.BaseRequest, state: dict[str, str]) -> web.Response:
    """Encoded queries: terms with ^ and ^OR between them. A page has one row, and the header says where the next is."""
    if request.headers.get("Authorization") != "Basic " + base64.b64encode(b"me:key").decode():
        return reply({"error": {"message": "User Not Authenticated"}}, status=401)
    if "throttled" in state:
        return reply({}, status=429, headers={"X-RateLimit-Reset": str(int(time.time()) + 60)})
    terms = [TERM.match(term) for term in re.split(r"\^OR(?!DERBY)|\^", request.query["sysparm_query"])]
    assert len(terms) <= 2
    found = [row for row in ROWS if any(one is None or fits(row, one) for one in terms)]
    start = int(request.query.get("sysparm_offset", 0))
    following = request.url.update_query(sysparm_offset=str(start + 1))
    link = f'<{request.url}>;rel="first"' + (f',<{following}>;rel="next"' if start + 1 < len(found) else "")
    return reply({"result": found[start : start + 1]}, headers={"Link": link})


def fits(row: dict[str, object], term: re.Match[str]) -> bool:
    held = str(row[term[1]])
    return held == term[3] if term[2] == "=" else digits(held).endswith(term[3])


# ------------------------------------------------------------------------- JSON-RPC that tells ids, then records

RPC = r"""
title: Ids first
address: https://rpc.example.com
auth:
  key: {needs: {key: secret}, headers: {X-Key: '{auth.key}'}}
models:
  person: {fields: {id: id, name: name.display, phone: '$.phones.*.number'}, numbers: [phone]}
errors:
  - {where: {error: any}, then: refused}
error_code: error.code
find_by_phone:
  - post: /rpc
    json: {method: searchByPhone, params: ['{number.e164}', 10]}
    records: result
    each: {post: /rpc, json: {method: getPerson, params: ['{found.id}']}, record: result}
list:
  - {get: /people, query: {page: '{page}'}, records: people, keyed: id, next: {page: 1, from: 0}}
"""
PHONES = {"work": {"number": "+43 1 2345678"}, "mobile": {"number": "+43 664 1234567"}}
DETAILS = {"name": {"display": ANNA}, "phones": PHONES}


async def rpc(request: web.BaseRequest, state: dict[str, str]) -> web.Response:
    """Records are members of an object whose keys are their ids; pages count from 0, and the last one is empty."""
    assert request.headers["X-Key"] == "key"
    if request.path == "/people":
        pages = [{"17": DETAILS}, {"18": {**DETAILS, "name": {"display": "Zita"}}}]
        page = int(request.query["page"])
        return reply({"people": pages[page] if page < len(pages) else {}})
    asked = await request.json()
    if asked["method"] == "getPerson":
        return reply({"result": DETAILS if asked["params"] == [17] else None, "error": None})
    return reply({"result": [17] if digits(asked["params"][0]) == digits(CALLER) else [], "error": None})


# ------------------------------------------------------------------------------------------------------ the calls

CRMS: dict[str, tuple[str, Answer, str]] = {
    "monday": (MONDAY, monday, "board: 123\nauth: {token: '${KEY}'}\n"),
    "old": (OLD, old, "site: x\nmask: '####/###-####'\nauth: {form: {user: me, password: '${KEY}'}}\n"),
    "servicenow": (SERVICENOW, servicenow, "instance: dev1\nauth: {basic: {user: me, password: '${KEY}'}}\n"),
    "rpc": (RPC, rpc, "auth: {key: '${KEY}'}\n"),
    "copper": (COPPER, copper, "auth: {key: {key: '${KEY}', user: me@x.at}}\n"),
    "twenty": (TWENTY, twenty, "auth: {token: '${KEY}'}\n"),
    "close": (more.CLOSE, more.close, "auth: {key: '${KEY}'}\n"),
    "erpnext": (more.ERPNEXT, more.erpnext, "site: x.at\nauth: {key: {key: me, secret: '${KEY}'}}\n"),
    "attio": (more.ATTIO, more.attio, "auth: {token: '${KEY}'}\n"),
    "teamleader": (more.TEAMLEADER, more.teamleader, "auth: {token: '${KEY}'}\n"),
    "dolibarr": (more.DOLIBARR, more.dolibarr, "site: x.at\nauth: {key: '${KEY}'}\n"),
    "insightly": (more.INSIGHTLY, more.insightly, "pod: na1\nauth: {key: '${KEY}'}\n"),
    "zammad": (more.ZAMMAD, more.zammad, "site: x.at\nauth: {token: '${KEY}'}\n"),
}


class Site:
    """A configuration folder with one description of an operator's own, and what the CRM was asked."""

    def __init__(self, folder: Path, name: str, address: str) -> None:
        text, self.answers, integration = CRMS[name]
        self.folder, self.model = folder, next(iter(re.findall(r"^models:\n  (\w+):", text, re.M)))
        self.asked: list[web.BaseRequest] = []
        self.state: dict[str, str] = {}
        self.write("engine.yaml", "region: AT\n")
        self.write(f"providers/{name}.yaml", text)
        self.write("integrations/crm.yaml", f"provider: {name}\naddress: {address}\n{integration}")
        source = f"{{integration: crm, model: {self.model}, search: {{by: caller}}, rules: [{{to: {{queue: vip}}}}]}}"
        self.write("routes/support.yaml", f"sources: [{source}]\ndefault: {{to: {{queue: reception}}}}\n")

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)

    def change(self, name: str, old: str, new: str) -> None:
        text = (self.folder / name).read_text()
        assert old in text
        (self.folder / name).write_text(text.replace(old, new))

    async def handle(self, request: web.BaseRequest) -> web.Response:
        self.asked.append(request)
        return await self.answers(request, self.state)

    async def call(self, caller: str) -> Decision:
        return (await dry_run(open_store(self.folder).load(), DryCall("support", caller))).decision

    def provider(self) -> CrmProvider:
        configuration = open_store(self.folder).load()
        found = open_provider(configuration.integrations["crm"], configuration.settings)
        assert isinstance(found, CrmProvider)
        return found


@pytest.fixture
async def site(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    monkeypatch.setenv("KEY", "key")

    async def handle(asked: web.BaseRequest) -> web.Response:
        return await found.handle(asked)

    runner = web.ServerRunner(web.Server(handle), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    found = Site(tmp_path, request.param, f"http://127.0.0.1:{runner.addresses[0][1]}")
    yield found
    await runner.cleanup()


every = pytest.mark.parametrize("site", [*CRMS], indirect=True)


def only(name: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("site", [name], indirect=True)


@every
async def test_a_caller_is_found_in_a_system_nobody_has_named(site: Site) -> None:
    found = await site.call(CALLER)
    assert found.record is not None, str(found.trail)
    assert found.record.fields["name"] == ANNA
    assert found.destination.target == "vip"


@every
async def test_who_is_not_there_is_no_record_and_not_a_failure(site: Site) -> None:
    found = await site.call(NOBODY)
    assert (found.reason, found.destination.target) == ("no_record", "reception"), str(found.trail)


@every
def test_a_description_stays_short(site: Site) -> None:
    (text,) = [path.read_text() for path in (site.folder / "providers").iterdir()]
    assert len(text.strip().splitlines()) < 60


@pytest.mark.parametrize(
    ("site", "who"),
    [("monday", ["7", "8"]), ("servicenow", ["a1", "a2", "a3"]), ("rpc", ["17", "18"])],
    indirect=["site"],
)
async def test_all_pages_are_listed(site: Site, who: list[str]) -> None:
    provider = site.provider()
    batches: list[Batch] = [await provider.page(site.model, None, "")]
    while batches[-1].cursor:
        batches.append(await provider.page(site.model, None, batches[-1].cursor))
    await provider.close()
    assert [record.id for batch in batches for record in batch.records] == who


@pytest.mark.parametrize(
    ("site", "least", "most"), [("monday", 24, 24), ("servicenow", 55, 60), ("close", 12.5, 12.5)], indirect=["site"]
)
async def test_a_system_is_left_alone_as_long_as_it_says(site: Site, least: float, most: float) -> None:
    site.state["throttled"] = "yes"
    provider = site.provider()
    with pytest.raises(ProviderThrottled) as caught:
        await provider.check()
    await provider.close()
    assert least <= caught.value.retry_after_s <= most


@every
async def test_a_record_that_shows_no_number_is_nobodys(site: Site) -> None:
    """A wrong name in the field map: what the system found cannot be checked, and would be anybody's."""
    path = site.folder / "integrations/crm.yaml"
    path.write_text(f"{path.read_text()}models: {{{site.model}: {{fields: {{phone: nowhere, mobile: nowhere}}}}}}\n")
    found = await site.call(CALLER)
    assert (found.reason, found.record) == ("no_record", None)


@only("old")
async def test_a_session_that_ran_out_is_begun_anew(site: Site) -> None:
    provider = site.provider()
    await provider.check()
    site.state["session"] = "another"
    assert "lets us search" in await provider.check()
    await provider.close()
    assert [one.path for one in site.asked].count("/login.php") == 2


@only("old")
async def test_an_attempt_is_left_out_when_its_setting_is_empty(site: Site) -> None:
    site.change("integrations/crm.yaml", "mask: '####/###-####'\n", "")
    found = await site.call(CALLER)
    assert found.reason == "no_record"
    assert [one.query.get("tel") for one in site.asked if one.path == "/search.php"] == ["0664 1234567"]


@only("servicenow")
@pytest.mark.parametrize("text", [*HOSTILE, "x^ORsys_idISNOTEMPTY", "javascript:gs.getUser()", "a^NQactive=true"])
async def test_no_text_adds_a_term_to_a_query(site: Site, text: str) -> None:
    provider = site.provider()
    found = await provider.find(Query("contact", "name", text, False, None))
    await provider.close()
    assert not found
    assert all("^" not in one.query["sysparm_query"] and ":" not in one.query["sysparm_query"] for one in site.asked)


@only("rpc")
async def test_a_found_id_is_asked_for(site: Site) -> None:
    found = await site.call(CALLER)
    assert found.record is not None
    assert found.record.id == "17"
    assert [json.loads(await one.text()) for one in site.asked][1] == {"method": "getPerson", "params": [17]}


PAGES = {
    "close": "https://app.close.com/lead/lead_7/",
    "erpnext": "https://x.at/app/contact/CON-1",
    "attio": "https://app.attio.com/acme/person/r1",
    "teamleader": "https://focus.teamleader.eu/c1",
    "dolibarr": "https://x.at/contact/card.php?id=9",
    "insightly": "https://crm.na1.insightly.com/details/contact/3",
    "zammad": "https://x.at/#user/profile/4",
}


@pytest.mark.parametrize(("site", "page"), PAGES.items(), indirect=["site"])
async def test_a_record_has_its_page_in_the_system(site: Site, page: str) -> None:
    found = await site.call(CALLER)
    assert found.record is not None
    assert found.record.url == page


@pytest.mark.parametrize("site", PAGES, indirect=True)
async def test_a_check_is_cheap_and_a_wrong_key_is_for_the_administrator_here(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = site.provider()
    await provider.check()
    await provider.close()
    monkeypatch.setenv("KEY", "wrong")
    refused = site.provider()
    with pytest.raises(ProviderRefused) as caught:
        await refused.check()
    await refused.close()
    assert caught.value.who == "administrator"


@only("teamleader")
async def test_a_company_that_may_not_be_looked_at_does_not_lose_the_contact(site: Site) -> None:
    found = await site.call(CALLER)
    assert found.record is not None
    assert found.record.fields["phone"] == ("01 5550123", "0664 1234567")
    assert [one.path for one in site.asked][-2:] == ["/contacts.info", "/companies.info"]


@only("copper")
@pytest.mark.parametrize(("field", "value"), [("tier", "gold"), ("email", "a@x.at"), ("name", ANNA)])
async def test_each_kind_of_field_is_searched_in_its_own_way(site: Site, field: str, value: str) -> None:
    provider = site.provider()
    assert [record.id for record in await provider.find(Query("person", field, value, False, None))] == ["5"]
    await provider.close()
