"""Calls in Freshsales, as its documentation says: a form, a note for what comes later, no list of calls."""

from __future__ import annotations

import pytest
from aiohttp import web

from .calls import CallContract
from .contract import Open
from .standin import COLLEAGUES, Asked, Person, Written
from .test_freshsales import API, Freshsales

pytestmark = pytest.mark.io


class FreshsalesWithCalls(Freshsales):
    def answer(self, asked: Asked) -> web.Response:
        path = asked.path.removeprefix(API)
        if path == "selector/owners":
            return web.json_response({"users": [{"id": int(one.id), "email": one.email} for one in COLLEAGUES]})
        if path == "phone_calls":
            return self.call(asked.form)
        if path == "notes":
            return self.note(asked.json["note"])  # type: ignore[arg-type]
        if path == "contacts" and asked.method == "POST":
            given = asked.json["contact"]
            assert isinstance(given, dict)
            number = given["mobile_number"].replace(" ", "")
            self.people.append(Person("801", "", given["first_name"], given["last_name"], "", "", number))
            return web.json_response({"contact": {"id": 801}}, status=201)
        return super().answer(asked)

    def call(self, form: dict[str, str]) -> web.Response:
        if (
            form["phone_call[call_direction]"] not in ("true", "false")
            or form["phone_call[targetable_type]"] != "contact"
        ):
            return self.error(400, "invalid")
        entry = Written(
            self.new_id(), "", form["phone_call[note][description]"], form["phone_call[call_direction]"],
            form["phone_call[targetable][id]"],
        )  # fmt: skip
        self.written[entry.id] = entry
        return web.json_response({"phone_call": {"id": int(entry.id)}})

    def note(self, given: dict[str, str]) -> web.Response:
        assert (given["targetable_type"], given["targetable_id"]) == ("Contact", "101")
        for entry in self.written.values():
            if given["description"].startswith("https://"):
                entry.links.append(given["description"])
            entry.body += f"\n{given['description']}"
        return web.json_response({"note": {"id": 1}})


class TestCalls(CallContract):
    provider = "freshsales"
    standin = FreshsalesWithCalls
    refreshes = False
    integration = """
server: ADDRESS/crm/sales
auth: {api_key: '${TOKEN}'}
"""
    kinds = ("true", "true", "true", "false", "false", "false", "false")
    unmatched = False
    has_user = False
    has_extension = False
    takes = "link"
    updates = False
    finds = False

    async def test_the_form_is_a_form(self, crm: Open) -> None:
        await self.log(crm).log(self.entry())
        (asked,) = crm.standin.asked
        assert asked.headers["Content-Type"] == "application/x-www-form-urlencoded"
