"""How each CRM is told who is calling: the requests of its documentation, of a known caller, to the right person."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl

import pytest
from aiohttp import web

from routing_engine.calls.call import Call, CallContact
from routing_engine.calls.log_entry import entry_of
from routing_engine.calls.ports import CallScreen, EntryUser, LogEntry
from routing_engine.providers.crm.provider import CrmProvider
from routing_engine.settings.call_log import CallLogKeys

from . import test_calls_bitrix24, test_calls_hubspot, test_calls_zendesk, test_calls_zoho
from .contract import Open, OpensCrm
from .standin import Asked

pytestmark = pytest.mark.io

STARTED = 1_796_043_600.25
CALLER = CallContact("found", "crm", "contact", "101", "Anna Gruber")
RINGS = Call("our-id", "main", "1.1", "inbound", STARTED, from_="+436641234567", to="201", did="+4312345601",
             contact=CALLER)  # fmt: skip


class PopContract(OpensCrm):
    """Run for each system: `shown` and `closed` are the requests, as method, path and body."""

    shown: tuple[tuple[str, str, Any], ...]
    closed: tuple[tuple[str, str, Any], ...] = ()
    answers: dict[str, Any] = {}  # noqa: RUF012
    #: Whether it shows callers that nobody knows.
    unknown = True

    def entry(self, call: Call = RINGS) -> LogEntry:
        subject = CallLogKeys().subject("inbound", "answered")
        return entry_of(call, subject, None, EntryUser("9", "201", "Anna Agent", "anna@example.com"))

    def screen(self, crm: Open, sent: list[tuple[str, str, Any]]) -> CallScreen:
        usual = crm.standin.answer

        def take(asked: Asked) -> web.Response:
            for path, answer in self.answers.items():
                if asked.path.endswith(path):
                    form = "form-urlencoded" in asked.headers.get("Content-Type", "")
                    body = dict(parse_qsl(asked.body.decode())) if form else json.loads(asked.body or b"null")
                    sent.append((asked.method, asked.path, body))
                    return web.json_response(answer)
            return usual(asked)

        crm.standin.answer = take  # type: ignore[method-assign]
        assert isinstance(crm.provider, CrmProvider)
        found = crm.provider.screen()
        assert found is not None
        return found

    async def test_a_known_caller_is_shown_and_taken_away(self, crm: Open) -> None:
        sent = list[tuple[str, str, Any]]()
        screen = self.screen(crm, sent)
        told = await screen.pop(self.entry())
        assert tuple(sent) == self.shown
        sent.clear()
        assert told is not None
        await screen.close(self.entry(), told)
        assert tuple(sent) == self.closed

    async def test_an_unknown_caller_is_shown_where_the_system_finds_out_itself(self, crm: Open) -> None:
        sent = list[tuple[str, str, Any]]()
        told = await self.screen(crm, sent).pop(self.entry(replace(RINGS, contact=None)))
        assert (told is not None, bool(sent)) == (self.unknown, self.unknown)


class TestHubSpot(PopContract):
    provider, standin = "hubspot", test_calls_hubspot.HubSpotWithCalls
    integration = test_calls_hubspot.TestCalls.integration
    answers = {"/owners/2026-03/9": {"id": "9", "userId": 77}, "/inbound-call": {"callerIdMatches": []}}  # noqa: RUF012
    shown = (
        ("GET", "/crm/owners/2026-03/9", None),
        (
            "POST",
            "/crm/extensions/calling/2026-03/inbound-call",
            {
                "externalCallId": "our-id",
                "finalCallStatus": "RINGING",
                "createEngagement": False,
                "engagementProperties": {},
                "callStartedTimestamp": "2026-11-30T13:00:00Z",
                "fromNumber": {"e164Number": "+436641234567", "phoneNumberType": "UNKNOWN"},
                "toNumber": {"e164Number": "+4312345601", "phoneNumberType": "UNKNOWN"},
                "potentialRecipientUserIds": [77],
            },
        ),
    )


CALL = {"type": "received", "id": "our-id", "from": "+436641234567", "to": "+4312345601", "zohouser": "9"}


#: In GMT; PhoneBridge refuses an end without them.
TIMES = {"start_time": "2026-11-30 13:00:00", "duration": "0"}


class TestZoho(PopContract):
    provider, standin = "zoho", test_calls_zoho.ZohoWithCalls
    integration = test_calls_zoho.TestCalls.integration
    answers = {"/phonebridge/v3/callnotify": {"code": "200"}}  # noqa: RUF012
    shown = (("POST", "/phonebridge/v3/callnotify", {**CALL, "state": "ringing"}),)
    closed = (("POST", "/phonebridge/v3/callnotify", {**CALL, "state": "ended", **TIMES}),)


class TestBitrix24(PopContract):
    provider, standin = "bitrix24", test_calls_bitrix24.BitrixWithCalls
    integration = test_calls_bitrix24.TestCalls.integration
    answers = {  # noqa: RUF012
        "telephony.externalCall.register": {"result": {"CALL_ID": "externalCall.1"}},
        "telephony.externalCall.show": {"result": True},
        "telephony.externalCall.hide": {"result": True},
    }
    shown = (
        (
            "POST",
            "/rest/telephony.externalCall.register",
            {
                "USER_ID": "9",
                "PHONE_NUMBER": "+436641234567",
                "TYPE": 2,
                "SHOW": 0,
                "CRM_CREATE": 0,
                "CALL_START_DATE": "2026-11-30T13:00:00Z",
                "CRM_ENTITY_TYPE": "CONTACT",
                "CRM_ENTITY_ID": "101",
                "EXTERNAL_CALL_ID": "our-id",
            },
        ),
        ("POST", "/rest/telephony.externalCall.show", {"CALL_ID": "externalCall.1", "USER_ID": ["9"]}),
    )
    closed = (("POST", "/rest/telephony.externalCall.hide", {"CALL_ID": "externalCall.1", "USER_ID": ["9"]}),)


class TestZendesk(PopContract):
    provider, standin = "zendesk", test_calls_zendesk.ZendeskWithCalls
    integration = test_calls_zendesk.TestCalls.integration
    answers = {"display.json": {}}  # noqa: RUF012
    shown = (("POST", "/api/v2/channels/voice/agents/9/users/101/display.json", None),)
    unknown = False
