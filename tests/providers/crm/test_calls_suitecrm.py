"""Calls in SuiteCRM, as strict as the real 7.13 was: moments in one form, the odd zero, a link of the contact's own."""

from __future__ import annotations

import base64
import re

import pytest
from aiohttp import web

from .calls import CallContract
from .standin import COLLEAGUES, Asked, Person, Written
from .test_suitecrm import SuiteCRM

pytestmark = pytest.mark.io

MOMENT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")


class SuiteWithCalls(SuiteCRM):
    def answer(self, asked: Asked) -> web.Response:
        path = asked.path.removeprefix("/Api/V8")
        if path == "/module/Users":
            return self.users(asked)
        if path == "/module/Calls":
            assert asked.query["filter[operator]"] == "and"
            wanted = asked.query["filter[description][like]"].strip("%")
            found = [one for one in self.written.values() if wanted in one.body]
            return web.json_response({"data": [{"type": "Call", "id": one.id, "attributes": {}} for one in found]})
        if asked.method == "DELETE":
            _, _, _, call, _, name, contact = path.split("/")
            assert (name, self.written[call].contact) == ("contacts", contact)
            self.written[call].contact = ""
            return web.json_response({"meta": {}})
        if path.endswith("/relationships"):
            return self.link(path.split("/")[3], asked.json["data"])  # type: ignore[arg-type]
        if path != "/module":
            return super().answer(asked)
        data = asked.json["data"]
        assert isinstance(data, dict)
        if asked.method == "PATCH":
            return self.change(data["id"], data["attributes"])
        return {"Calls": self.call, "Notes": self.note, "Contacts": self.contact}[data["type"]](data["attributes"])

    def users(self, asked: Asked) -> web.Response:
        """The addresses are joined after the rows were counted: no filter knows them."""
        if any("email1" in name for name in asked.query):
            return self.error(400, "Unknown column")
        wanted = asked.query.get("filter[phone_work][eq]")
        people = [one for one in COLLEAGUES if wanted is None or one.extension == wanted]
        rows = [{"email1": one.email, "phone_work": one.extension} for one in people]
        return web.json_response(
            {"data": [{"type": "User", "id": p.id, "attributes": r} for p, r in zip(people, rows, strict=True)]}
        )

    def call(self, given: dict[str, object]) -> web.Response:
        """What is no moment becomes nothing, with status 201 all the same; so does the end without whole hours."""
        began = given["date_start"] if MOMENT.fullmatch(str(given["date_start"])) else None
        assert began == "2026-11-30 13:00:00"
        assert (given["duration_hours"], given["status"] in ("Planned", "Held", "Not Held")) == ("00", True)
        entry = Written(
            self.new_id(), str(given["name"]), str(given["description"]), f"{given['status']} {given['direction']}",
            "", str(given.get("assigned_user_id", "")), given["duration_minutes"],
        )  # fmt: skip
        self.written[entry.id] = entry
        return web.json_response({"data": {"type": "Call", "id": entry.id, "attributes": {}}}, status=201)

    def link(self, call: str, data: dict[str, str]) -> web.Response:
        """Only by this link does a contact's page show a call."""
        assert data["type"] == "Contacts"
        self.written[call].contact = data["id"]
        return web.json_response({"meta": {}}, status=201)

    def change(self, call: str, given: dict[str, str]) -> web.Response:
        if call not in self.written:
            return self.error(400, f'The option "id" with value "{call}" is invalid.')
        if "parent_id" in given:
            assert given["parent_type"] == "Contacts"
            return web.json_response({"data": {"type": "Call", "id": call}}, status=201)
        self.written[call].subject, self.written[call].body = given["name"], given["description"]
        return web.json_response({"data": {"type": "Call", "id": call}}, status=201)

    def note(self, given: dict[str, str]) -> web.Response:
        assert (given["parent_type"], given["filename"]) == ("Calls", "call-1.wav")
        self.written[given["parent_id"]].sounds.append(base64.b64decode(given["filecontents"], validate=True))
        return web.json_response({"data": {"type": "Note", "id": "n1"}}, status=201)

    def contact(self, given: dict[str, str]) -> web.Response:
        self.people.append(Person("801", "", given.get("first_name", ""), given["last_name"], "", given["phone_work"]))
        return web.json_response({"data": {"type": "Contact", "id": "801"}}, status=201)


class TestCalls(CallContract):
    provider = "suitecrm"
    moves = True
    standin = SuiteWithCalls
    integration = """
server: ADDRESS
auth:
  oauth2: {client_id: 3f0c, client_secret: '${SECRET}'}
"""
    kinds = (
        "Held Inbound", "Not Held Inbound", "Not Held Inbound", "Held Outbound", "Not Held Outbound",
        "Not Held Outbound", "Held Inbound",
    )  # fmt: skip
