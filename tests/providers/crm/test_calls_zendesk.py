"""Calls in Zendesk, as its documentation says: a ticket with our id, comments for agents, files by a token."""

from __future__ import annotations

from dataclasses import replace

import pytest
from aiohttp import web

from routing_engine.calls.ports import EntryContact

from .calls import CallContract
from .contract import Open
from .standin import COLLEAGUES, Asked, Person, Written
from .test_zendesk import Zendesk

pytestmark = pytest.mark.io


class ZendeskWithCalls(Zendesk):
    files: dict[str, bytes]

    def answer(self, asked: Asked) -> web.Response:
        path = asked.path.removeprefix("/api/v2/")
        if path == "users.json" and asked.method == "GET":
            assert [value for name, value in asked.pairs if name == "role[]"] == ["agent", "admin"]
            rows = [{"id": int(one.id), "email": one.email, "phone": one.extension} for one in COLLEAGUES]
            return web.json_response({"users": rows, "next_page": None})
        if path == "users.json":
            given = asked.json["user"]
            assert isinstance(given, dict)
            first, _, last = given["name"].rpartition(" ")
            self.people.append(Person("801", "", first, last, "", given["phone"]))
            return web.json_response({"user": {"id": 801}}, status=201)
        if path == "uploads.json":
            assert (asked.query["filename"], asked.headers["Content-Type"]) == ("call-1.wav", "audio/wav")
            self.files = {"t1": asked.body}
            return web.json_response({"upload": {"token": "t1"}}, status=201)
        if path == "tickets.json" and asked.method == "GET":
            rows = [{"id": int(one.id), "external_id": one.key} for one in self.written.values()]
            return web.json_response(
                {"tickets": [row for row in rows if row["external_id"] == asked.query["external_id"]]}
            )
        if path == "tickets.json":
            return self.ticket(asked.json["ticket"])  # type: ignore[arg-type]
        if path.endswith("/comments.json"):
            found = self.written.get(path.split("/")[1])
            return web.json_response({"comments": [{"id": 1, "body": found.body}] if found is not None else []})
        if asked.method == "PUT" and "requester_id" in str(asked.json):
            requester = asked.json["ticket"]["requester_id"]  # type: ignore[index]
            assert type(requester) is int
            self.written[path.removeprefix("tickets/").removesuffix(".json")].contact = str(requester)
            return web.json_response({"ticket": {}})
        if asked.method == "PUT":
            return self.comment(path.removeprefix("tickets/").removesuffix(".json"), asked.json["ticket"]["comment"])  # type: ignore[index]
        return super().answer(asked)

    def ticket(self, given: dict[str, object]) -> web.Response:
        comment = given["comment"]
        assert isinstance(comment, dict)
        if not comment.get("body") or comment["public"] is not False or not isinstance(given["requester_id"], int):
            return web.json_response({"error": "RecordInvalid"}, status=422)
        entry = Written(
            self.new_id(), str(given["subject"]), comment["body"], "ticket", str(given["requester_id"]),
            str(given["assignee_id"]), key=str(given["external_id"]),
        )  # fmt: skip
        self.written[entry.id] = entry
        return web.json_response({"ticket": {"id": int(entry.id)}}, status=201)

    def comment(self, number: str, given: dict[str, object]) -> web.Response:
        if number == "35436":
            self.written[number] = Written(number, "", str(given["body"]), "comment")
        if number not in self.written:
            return web.json_response({"error": "RecordNotFound"}, status=404)
        if uploads := given.get("uploads"):
            self.written[number].sounds += [self.files[one] for one in uploads]  # type: ignore[attr-defined]
        else:
            self.written[number].body += f"\n{given['body']}"
        return web.json_response({"ticket": {"id": int(number)}})


class TestCalls(CallContract):
    provider = "zendesk"
    standin = ZendeskWithCalls
    integration = """
subdomain: acme
address: ADDRESS
auth:
  oauth2: {client_id: app, client_secret: '${SECRET}', refresh_token: '${REFRESH}', token_url: ADDRESS/oauth/tokens}
"""
    moves = True
    kinds = ("ticket",) * 7
    unmatched = False

    async def test_on_a_ticket_that_was_found_it_is_one_comment(self, crm: Open) -> None:
        entry = replace(self.entry(), contact=EntryContact("ticket", "35436"))
        made = await self.log(crm).log(entry)
        assert await self.log(crm).log(entry, again=True) == made
        assert (made.id, self.only(crm).kind) == ("35436", "comment")
