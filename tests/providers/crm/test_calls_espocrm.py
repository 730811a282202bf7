"""Calls in EspoCRM, as strict as the real 9.1 was: an assignee, moments in one form, sounds only in the stream."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace

import pytest
from aiohttp import web

from routing_engine.calls.ports import EntryUser

from .calls import CallContract
from .contract import Open
from .standin import COLLEAGUES, Asked, Person, Written
from .test_espocrm import EspoCRM

pytestmark = pytest.mark.io

MOMENT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")


def bad(reason: str, status: int = 400) -> web.Response:
    return web.Response(status=status, headers={"X-Status-Reason": reason})


class EspoWithCalls(EspoCRM):
    files: dict[str, bytes]

    def answer(self, asked: Asked) -> web.Response:
        path = asked.path.removeprefix("/crm/api/v1/")
        if path == "App/user":
            return web.json_response({"user": {"id": "9", "userName": "engine"}})
        if path == "User" or (path == "Call" and asked.method == "GET"):
            return self.search(path, json.loads(asked.query["searchParams"]))
        if asked.method == "GET":
            return super().answer(asked)
        return {"Call": self.call, "Attachment": self.attachment, "Note": self.note, "Contact": self.contact}.get(
            path, lambda body: self.change(path, body)
        )(asked.json)

    def search(self, path: str, params: dict[str, list[dict[str, str]]]) -> web.Response:
        wanted = {one["attribute"]: one.get("value", "") for one in params["where"]}
        if path == "Call":
            rows = [{"id": one.id} for one in self.written.values() if wanted["description"] in one.body]
            return web.json_response({"total": -2, "list": rows})
        people = [{"id": one.id, "emailAddress": one.email, "phoneNumber": one.extension} for one in COLLEAGUES]
        key = "emailAddress" if "emailAddress" in wanted else "phoneNumber"
        rows = [one for one in people if one[key].casefold() == wanted[key].casefold()]
        return web.json_response({"total": -2, "list": rows})

    def call(self, body: dict[str, object]) -> web.Response:
        for name in ("name", "assignedUserId", "dateStart", "dateEnd"):
            if not body.get(name):
                return bad(f"Field validation failure; entityType: Call, field: {name}, type: required.")
        if not all(MOMENT.fullmatch(str(body[one])) for one in ("dateStart", "dateEnd")):
            return bad("Field validation failure; type: valid")
        if body["status"] not in ("Planned", "Held", "Not Held") or body["direction"] not in ("Inbound", "Outbound"):
            return bad("Field validation failure; type: valid")
        if body.get("parentId") and str(body["parentId"]) not in {one.id for one in self.people}:
            return bad("Can't relate with non-existing record", 403)
        entry = Written(
            self.new_id(), str(body["name"]), str(body["description"]), f"{body['status']} {body['direction']}",
            str(body.get("parentId", "")), str(body["assignedUserId"]),
        )  # fmt: skip
        self.written[entry.id] = entry
        return web.json_response({"id": entry.id, **body})

    def change(self, path: str, body: dict[str, object]) -> web.Response:
        entry = self.written.get(path.removeprefix("Call/"))
        if entry is None:
            return web.Response(status=404)
        entry.contact = str(body["parentId"])
        entry.subject, entry.body = str(body.get("name", entry.subject)), str(body.get("description", entry.body))
        return web.json_response({"id": entry.id})

    def attachment(self, body: dict[str, str]) -> web.Response:
        head, _, data = body["file"].partition(";base64,")
        if (body["parentType"], body["field"], body["role"]) != ("Note", "attachments", "Attachment"):
            return bad("Not allowed file type.", 403)
        assert head == f"data:{body['type']}" == "data:audio/wav"
        self.files = {"f1": base64.b64decode(data, validate=True)}
        return web.json_response({"id": "f1"})

    def note(self, body: dict[str, object]) -> web.Response:
        assert (body["type"], body["parentType"]) == ("Post", "Call")
        self.written[str(body["parentId"])].sounds.append(self.files["f1"])
        return web.json_response({"id": "n1"})

    def contact(self, body: dict[str, str]) -> web.Response:
        if not body.get("lastName"):
            return bad("Field validation failure; field: lastName, type: required.")
        self.people.append(Person("801", "", body.get("firstName", ""), body["lastName"], "", body["phoneNumber"]))
        return web.json_response({"id": "801"})


class TestCalls(CallContract):
    provider = "espocrm"
    standin = EspoWithCalls
    refreshes = False
    integration = """
server: ADDRESS/crm
auth: {api_key: '${TOKEN}'}
"""
    moves = True
    kinds = (
        "Held Inbound", "Not Held Inbound", "Not Held Inbound", "Held Outbound", "Not Held Outbound",
        "Not Held Outbound", "Held Inbound",
    )  # fmt: skip

    async def test_who_is_not_known_there_leaves_the_call_to_the_engine_s_own_user(self, crm: Open) -> None:
        await self.log(crm).log(replace(self.entry(), user=EntryUser()))
        assert self.only(crm).user == "9"
