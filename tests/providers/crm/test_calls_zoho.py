"""Calls in Zoho CRM, as its documentation says: each record has its own answer, a duration for all but missed calls."""

from __future__ import annotations

import re
from typing import Any

import pytest
from aiohttp import web

from .calls import CallContract
from .standin import COLLEAGUES, Asked, Person, Written
from .test_zoho import Zoho

pytestmark = pytest.mark.io

MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d")


class ZohoWithCalls(Zoho):
    def answer(self, asked: Asked) -> web.Response:
        path = asked.path.removeprefix("/crm/v8")
        if path == "/users":
            assert asked.query["type"] == "ActiveUsers"
            rows = [{"id": one.id, "email": one.email, "phone": one.extension} for one in COLLEAGUES]
            return web.json_response({"users": rows, "info": {"more_records": False}})
        if path == "/Calls" and asked.method == "GET":
            rows = [{"id": one.id, "Description": one.body} for one in self.written.values()]
            return web.json_response({"data": rows, "info": {}}) if rows else web.Response(status=204)
        if path.endswith("/Attachments"):
            self.written[path.split("/")[2]].sounds.append(asked.parts["file"][1])
            return self.done("att1")
        if asked.method == "GET":
            return super().answer(asked)
        (given,) = asked.json["data"]  # type: ignore[misc]
        if path == "/Contacts":
            self.people.append(Person("801", "", given["First_Name"], given["Last_Name"], "", given["Phone"]))
            return self.done("801")
        return self.call(given) if path == "/Calls" else self.change(path.removeprefix("/Calls/"), given)

    def done(self, number: str) -> web.Response:
        return web.json_response({"data": [{"code": "SUCCESS", "status": "success", "details": {"id": number}}]})

    def refused(self, code: str) -> web.Response:
        return web.json_response({"data": [{"code": code, "status": "error", "details": {}}]}, status=202)

    def call(self, given: dict[str, object]) -> web.Response:
        kind = given["Call_Type"]
        if kind not in ("Inbound", "Outbound", "Missed") or not MOMENT.fullmatch(str(given["Call_Start_Time"])):
            return self.refused("INVALID_DATA")
        if kind != "Missed" and not re.fullmatch(r"\d{2,}:\d\d", str(given.get("Call_Duration"))):
            return self.refused("INVALID_DATA")
        if "What_Id" in given and "$se_module" not in given:
            return self.refused("MANDATORY_NOT_FOUND")
        who, owner = given.get("Who_Id", {}), given["Owner"]
        assert isinstance(who, dict)
        assert isinstance(owner, dict)
        entry = Written(self.new_id(), str(given["Subject"]), str(given["Description"]), str(kind), who.get("id", ""),
                        owner["id"])  # fmt: skip
        self.written[entry.id] = entry
        return self.done(entry.id)

    def change(self, number: str, given: dict[str, Any]) -> web.Response:
        """Neither kind, owner nor start of a call that is over can be changed."""
        if number not in self.written or {"Call_Type", "Owner", "Call_Start_Time"} & set(given):
            return self.refused("INVALID_DATA")
        entry = self.written[number]
        if (who := given.get("Who_Id", entry.contact)) != entry.contact:
            assert given["What_Id"] is None
            entry.contact = who["id"]
            return self.done(number)
        entry.subject, entry.body = given["Subject"], given["Description"]
        return self.done(number)


class TestCalls(CallContract):
    provider = "zoho"
    standin = ZohoWithCalls
    integration = """
address: ADDRESS/crm/v8
auth:
  oauth2: {client_id: app, client_secret: '${SECRET}', refresh_token: '${REFRESH}', token_url: ADDRESS/oauth/v2/token}
"""
    moves = True
    kinds = ("Inbound", "Missed", "Missed", "Outbound", "Outbound", "Outbound", "Inbound")
