"""Which phones hold a call when they are asked to: one that did not is not offered it again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from routing_engine.calls.call import Call, Leg
from routing_engine.calls.changes import CallChanged
from routing_engine.calls.ports import JsonField
from routing_engine.calls.site import PbxSite
from routing_engine.dialling.changes import CallChanges
from routing_engine.dialling.control import CallControl
from routing_engine.dialling.dialler import DialSite
from routing_engine.errors import AmiRefused, CommandRefused
from routing_engine.settings.pbx import Pbx, PbxKeys
from routing_engine.settings.people import User

TALKS = Call(
    "c1", "main", "1.1", "inbound", 1.0, state="talking", user="anna", legs=(Leg("main/201", "anna", 1.0, 2.0),)
)
SITE = DialSite({"anna": User("anna", "Anna", phones=("main/201",))}, {"main": Pbx("main", PbxKeys())}, "AT")


class Phone:
    """A phone that is asked by its PBX, and what it does then."""

    def __init__(self) -> None:
        self.changes, self.refuses, self.knows_how, self.reachable = CallChanges(), False, True, True
        site = PbxSite("main", "PJSIP/{extension}", ("PJSIP/trunk*",), "AT", {"main/201": "anna"})
        self.control = CallControl(lambda: SITE, lambda _: self, self.changes, lambda _: site)

    async def action(self, name: str, fields: Mapping[str, str | Sequence[str]]) -> Sequence[Mapping[str, str]]:
        if name == "CoreShowChannels":
            row = {"Channel": "PJSIP/201-1", "Linkedid": "1.1", "ChannelState": "6", "BridgeId": "b"}
            return [row]
        if self.refuses:
            raise AmiRefused("Permission denied")
        if self.knows_how:
            self.changes.heard(CallChanged(Call("c1", "main", "1.1", "inbound", 1.0, state="held"), ("call.updated",)))
        return []

    async def rest(self, method: str, path: str, body: Mapping[str, JsonField] | None = None) -> int:
        raise AssertionError("nobody needs ARI for that")

    async def originate(self, channel: str, fields: Mapping[str, str | Sequence[str]]) -> bool:
        raise AssertionError("nobody dials")


async def test_a_phone_that_did_not_hold_is_known_until_it_does() -> None:
    phone = Phone()
    phone.refuses = True
    with pytest.raises(CommandRefused, match="Asterisk refuses"):
        await phone.control.hold(TALKS, "anna")
    assert phone.control.cannot_hold() == {"main/201"}
    phone.refuses = False
    await phone.control.hold(TALKS, "anna")
    assert phone.control.cannot_hold() == frozenset()
