"""Where a log-in's answer may lead: nowhere but to the hosts that the description or the operator names."""

from __future__ import annotations

import time

import pytest
from aiohttp import web

from routing_engine.core.phone import read_number
from routing_engine.core.ports import Query
from routing_engine.errors import ProviderRefused
from routing_engine.providers.crm.provider import open_crm
from routing_engine.providers.crm.read_description import read_description
from routing_engine.providers.crm.settings import read_crm
from routing_engine.settings.yaml_reader import Problems, read_yaml

pytestmark = pytest.mark.io

DESCRIPTION = """
address: https://{auth.host}/api
hosts: ['*.acme.example']
auth: {key: {needs: {key: secret}, login: [{post: 'ADDRESS/login', capture: {host: host}}]}}
models: {contact: {fields: {id: id, phone: phone}, numbers: [phone]}}
find_by_phone: [{get: /people, query: {phone: '{number.e164}'}}]
"""


@pytest.mark.parametrize("host", ["evil.example", "evil.example/", "acme.example.evil.example", "https://evil.example"])
async def test_a_log_in_leads_to_no_other_host(host: str) -> None:
    async def log_in(_: web.BaseRequest) -> web.Response:
        return web.json_response({"host": host})

    runner = web.ServerRunner(web.Server(log_in), shutdown_timeout=0)
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
