"""Calls in Dynamics 365, as Microsoft documents Dataverse: rows with ids of ours, states, bindings, Base64."""

from __future__ import annotations

import base64
import re

import pytest
from aiohttp import web

from .calls import CALL, CallContract
from .contract import Open
from .standin import COLLEAGUES, Asked, Person, Written
from .test_dynamics import DATA, Dynamics, text_of

pytestmark = pytest.mark.io

BOUND = re.compile(r"/(systemusers|contacts|phonecalls)\(([^)]+)\)")
USERS = re.compile(r"isdisabled eq false and (internalemailaddress|address1_telephone1) eq ('.*')")


class DynamicsWithCalls(Dynamics):
    def answer(self, asked: Asked) -> web.Response:
        path = asked.path.removeprefix(DATA)
        if path == "/systemusers":
            return self.users(asked.query["$filter"])
        if asked.method == "GET":
            return super().answer(asked)
        if path == "/annotations":
            return self.file(asked.json)
        if path == "/contacts":
            given = asked.json
            self.people.append(Person("801", "", str(given["firstname"]), str(given["lastname"]), "",
                                      str(given["telephone1"])))  # fmt: skip
            return web.json_response({"contactid": "801"}, status=201)
        return self.upsert(path[len("/phonecalls(") : -1], asked)

    def users(self, condition: str) -> web.Response:
        found = USERS.fullmatch(condition)
        assert found is not None
        rows = [
            {"systemuserid": one.id, "internalemailaddress": one.email, "address1_telephone1": one.extension}
            for one in COLLEAGUES
        ]
        fits = [row for row in rows if row[found[1]].casefold() == text_of(found[2]).casefold()]
        return web.json_response({"value": fits})

    def upsert(self, number: str, asked: Asked) -> web.Response:
        """A row that is not there is made, unless `If-Match` says that it must be."""
        given, entry = asked.json, self.written.get(number)
        if entry is None and "If-Match" in asked.headers:
            return self.error(404, "0x80040217")
        if "directioncode" in given and not isinstance(given["directioncode"], bool):
            return self.error(400, "0x80048d19")
        if entry is None:
            entry = self.written[number] = Written(number, "", "", key=number)
        self.change(entry, given)
        if asked.headers.get("Prefer") == "return=representation":
            return web.json_response({"activityid": number, **given})
        return web.Response(status=204)

    def change(self, entry: Written, given: dict[str, object]) -> None:
        entry.subject, entry.body = str(given.get("subject", entry.subject)), str(given.get("description", entry.body))
        if "directioncode" in given:
            entry.kind = "outgoing" if given["directioncode"] else "incoming"
        entry.kind += f" {given['statecode']}/{given['statuscode']}" if "statecode" in given else ""
        for name, value in given.items():
            found = BOUND.fullmatch(str(value)) if name.endswith("@odata.bind") else None
            if found is not None and found[1] == "systemusers":
                entry.user = found[2]
            elif found is not None:
                assert name == "regardingobjectid_contact_phonecall@odata.bind"
                entry.contact = found[2]

    def file(self, given: dict[str, object]) -> web.Response:
        call = BOUND.fullmatch(str(given["objectid_phonecall@odata.bind"]))
        assert call is not None
        self.written[call[2]].sounds.append(base64.b64decode(str(given["documentbody"]), validate=True))
        return web.Response(status=204)


class TestCalls(CallContract):
    provider = "dynamics"
    standin = DynamicsWithCalls
    integration = """
server: ADDRESS
tenant: acme.onmicrosoft.com
auth:
  oauth2: {client_id: app, client_secret: '${SECRET}', token_url: ADDRESS/acme.onmicrosoft.com/oauth2/v2.0/token}
"""
    moves = True
    kinds = (
        "incoming 1/4", "incoming 1/4", "incoming 1/4", "outgoing 1/2", "outgoing 1/2", "outgoing 1/2", "incoming 1/4",
    )  # fmt: skip

    async def test_the_row_has_our_id(self, crm: Open) -> None:
        assert (await self.log(crm).log(self.entry())).id == CALL
