"""Where a log-in's answer may lead: nowhere but to the hosts that the description or the operator names."""

from __future__ import annotations

import time

import pytest
from aiohttp import web
from yarl import URL

from routing_engine.core.phone import read_number
from routing_engine.core.ports import Provider, Query
from routing_engine.errors import ProviderError, ProviderRefused
from routing_engine.providers.crm.model import read_pattern
from routing_engine.providers.crm.provider import open_crm
from routing_engine.providers.crm.read_description import read_description
from routing_engine.providers.crm.requests import names_captured
from routing_engine.providers.crm.settings import CrmSettings, read_crm
from routing_engine.providers.crm.templates import read_text
from routing_engine.providers.oauth.client import may_be_asked
from routing_engine.settings.yaml_reader import Problems, read_yaml
from tests.providers.conftest import serving

pytestmark = pytest.mark.io

DESCRIPTION = """
address: https://{auth.host}/api
hosts: ['*.acme.example']
auth: {key: {needs: {key: secret}, login: [{post: 'ADDRESS/login', capture: {host: host}}]}}
models: {contact: {fields: {id: id, phone: phone}, numbers: [phone]}}
find_by_phone: [{get: /people, query: {phone: '{number.e164}'}}]
"""


def opened(text: str) -> Provider:
    """Return the provider of a description."""
    notes = Problems("crm.yaml", {"K": "k"}.get)
    description, section = read_description(text, notes, "acme"), read_yaml("auth: {key: '${K}'}", notes)
    assert notes.problems == []
    assert description is not None
    assert section is not None
    found = read_crm(description, section, "crm")
    return open_crm("crm", found.settings, found.models, "AT", time.monotonic)


