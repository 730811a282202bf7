"""Calls in Salesforce, as its documentation says: tasks with our id in them, files in parts, lists of words."""

from __future__ import annotations

import json
import re

import pytest
from aiohttp import web

from .calls import CALL, CallContract
from .contract import Open
from .standin import COLLEAGUES, Asked, Person, Written
from .test_salesforce import Salesforce, text_of

pytestmark = pytest.mark.io

TASKS = re.compile(r"SELECT Id FROM Task WHERE CallObject = ('.*') LIMIT 2")
USERS = re.compile(r"SELECT Id,(Email|Extension) FROM User WHERE IsActive = true AND \1 = ('.*') LIMIT 5")
#: The fields of a task that exist, and that may be written.
TASK = {"Subject", "TaskSubtype", "Status", "CallObject", "CallType", "CallDurationInSeconds", "CallDisposition",
        "Description", "ActivityDate", "OwnerId", "WhoId", "WhatId"}  # fmt: skip


class SalesforceWithCalls(Salesforce):
    def answer(self, asked: Asked) -> web.Response:
        path = asked.path.removeprefix("/services/data/v62.0/sobjects/")
        if asked.method == "GET":
            return super().answer(asked)
        if path == "ContentVersion":
            return self.file(asked)
        if path == "Contact":
            given = asked.json
            self.people.append(Person("801", "", str(given.get("FirstName")), str(given["LastName"]), "",
                                      str(given["Phone"])))  # fmt: skip
            return self.created("801")
        return self.task(asked.json) if path == "Task" else self.change(path.removeprefix("Task/"), asked.json)

    def created(self, number: str) -> web.Response:
        return web.json_response({"id": number, "success": True, "errors": []}, status=201)

    def fault(self, given: dict[str, object]) -> str:
        if not set(given) <= TASK:
            return "INVALID_FIELD"
        if given.get("CallType") not in ("Inbound", "Outbound", "Internal", None):
            return "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"
        seconds = given.get("CallDurationInSeconds")
        return "" if seconds is None or type(seconds) is int else "JSON_PARSER_ERROR"

    def task(self, given: dict[str, object]) -> web.Response:
        if fault := self.fault(given):
            return self.error(400, fault)
        entry = Written(
            self.new_id(), str(given["Subject"]), str(given["Description"]),
            f"{given['CallType']} {given['CallDisposition']}", str(given.get("WhoId", "")), str(given["OwnerId"]),
            given["CallDurationInSeconds"], str(given["CallObject"]),
        )  # fmt: skip
        self.written[entry.id] = entry
        return self.created(entry.id)

    def change(self, number: str, given: dict[str, object]) -> web.Response:
        if number not in self.written:
            return self.error(404, "ENTITY_IS_DELETED")
        if fault := self.fault(given):
            return self.error(400, fault)
        entry = self.written[number]
        entry.contact = str(given.get("WhoId", entry.contact) or "")
        entry.subject, entry.body = str(given.get("Subject", entry.subject)), str(given.get("Description", entry.body))
        return web.Response(status=204)

    def file(self, asked: Asked) -> web.Response:
        kind, about = asked.parts["entity_content"]
        assert kind == "application/json"
        self.written[json.loads(about)["FirstPublishLocationId"]].sounds.append(asked.parts["VersionData"][1])
        return self.created("068")

    def query(self, text: str, deleted: bool) -> list[dict[str, object]]:
        if found := TASKS.fullmatch(text):
            return [{"Id": one.id} for one in self.written.values() if one.key == text_of(found[1])]
        if found := USERS.fullmatch(text):
            rows = [{"Id": one.id, "Email": one.email, "Extension": one.extension} for one in COLLEAGUES]
            return [dict(row) for row in rows if row[found[1]].casefold() == text_of(found[2]).casefold()]
        return super().query(text, deleted)


class TestCalls(CallContract):
    provider = "salesforce"
    standin = SalesforceWithCalls
    integration = """
server: ADDRESS
auth:
  oauth2: {client_id: app, client_secret: '${SECRET}', refresh_token: '${REFRESH}'}
"""
    moves = True
    kinds = (
        "Inbound answered", "Inbound missed", "Inbound voicemail", "Outbound answered", "Outbound unanswered",
        "Outbound busy", "Internal answered",
    )  # fmt: skip

    async def test_our_id_stands_in_the_task_and_the_task_has_a_page(self, crm: Open) -> None:
        made = await self.log(crm).log(self.entry())
        assert (self.only(crm).key, self.only(crm).seconds) == (CALL, 300)
        assert made.url == f"{crm.standin.address}/lightning/r/Task/{made.id}/view"
