"""Calls in Vtiger, as strict as the real 8.0 was: whole hours, an owner, ids with their module, errors with 200."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace

import pytest
from aiohttp import web

from routing_engine.calls.ports import EntryUser

from .calls import CallContract
from .contract import Open
from .standin import COLLEAGUES, Asked, Person, Written
from .test_vtiger import Vtiger, VtigerOpen

pytestmark = pytest.mark.io

MUST = ("subject", "activitytype", "eventstatus", "date_start", "time_start", "due_date", "duration_hours",
        "assigned_user_id")  # fmt: skip
FOUND = re.compile(r"SELECT [\w, ]+ FROM (Events|Users) WHERE (\w+) (=|LIKE) '([^']*)' LIMIT \d+;")


class _Writes(Vtiger):
    def write(self, operation: str, form: Mapping[str, str]) -> web.Response:
        element = json.loads(form["element"])
        if operation == "revise":
            return self.revise(element)
        if form["elementType"] == "Contacts":
            return self.contact(element)
        assert form["elementType"] == "Events"
        return self.event(element)

    def event(self, given: dict[str, str]) -> web.Response:
        for name in MUST:
            if not given.get(name):
                return self.error("MANDATORY_FIELDS_MISSING")
        assert re.fullmatch(r"\d+", given["duration_hours"])
        entry = Written(
            f"18x{self.new_id()}", given["subject"], given["description"], given["eventstatus"],
            given.get("contact_id", ""), given["assigned_user_id"],
        )  # fmt: skip
        self.written[entry.id] = entry
        return self.give({"id": entry.id, **given})

    def revise(self, given: dict[str, str]) -> web.Response:
        if given["id"] not in self.written:
            return self.error("ACCESS_DENIED", 403 if self.error_status != 200 else 0)
        entry = self.written[given["id"]]
        entry.contact = given.get("contact_id", entry.contact)
        entry.subject, entry.body = given.get("subject", entry.subject), given.get("description", entry.body)
        return self.give({"id": given["id"]})

    def contact(self, given: dict[str, str]) -> web.Response:
        if not given.get("assigned_user_id") or not given.get("lastname"):
            return self.error("MANDATORY_FIELDS_MISSING")
        self.people.append(Person("801", "", given.get("firstname", ""), given["lastname"], "", given["phone"]))
        return self.give({"id": "12x801"})

    def select(self, text: str) -> list[dict[str, object]]:
        found = FOUND.fullmatch(text)
        if found is None:
            return super().select(text)
        if found[1] == "Events":
            return [{"id": one.id} for one in self.written.values() if found[4].strip("%") in one.body]
        rows = [{"id": f"19x{one.id}", "email1": one.email, "phone_work": one.extension} for one in COLLEAGUES]
        return [dict(row) for row in rows if str(row[found[2]]).casefold() == found[4].casefold()]


class VtigerWithCalls(_Writes):
    def answer(self, asked: Asked) -> web.Response:
        operation = asked.path.rpartition("/")[2]
        return self.write(operation, asked.form) if asked.method == "POST" else super().answer(asked)


class VtigerOpenWithCalls(VtigerOpen, _Writes):
    async def handle(self, request: web.Request) -> web.Response:
        form = dict(await request.post())
        self.form = {name: str(value) for name, value in form.items()}
        return await super().handle(request)

    def operate(self, operation: str, query: Mapping[str, str]) -> web.Response:
        if operation in ("create", "revise"):
            return self.write(operation, self.form)
        return super().operate(operation, query)


class CallsInVtiger(CallContract):
    integration = """
server: ADDRESS
auth: {access_key: {user: engine, access_key: '${TOKEN}'}}
"""
    moves = True
    kinds = ("Held", "Not Held", "Not Held", "Held", "Not Held", "Not Held", "Held")
    contact = "12x101"
    user = "19x9"
    takes = ""

    async def test_an_unknown_user_leaves_it_to_the_owner_and_then_to_the_engine(self, crm: Open) -> None:
        entry = replace(self.entry(), user=EntryUser())
        await self.log(crm).log(entry)
        assert self.only(crm).user == "19x9"  # the owner of the record
        crm.standin.written.clear()
        await self.log(crm).log(replace(entry, contact=None))
        assert self.only(crm).user == "19x1"


class TestCalls(CallsInVtiger):
    provider = "vtiger"
    standin = VtigerWithCalls
    refreshes = False


class TestCallsOpenSource(CallsInVtiger):
    provider = "vtiger_open"
    standin = VtigerOpenWithCalls
