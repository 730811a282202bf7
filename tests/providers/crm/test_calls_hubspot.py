"""Calls in HubSpot, as its public documentation says: texts alone, lists of words, an association by number."""

from __future__ import annotations

import pytest
from aiohttp import web

from .calls import CALL, CallContract
from .contract import Open
from .standin import COLLEAGUES, Asked, Person, Written
from .test_hubspot import OBJECTS, HubSpot

pytestmark = pytest.mark.io

STATUSES = {"BUSY", "CALLING_CRM_USER", "CANCELED", "COMPLETED", "CONNECTING", "FAILED", "IN_PROGRESS", "NO_ANSWER",
            "QUEUED", "RINGING"}  # fmt: skip


class HubSpotWithCalls(HubSpot):
    def answer(self, asked: Asked) -> web.Response:
        if asked.path == "/crm/owners/2026-03":
            rows = [one for one in COLLEAGUES if one.email.casefold() == asked.query["email"].casefold()]
            return web.json_response({"results": [{"id": one.id, "email": one.email, "userId": 5} for one in rows]})
        path = asked.path.removeprefix(f"{OBJECTS}/")
        if path == "calls/search":
            wanted = asked.json["filterGroups"][0]["filters"][0]["value"]  # type: ignore[index]
            return self.page([{"id": one.id} for one in self.written.values() if one.key == wanted], "", "2")
        if path == "calls":
            return self.call(asked.json)
        if path.count("/") > 1:
            return self.associate(asked.method, path.split("/"))
        if path.startswith("calls/"):
            return self.change(path.removeprefix("calls/"), asked.json["properties"])  # type: ignore[arg-type]
        if path == "contacts" and asked.method == "POST":
            given = asked.json["properties"]
            assert isinstance(given, dict)
            self.people.append(Person("801", "", given["firstname"], given["lastname"], "", given["phone"]))
            return web.json_response({"id": "801"}, status=201)
        return super().answer(asked)

    def refused(self) -> web.Response:
        return web.json_response({"status": "error", "category": "VALIDATION_ERROR"}, status=400)

    def call(self, given: dict[str, object]) -> web.Response:
        properties, links = given["properties"], given.get("associations", [])
        assert isinstance(properties, dict)
        assert isinstance(links, list)
        texts = all(isinstance(value, str) for value in properties.values()) and "hs_timestamp" in properties
        if not texts or properties["hs_call_direction"] not in ("INBOUND", "OUTBOUND"):
            return self.refused()
        if properties["hs_call_status"] not in STATUSES or not properties["hs_call_duration"].isdecimal():
            return self.refused()
        if any(one["types"] != [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 194}] for one in links):
            return self.refused()
        entry = Written(
            self.new_id(), properties["hs_call_title"], properties["hs_call_body"],
            f"{properties['hs_call_direction']} {properties['hs_call_status']}", links[0]["to"]["id"] if links else "",
            properties["hubspot_owner_id"], properties["hs_call_duration"], properties["hs_call_external_id"],
        )  # fmt: skip
        self.written[entry.id] = entry
        return web.json_response({"id": entry.id, "properties": properties}, status=201)

    def associate(self, method: str, parts: list[str]) -> web.Response:
        _, call, word, kind, record, number = parts
        assert (word, kind, number) == ("associations", "contacts", "194")
        entry = self.written[call]
        if method == "DELETE":
            assert entry.contact == record
        entry.contact = "" if method == "DELETE" else record
        return web.Response(status=204) if method == "DELETE" else web.json_response({"id": call})

    def change(self, number: str, given: dict[str, str]) -> web.Response:
        if number not in self.written:
            return web.json_response({"status": "error", "category": "OBJECT_NOT_FOUND"}, status=404)
        entry = self.written[number]
        entry.body = given.get("hs_call_body", entry.body)
        if "hs_call_recording_url" in given:
            assert given["hs_call_recording_url"].startswith("https://")
            entry.links.append(given["hs_call_recording_url"])
        return web.json_response({"id": number})


class TestCalls(CallContract):
    provider = "hubspot"
    standin = HubSpotWithCalls
    integration = """
address: ADDRESS
auth:
  oauth2: {client_id: app, client_secret: '${SECRET}', refresh_token: '${REFRESH}', token_url: ADDRESS/oauth/v1/token}
"""
    kinds = (
        "INBOUND COMPLETED", "INBOUND NO_ANSWER", "INBOUND NO_ANSWER", "OUTBOUND COMPLETED", "OUTBOUND NO_ANSWER",
        "OUTBOUND BUSY", "INBOUND COMPLETED",
    )  # fmt: skip
    takes = "link"
    moves = True
    has_extension = False

    async def test_our_id_the_milliseconds_and_lines_of_html(self, crm: Open) -> None:
        await self.log(crm).log(self.entry())
        found = self.only(crm)
        assert (found.key, found.seconds) == (CALL, "300400")
        assert "<br>" in found.body
