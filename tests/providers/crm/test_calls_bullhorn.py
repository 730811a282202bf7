"""Calls in Bullhorn, as its documentation says: notes by PUT, changes by POST, ids that are numbers, an index."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping

import pytest
from aiohttp import web

from .calls import CallContract
from .contract import Open, ids
from .standin import COLLEAGUES, Asked, Person, Written
from .test_bullhorn import Bullhorn

pytestmark = pytest.mark.io

USERS = re.compile(r"(email|phone) = '([^']*)' AND isDeleted = false")


class BullhornWithCalls(Bullhorn):
    def answer(self, asked: Asked) -> web.Response:
        path = asked.path.removeprefix("/rest-services/e999/")
        if path == "settings/userId":
            return web.json_response({"userId": 5})
        if path == "query/CorporateUser":
            found = USERS.fullmatch(str(asked.json["where"]))
            assert found is not None
            rows = [{"id": int(one.id), "email": one.email, "phone": one.extension} for one in COLLEAGUES]
            return web.json_response(
                {
                    "data": [
                        row for row in rows if row[found[1]] and str(row[found[1]]).casefold() == found[2].casefold()
                    ]
                }
            )
        if path == "search/Note":
            rows = [{"id": int(one.id), "comments": one.body} for one in self.written.values()]
            return web.json_response({"data": rows})
        if path.startswith("file/"):
            assert path == "file/ClientContact/101"
            (entry,) = self.written.values()
            entry.sounds.append(base64.b64decode(str(asked.json["fileContent"]), validate=True))
            return web.json_response({"fileId": 1})
        if path.startswith("entity/Note"):
            return self.note(path, asked.json)
        if path == "entity/ClientContact":
            return self.contact(asked.json)
        return super().answer(asked)

    def note(self, path: str, given: dict[str, object]) -> web.Response:
        if path != "entity/Note":
            entry = self.written.get(path.rpartition("/")[2])
            if entry is None:
                return self.error(404, "entity not found")
            entry.body = str(given.get("comments", entry.body))
            if isinstance(person := given.get("personReference"), Mapping):
                entry.contact = str(person["id"])
            return web.json_response({"changedEntityId": int(entry.id)})
        person, writer = given["personReference"], given["commentingPerson"]
        assert isinstance(person, Mapping)
        assert isinstance(writer, Mapping)
        if not isinstance(person["id"], int) or given["action"] not in ("Inbound Call", "Outbound Call"):
            return self.error(400, "invalid value")
        entry = Written(self.new_id(), "", str(given["comments"]), str(given["action"]), str(person["id"]),
                        str(writer["id"]))  # fmt: skip
        self.written[entry.id] = entry
        return web.json_response({"changedEntityId": int(entry.id), "changeType": "INSERT"})

    def contact(self, given: dict[str, object]) -> web.Response:
        if not given.get("clientCorporation"):
            return self.error(400, "clientCorporation is required")
        self.people.append(Person("801", "", str(given["firstName"]), str(given["lastName"]), "", str(given["phone"])))
        return web.json_response({"changedEntityId": 801})


class TestCalls(CallContract):
    provider = "bullhorn"
    standin = BullhornWithCalls
    integration = """
oauth_url: ADDRESS/oauth
rest_url: ADDRESS/rest-services
auth: {oauth2: {client_id: app, client_secret: '${SECRET}', refresh_token: '${REFRESH}'}}
"""
    moves = True
    kinds = ("Inbound Call",) * 3 + ("Outbound Call",) * 3 + ("Inbound Call",)
    unmatched = False

    async def test_a_new_record_is_found_by_its_number(self, crm: Open) -> None:
        """Bullhorn takes no contact without a company."""
        fields = {"name": "Max Neu", "phone": "+43 664 9998877", "company_id": "500"}
        made = await self.desk(crm).create("contact", fields)
        assert ids(await crm.caller("+43 664 9998877")) == [made.id]
