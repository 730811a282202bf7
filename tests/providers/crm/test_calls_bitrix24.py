"""Calls in Bitrix24, as its documentation says: registered by our id, finished with a code, then an activity."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest
from aiohttp import web

from routing_engine.calls.ports import EntryUser

from .calls import CallContract
from .contract import Open
from .standin import COLLEAGUES, Asked, Person, Written
from .test_bitrix24 import Bitrix24

pytestmark = pytest.mark.io

CODES = {"200", "304", "403", "404", "480", "484", "486", "503", "603", "603-S", "402", "423", "OTHER"}


class BitrixWithCalls(Bitrix24):
    def __post_init__(self) -> None:
        super().__post_init__()
        #: What was registered and is not finished, by our id.
        self.open: dict[str, dict[str, object]] = {}

    def answer(self, asked: Asked) -> web.Response:
        method, given = asked.path.rpartition("/")[2], asked.json
        known = {
            "telephony.externalCall.register": self.register, "telephony.externalCall.finish": self.finish,
            "telephony.externalCall.attachRecord": self.record, "voximplant.statistic.get": self.statistic,
            "crm.activity.update": self.activity, "crm.contact.add": self.contact, "user.get": self.users,
            "user.current": lambda _: self.result({"ID": "1"}),
        }  # fmt: skip
        return known[method](given) if method in known else super().answer(asked)

    def users(self, given: dict[str, object]) -> web.Response:
        wanted = given["FILTER"]
        assert isinstance(wanted, dict)
        if "ID" in wanted:
            return self.result([{"ID": wanted["ID"], "NAME": "Olga", "UF_PHONE_INNER": "17"}])
        rows = [
            {"ID": one.id, "EMAIL": one.email, "UF_PHONE_INNER": one.extension, "ACTIVE": True} for one in COLLEAGUES
        ]
        key, value = next(iter(wanted.items()))
        return self.result([row for row in rows if str(row[key]).casefold() == value.casefold()])

    def register(self, given: dict[str, object]) -> web.Response:
        """Within half an hour the same id gives the same call."""
        if given.get("TYPE") not in (1, 2, 3, 4) or not given.get("PHONE_NUMBER") or not given.get("USER_ID"):
            return self.error(400, "ERROR_CORE")
        if given["CRM_ENTITY_TYPE"] not in ("CONTACT", "COMPANY", "LEAD"):
            return self.error(400, "ERROR_CORE")
        self.open[f"externalCall.{given['EXTERNAL_CALL_ID']}"] = given
        return self.result({"CALL_ID": f"externalCall.{given['EXTERNAL_CALL_ID']}", "CRM_ENTITY_ID": 101})

    def finish(self, given: dict[str, object]) -> web.Response:
        """One that is finished already is unknown; the times and the words are not taken here."""
        call = self.open.pop(str(given["CALL_ID"]), None)
        if call is None or given["STATUS_CODE"] not in CODES or type(given["DURATION"]) is not int:
            return self.error(400, "ERROR_NOT_FOUND")
        entry = Written(
            str(given["CALL_ID"]), "", "", f"{call['TYPE']} {given['STATUS_CODE']}", str(call["CRM_ENTITY_ID"]),
            str(given["USER_ID"]), given["DURATION"], str(call["EXTERNAL_CALL_ID"]),
        )  # fmt: skip
        self.written[entry.id] = entry
        return self.result({"CALL_ID": entry.id, "CRM_ACTIVITY_ID": 4711})

    def statistic(self, given: dict[str, object]) -> web.Response:
        wanted = given["FILTER"]
        assert isinstance(wanted, dict)
        rows = [
            {"CALL_ID": one.id, "EXTERNAL_CALL_ID": one.key, "CRM_ACTIVITY_ID": "4711"} for one in self.written.values()
        ]
        return self.result([row for row in rows if all(row[key] == value for key, value in wanted.items())])

    def activity(self, given: dict[str, object]) -> web.Response:
        (entry,), fields = self.written.values(), given["FIELDS"]
        assert isinstance(fields, dict)
        entry.subject, entry.body = fields["SUBJECT"], fields["DESCRIPTION"]
        return self.result(True)

    def record(self, given: dict[str, object]) -> web.Response:
        self.written[str(given["CALL_ID"])].sounds = [base64.b64decode(str(given["FILE_CONTENT"]), validate=True)]
        return self.result({"FILE_ID": 9})

    def contact(self, given: dict[str, object]) -> web.Response:
        fields = given["fields"]
        assert isinstance(fields, dict)
        self.people.append(Person("801", "", fields["NAME"], fields["LAST_NAME"], "", fields["PHONE"][0]["VALUE"]))
        return self.result(801)


class TestCalls(CallContract):
    provider = "bitrix24"
    standin = BitrixWithCalls
    integration = """
server: ADDRESS
limits: {per_second: 1000}
auth:
  oauth2: {client_id: app, client_secret: '${SECRET}', refresh_token: '${REFRESH}', token_url: ADDRESS/oauth/token/}
"""
    kinds = ("2 200", "2 304", "2 304", "1 200", "1 304", "1 486", "2 200")
    unmatched = False

    async def test_who_is_not_known_leaves_it_to_the_owner_and_then_to_the_engine(self, crm: Open) -> None:
        entry = replace(self.entry(), user=EntryUser())
        await self.log(crm).log(entry)
        assert self.only(crm).user == self.user
        crm.standin.written.clear()
        assert entry.contact is not None
        await self.log(crm).log(replace(entry, contact=replace(entry.contact, fields={})))
        assert self.only(crm).user == "1"
