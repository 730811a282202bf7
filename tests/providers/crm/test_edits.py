"""A record that is changed: the request that each vendor's documentation names, with nothing that stays as it is."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl

import pytest
from aiohttp import web

from routing_engine.errors import ProviderRefused
from routing_engine.providers.crm.provider import CrmProvider

from . import (
    test_calls_bitrix24,
    test_calls_dynamics,
    test_calls_espocrm,
    test_calls_freshdesk,
    test_calls_freshsales,
    test_calls_hubspot,
    test_calls_pipedrive,
    test_calls_salesforce,
    test_calls_sugarcrm,
    test_calls_suitecrm,
    test_calls_vtiger,
    test_calls_zendesk,
    test_calls_zoho,
)
from .contract import Open, OpensCrm
from .standin import Asked

pytestmark = pytest.mark.io

NEW = {"name": "Anna Maria Neu"}
PARTS = ("Anna Maria", "Neu")


class EditContract(OpensCrm):
    """Run for each system: `request` is what its documentation has for a new name of contact 101."""

    request: tuple[str, str, Any]
    record = "101"

    def sent(self, asked: Asked) -> Any:
        if "json" in asked.headers["Content-Type"]:
            return json.loads(asked.body)
        form = dict(parse_qsl(asked.body.decode()))
        return {**form, "element": json.loads(form["element"])}

    async def edit(self, crm: Open, fields: dict[str, str]) -> list[tuple[str, str, Any]]:
        """Change the contact on a stand-in that takes it; return what was sent to it."""
        found = list[tuple[str, str, Any]]()
        method, path, _ = self.request
        answer = crm.standin.answer

        def take(asked: Asked) -> web.Response:
            if (asked.method, asked.path) == (method, path):
                found.append((asked.method, asked.path, self.sent(asked)))
                return web.json_response({"success": True, "result": True, "data": {"id": 1}})
            return answer(asked)

        crm.standin.answer = take  # type: ignore[method-assign]
        assert isinstance(crm.provider, CrmProvider)
        desk = crm.provider.record_desk()
        assert desk is not None
        await desk.edit("contact", self.record, fields)
        return found

    async def test_a_new_name_is_sent_as_the_documentation_has_it_and_nothing_else(self, crm: Open) -> None:
        assert await self.edit(crm, NEW) == [self.request]

    async def test_a_field_without_a_place_is_refused_and_not_left_out(self, crm: Open) -> None:
        with pytest.raises(ProviderRefused):
            await self.edit(crm, {**NEW, "nowhere": "x"})

    async def test_a_value_is_a_value_and_no_piece_of_the_request(self, crm: Open) -> None:
        hostile = "O'Hara \"}, {settings.token} {{x}}\n& <b>"
        ((_, _, sent),) = await self.edit(crm, {"name": hostile})
        words = json.dumps(sent, ensure_ascii=False)
        assert json.dumps("{settings.token}")[1:-1] in words
        assert "<b>" in words


class TestHubSpot(EditContract):
    provider, standin = "hubspot", test_calls_hubspot.HubSpotWithCalls
    integration = test_calls_hubspot.TestCalls.integration
    request = ("PATCH", "/crm/objects/2026-03/contacts/101",
               {"properties": {"firstname": PARTS[0], "lastname": PARTS[1]}})  # fmt: skip


class TestSalesforce(EditContract):
    provider, standin = "salesforce", test_calls_salesforce.SalesforceWithCalls
    integration = test_calls_salesforce.TestCalls.integration
    request = ("PATCH", "/services/data/v62.0/sobjects/Contact/101", {"FirstName": PARTS[0], "LastName": PARTS[1]})


class TestZoho(EditContract):
    provider, standin = "zoho", test_calls_zoho.ZohoWithCalls
    integration = test_calls_zoho.TestCalls.integration
    request = ("PUT", "/crm/v8/Contacts/101", {"data": [{"First_Name": PARTS[0], "Last_Name": PARTS[1]}]})


class TestDynamics(EditContract):
    provider, standin = "dynamics", test_calls_dynamics.DynamicsWithCalls
    integration = test_calls_dynamics.TestCalls.integration
    record = "cdcfa450-1111-2222-3333-444444444444"
    request = (
        "PATCH",
        "/api/data/v9.2/contacts(cdcfa450-1111-2222-3333-444444444444)",
        {"firstname": PARTS[0], "lastname": PARTS[1]},
    )


class TestEspoCRM(EditContract):
    provider, standin = "espocrm", test_calls_espocrm.EspoWithCalls
    integration = test_calls_espocrm.TestCalls.integration
    refreshes = False
    request = ("PUT", "/crm/api/v1/Contact/101", {"firstName": PARTS[0], "lastName": PARTS[1]})


class TestFreshdesk(EditContract):
    provider, standin = "freshdesk", test_calls_freshdesk.FreshdeskWithCalls
    integration = test_calls_freshdesk.TestCalls.integration
    request = ("PUT", "/api/v2/contacts/101", {"name": NEW["name"]})


class TestFreshsales(EditContract):
    provider, standin = "freshsales", test_calls_freshsales.FreshsalesWithCalls
    integration = test_calls_freshsales.TestCalls.integration
    request = ("PUT", "/crm/sales/api/contacts/101", {"contact": {"first_name": PARTS[0], "last_name": PARTS[1]}})


class TestPipedrive(EditContract):
    provider, standin = "pipedrive", test_calls_pipedrive.PipedriveWithCalls
    integration = test_calls_pipedrive.TestCalls.integration
    request = ("PATCH", "/v2/persons/101", {"name": NEW["name"], "custom_fields": {}})


class TestSugarCRM(EditContract):
    provider, standin = "sugarcrm", test_calls_sugarcrm.SugarWithCalls
    integration = test_calls_sugarcrm.TestCalls.integration
    request = ("PUT", "/rest/v11/Contacts/101", {"first_name": PARTS[0], "last_name": PARTS[1]})


class TestSuiteCRM(EditContract):
    provider, standin = "suitecrm", test_calls_suitecrm.SuiteWithCalls
    integration = test_calls_suitecrm.TestCalls.integration
    request = (
        "PATCH",
        "/Api/V8/module",
        {"data": {"type": "Contacts", "id": "101", "attributes": {"first_name": PARTS[0], "last_name": PARTS[1]}}},
    )


class TestVtiger(EditContract):
    provider, standin = "vtiger", test_calls_vtiger.VtigerWithCalls
    integration = test_calls_vtiger.CallsInVtiger.integration
    record = "12x101"
    request = ("POST", "/restapi/v1/vtiger/default/revise",
               {"element": {"id": "12x101", "firstname": PARTS[0], "lastname": PARTS[1]}})  # fmt: skip


class TestZendesk(EditContract):
    provider, standin = "zendesk", test_calls_zendesk.ZendeskWithCalls
    integration = test_calls_zendesk.TestCalls.integration
    request = ("PUT", "/api/v2/users/101.json", {"user": {"name": NEW["name"]}})


class TestBitrix24(EditContract):
    provider, standin = "bitrix24", test_calls_bitrix24.BitrixWithCalls
    integration = test_calls_bitrix24.TestCalls.integration
    request = ("POST", "/rest/crm.contact.update", {"id": 101, "fields": {"NAME": PARTS[0], "LAST_NAME": PARTS[1]}})