@pytest.mark.parametrize("host", ["evil.example", "evil.example/", "acme.example.evil.example", "https://evil.example"])
async def test_a_log_in_leads_to_no_other_host(host: str) -> None:
    async def log_in(_: web.BaseRequest) -> web.Response:
        return web.json_response({"host": host})

    runner = web.ServerRunner(web.Server(log_in), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    notes = Problems("crm.yaml", {"K": "k"}.get)
    text = DESCRIPTION.replace("ADDRESS", f"http://127.0.0.1:{runner.addresses[0][1]}")
    description, section = read_description(text, notes, "acme"), read_yaml("auth: {key: '${K}'}", notes)
    assert description is not None
    assert section is not None
    found = read_crm(description, section, "crm")
    provider = open_crm("crm", found.settings, found.models, "AT", time.monotonic)
    with pytest.raises(ProviderRefused, match="leads to a host that is not allowed"):
        await provider.find(Query("contact", "", "+436641234567", True, read_number("+436641234567", "AT")))
    await provider.close()
    await runner.cleanup()


#: Texts that lead to this machine without looking like an address; PORT is where somebody listens.
INSIDE = [
    "localhost:PORT",
    "localhost",
    "[::1]:PORT",
    "127.0.0.1:PORT",
    "2130706433:PORT",
    "x@127.0.0.1:PORT",
    "crm.acme.example@127.0.0.1:PORT",
    "crm.acme.example:x@127.0.0.1:PORT",
    "127.0.0.1:PORT/crm.acme.example",
    "127.0.0.1:PORT#crm.acme.example",
    "127.0.0.1:PORT?crm.acme.example",
    "crm.acme.example:PORT",
]
#: Where a captured value may stand: the description's lines.
WAYS = {
    "the base": "address: http://{auth.host}/api",
    "a whole address": "find_by_phone: [{get: 'http://{auth.host}/people', query: {phone: '{number.e164}'}}]",
    "a second step": "  login:\n    - {post: 'ADDRESS', capture: {host: host}}\n    - {post: 'http://{step.host}/next'}",
}
LEADING = """
address: https://api.acme.example
hosts: ['*.acme.example']
auth:
 key:
  needs: {key: secret}
  login: [{post: 'ADDRESS', capture: {host: host}}]
models: {contact: {fields: {id: id, phone: phone}, numbers: [phone]}}
find_by_phone: [{get: /people, query: {phone: '{number.e164}'}}]
"""


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("host", INSIDE)
async def test_whatever_a_log_in_answers_it_does_not_lead_inside(way: str, host: str) -> None:
    asked: list[str] = []

    async def answer(request: web.BaseRequest) -> web.Response:
        asked.append(request.path)
        return web.json_response({"host": host.replace("PORT", str(request.url.port))})

    instead = WAYS[way]
    kept = [line for line in LEADING.splitlines() if line.partition(":")[0] != instead.partition(":")[0]]
    at = kept.index("  needs: {key: secret}") + 1 if way == "a second step" else 0
    async with serving(answer) as address:
        provider = opened("\n".join([*kept[:at], instead, *kept[at:]]).replace("ADDRESS", address))
        with pytest.raises(ProviderError):
            await provider.find(Query("contact", "", "+436641234567", True, read_number("+436641234567", "AT")))
        await provider.close()
    assert asked == ["/customer"], "nobody but the log-in was asked"


@pytest.mark.parametrize(
    ("address", "asked", "fine"),
    [
        ("https://{auth.host}/api", "https://crm.acme.example/api", True),
        ("https://{auth.host}:8443/api", "https://crm.acme.example:8443/api", True),
        ("http://{auth.host}/api", "http://crm.acme.example/api", True),
        ("{auth.host}/api", "http://crm.acme.example/api", False),
        ("https://{auth.host}/api", "https://crm.acme.example:22/api", False),
        ("https://{auth.host}/api", "https://evil.example/api", False),
        ("https://{auth.host}/api", "https://evilacme.example/api", False),
    ],
)
def test_what_stands_in_the_address_is_held_to_the_hosts(address: str, asked: str, fine: bool) -> None:
    text = read_text(address, {"auth": frozenset({"host"})})
    assert names_captured(text, ())
    assert not names_captured(text, ("host",)), "what the operator gave may stand anywhere"
    assert may_be_asked(URL(asked), address, ["*.acme.example"]) is fine


@pytest.mark.parametrize(
    "address", ["https://acme.example/{auth.host}", "/{auth.host}", "{settings.server}/{auth.host}"]
)
def test_a_captured_path_leads_to_no_other_server(address: str) -> None:
    assert not names_captured(read_text(address, {"auth": None, "settings": None}), ())


@pytest.mark.parametrize("server", ["https://acme{}.x", "https://{settings.tenant}.x", "https://{{x}}.x", "https://{"])
@pytest.mark.parametrize("auth", ["{key: '${K}'}", "{oauth2: {client_id: a, client_secret: '${K}'}}"])
def test_what_an_operator_writes_is_a_value_and_no_template(server: str, auth: str) -> None:
    notes = Problems("crm.yaml", {"K": "k"}.get)
    oauth = "auth: {oauth2: {token_url: '{settings.server}/t', grants: [client_credentials]}, "
    text = DESCRIPTION.replace("auth: {", oauth)
    text = text.replace("ADDRESS", "https://a.example") + "settings: {server: {example: https://a.example}}\n"
    description = read_description(text, notes, "acme")
    section = read_yaml(f"auth: {auth}\nserver: '{server}'\n", notes)
    assert description is not None
    assert section is not None
    found = read_crm(description, section, "crm").settings
    assert isinstance(found, CrmSettings)
    assert found.values == {"server": server}


def test_an_address_may_be_written_as_a_browser_copies_it() -> None:
    notes = Problems("crm.yaml", {"K": "k"}.get)
    text = DESCRIPTION + "settings: {server: {example: 'https://a.example', pattern: 'https?://[^/?#]+'}}\n"
    section = read_yaml("auth: {key: '${K}'}\nserver: https://crm.example.com/\n", notes)
    description = read_description(text.replace("ADDRESS", "https://a.example"), notes, "acme")
    assert description is not None
    assert section is not None
    found = read_crm(description, section, "crm").settings
    assert notes.problems == []
    assert found.values == {"server": "https://crm.example.com"}  # type: ignore[attr-defined]


def test_a_pattern_of_a_description_takes_no_longer_than_the_text_is_long() -> None:
    for written in ("(a|aa)+", "(a+)+b", "(.*)*x"):
        assert not read_pattern(written).fullmatch("a" * 5000 + "!")
