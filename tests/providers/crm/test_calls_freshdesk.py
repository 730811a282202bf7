"""Calls in Freshdesk, as its documentation says: tickets with whole numbers, notes, files in parts."""

from __future__ import annotations

from dataclasses import replace

import pytest
from aiohttp import web

from routing_engine.calls.ports import EntryContact

from .calls import CallContract
from .contract import Open
from .standin import COLLEAGUES, Asked, Person, Written
from .test_freshdesk import Freshdesk

pytestmark = pytest.mark.io


class FreshdeskWithCalls(Freshdesk):
    def answer(self, asked: Asked) -> web.Response:
        path = asked.path.removeprefix("/api/v2/")
        if path == "agents":
            key = "email" if "email" in asked.query else "phone"
            rows = [{"id": int(one.id), "contact": {"email": one.email, "phone": one.extension}} for one in COLLEAGUES]
            return web.json_response(
                [row for row in rows if row["contact"][key].casefold() == asked.query[key].casefold()]
            )  # type: ignore[index]
        if path == "contacts" and asked.method == "POST":
            first, _, last = str(asked.json["name"]).rpartition(" ")
            self.people.append(Person("801", "", first, last, "", str(asked.json["phone"]).replace(" ", "")))
            return web.json_response({"id": 801}, status=201)
        if path == "tickets" and asked.method == "GET":
            assert asked.query["include"] == "description"
            rows = [{"id": int(one.id), "description": one.body} for one in self.written.values()]
            return web.json_response(rows)
        if path == "tickets":
            return self.ticket(asked.json)
        if path.endswith("/conversations"):
            return web.json_response([{"id": 3, "body": one.body} for one in self.written.values()])
        if asked.method == "PUT":
            requester = asked.json["requester_id"]
            assert type(requester) is int
            self.written[path.removeprefix("tickets/")].contact = str(requester)
            return web.json_response({})
        return self.note(path.split("/")[1], asked) if path.startswith("tickets/") else super().answer(asked)

    def ticket(self, given: dict[str, object]) -> web.Response:
        numbers = ("requester_id", "responder_id", "status", "priority", "source")
        if not all(type(given[name]) is int for name in numbers) or given["status"] not in (2, 3, 4, 5):
            return self.invalid()
        entry = Written(
            self.new_id(), str(given["subject"]), str(given["description"]), str(given["status"]),
            str(given["requester_id"]), str(given["responder_id"]),
        )  # fmt: skip
        self.written[entry.id] = entry
        return web.json_response({"id": int(entry.id)}, status=201)

    def note(self, number: str, asked: Asked) -> web.Response:
        if number == "35436" and number not in self.written:
            self.written[number] = Written(number, "", "", "note")
        if number not in self.written:
            return web.Response(status=404)
        if asked.headers["Content-Type"].startswith("multipart/"):
            assert asked.parts["private"] == ("", b"true")
            self.written[number].sounds.append(asked.parts["attachments[]"][1])
        else:
            assert asked.json["private"] is True
            self.written[number].body += f"\n{asked.json['body']}"
        return web.json_response({"id": 3, "ticket_id": int(number)}, status=201)


class TestCalls(CallContract):
    provider = "freshdesk"
    standin = FreshdeskWithCalls
    refreshes = False
    integration = """
server: ADDRESS
limits: {per_second: 1000}
auth: {api_key: '${TOKEN}'}
"""
    moves = True
    kinds = ("5", "2", "2", "5", "5", "5", "5")
    unmatched = False

    async def test_on_a_ticket_that_was_found_it_is_one_note(self, crm: Open) -> None:
        entry = replace(self.entry(), contact=EntryContact("ticket", "35436"))
        made = await self.log(crm).log(entry)
        assert await self.log(crm).log(entry, again=True) == made
        assert (made.id, self.only(crm).kind) == ("35436", "note")
