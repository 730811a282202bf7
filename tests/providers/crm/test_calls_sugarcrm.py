"""Calls in SugarCRM, as its documentation says: moments as ISO 8601, links of their own, files by a form."""

from __future__ import annotations

import re

import pytest
from aiohttp import web

from .calls import CallContract
from .standin import COLLEAGUES, Asked, Person, Written
from .test_sugarcrm import SugarCRM

pytestmark = pytest.mark.io

MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)")


class SugarWithCalls(SugarCRM):
    note = ""

    def answer(self, asked: Asked) -> web.Response:
        path = asked.path.removeprefix("/rest/v11/")
        if path == "Users/filter":
            return self.users(asked.json["filter"])
        if path == "Calls/filter":
            _, text = asked.json["filter"]  # type: ignore[misc]
            rows = [{"id": one.id} for one in self.written.values() if text["description"]["$contains"] in one.body]
            return web.json_response({"next_offset": -1, "records": rows})
        if found := re.fullmatch(r"Calls/(\w+)/link/contacts/(\w+)", path):
            self.written[found[1]].contact = "" if asked.method == "DELETE" else found[2]
            return web.json_response({})
        if path.startswith("Notes/"):
            self.written[self.note].sounds.append(asked.parts["filename"][1])
            return web.json_response({"filename": {}})
        if path == "Notes":
            self.note = str(asked.json["parent_id"])
            return web.json_response({"id": "n1"})
        if path == "Contacts":
            given = asked.json
            self.people.append(
                Person("801", "", str(given["first_name"]), str(given["last_name"]), "", str(given["phone_work"]))
            )
            return web.json_response({"id": "801"})
        if path.startswith("Calls"):
            return self.call(path, asked.json)
        return super().answer(asked)

    def users(self, conditions: object) -> web.Response:
        assert isinstance(conditions, list)
        rows = [
            {"id": one.id, "email": [{"email_address": one.email}], "phone_work": one.extension} for one in COLLEAGUES
        ]
        wanted = conditions[1]["phone_work"]["$equals"] if len(conditions) > 1 else None
        rows = [row for row in rows if wanted is None or row["phone_work"] == wanted]
        return web.json_response({"next_offset": -1, "records": rows})

    def call(self, path: str, given: dict[str, object]) -> web.Response:
        if path != "Calls":
            entry = self.written.get(path.removeprefix("Calls/"))
            if entry is None:
                return self.error(404, "not_found")
            if "parent_id" in given:
                assert given["parent_type"] == "Contacts"
                return web.json_response({"id": entry.id})
            entry.subject, entry.body = str(given["name"]), str(given["description"])
            return web.json_response({"id": entry.id})
        if not MOMENT.fullmatch(str(given["date_start"])) or given["status"] not in ("Planned", "Held", "Not Held"):
            return self.error(422, "invalid_parameter")
        entry = Written(
            self.new_id(), str(given["name"]), str(given["description"]), f"{given['status']} {given['direction']}",
            "", str(given["assigned_user_id"]), given["duration_minutes"],
        )  # fmt: skip
        self.written[entry.id] = entry
        return web.json_response({"id": entry.id})


class TestCalls(CallContract):
    provider = "sugarcrm"
    moves = True
    standin = SugarWithCalls
    integration = """
server: ADDRESS
auth:
  oauth2: {client_id: sugar, username: engine, password: '${PASSWORD}'}
"""
    kinds = (
        "Held Inbound", "Not Held Inbound", "Not Held Inbound", "Held Outbound", "Not Held Outbound",
        "Not Held Outbound", "Held Inbound",
    )  # fmt: skip
