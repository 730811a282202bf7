"""Calls in Pipedrive, as its documentation says: call logs that are written once, and the activity of each."""

from __future__ import annotations

import re

import pytest
from aiohttp import web

from .calls import CallContract
from .standin import COLLEAGUES, Asked, Person, Written
from .test_pipedrive import Pipedrive

pytestmark = pytest.mark.io

MOMENT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
OUTCOMES = {"connected", "no_answer", "left_message", "left_voicemail", "wrong_number", "busy"}


class PipedriveWithCalls(Pipedrive):
    def answer(self, asked: Asked) -> web.Response:
        path = asked.path
        if path == "/v1/users":
            rows = [{"id": int(one.id), "email": one.email, "active_flag": True} for one in COLLEAGUES]
            return self.data([*rows, {"id": 13, "email": "anna@example.com", "active_flag": False}])
        if path == "/v1/callLogs" and asked.method == "GET":
            return self.data([{"id": f"CAS{one.id}", "note": one.body} for one in self.written.values()])
        if path == "/v1/callLogs":
            return self.call(asked.json)
        if path.endswith("/recordings"):
            self.written[path.split("/")[3].removeprefix("CAS")].sounds.append(asked.parts["file"][1])
            return self.data({})
        if path.startswith("/v1/callLogs/"):
            number = path.rpartition("/CAS")[2]
            return self.data({"activity_id": int(number)}) if number in self.written else self.error(404, "")
        if path.startswith("/v2/activities/"):
            self.written[path.rpartition("/")[2]].body = str(asked.json["note"])
            return self.data({})
        if asked.method == "POST":
            return self.person(asked.json)
        return super().answer(asked)

    def refusal(self, status: int) -> web.Response:
        return self.error(status, "ERR_FORBIDDEN")

    def data(self, found: object) -> web.Response:
        return web.json_response({"success": True, "data": found})

    def call(self, given: dict[str, object]) -> web.Response:
        """There is no way to change it later."""
        moments = [str(given.get(one)) for one in ("start_time", "end_time")]
        if given.get("outcome") not in OUTCOMES or not given.get("to_phone_number"):
            return self.error(400, "ERR_SCHEMA_VALIDATION_FAILED")
        if not all(MOMENT.fullmatch(one) for one in moments) or not isinstance(given["duration"], str):
            return self.error(400, "ERR_SCHEMA_VALIDATION_FAILED")
        entry = Written(
            self.new_id(), str(given["subject"]), str(given["note"]), str(given["outcome"]),
            str(given.get("person_id", "")), str(given["user_id"]),
        )  # fmt: skip
        self.written[entry.id] = entry
        return self.data({"id": f"CAS{entry.id}", "activity_id": int(entry.id)})

    def person(self, given: dict[str, object]) -> web.Response:
        (phone,) = given["phones"]  # type: ignore[misc]
        first, _, last = str(given["name"]).rpartition(" ")
        self.people.append(Person("801", "", first, last, "", phone["value"]))
        return self.data({"id": 801})


class TestCalls(CallContract):
    provider = "pipedrive"
    standin = PipedriveWithCalls
    integration = """
company: acme
address: ADDRESS
limits: {per_second: 1000}
auth:
  oauth2: {client_id: app, client_secret: '${SECRET}', refresh_token: '${REFRESH}', token_url: ADDRESS/oauth/token}
"""
    kinds = ("connected", "no_answer", "left_voicemail", "connected", "no_answer", "busy", "connected")
    has_extension = False
    prefix = "CAS"
