"""What a real Asterisk told of calls that real telephones made: each stream gives the records that it should."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from routing_engine.calls.call import Call, Leg
from routing_engine.calls.site import PbxSite

from .recorded import NAMES, expected
from .replayed import stream_events
from .stories import Follower

SITE = PbxSite(
    "main",
    trunks=("PJSIP/trunk*",),
    region="AT",
    users={"main/201": "anna", "main/202": "bernd", "main/203": "clara"},
)
#: The telephones tell by their own clock, and of what they sent; Asterisk tells when it had read it.
CLOCKS_S = 0.5


@pytest.mark.parametrize("name", NAMES)
def test_a_recorded_stream_gives_its_records(name: str) -> None:
    follower = replayed(name)
    told = sorted((one for one in follower.calls.values() if one.merged_into is None), key=lambda one: one.started_at)
    should = sorted((one for one in expected(name) if "merged_into" not in one), key=lambda one: one["started_at"])
    assert [list(_differences(*both)) for both in zip(told, should, strict=True)] == [[] for _ in should]
    assert follower.tracker.kept[0] == 0


@pytest.mark.parametrize("name", NAMES)
def test_every_call_of_a_stream_starts_and_ends_once(name: str) -> None:
    follower = replayed(name)
    for call in follower.calls.values():
        kinds = follower.kinds(call.id)
        assert kinds[0] == "call.started"
        assert kinds.count("call.started") == 1
        assert kinds.count("call.ended") == (call.merged_into is None)
        assert kinds.count("call.missed") == (call.outcome in ("missed", "abandoned"))
        assert kinds.count("call.answered") <= 1


def test_a_call_that_ended_while_nobody_listened_is_told_by_the_call_records() -> None:
    follower = Follower(SITE).take(stream_events("reconnected", history=True))
    assert [call.outcome for call in follower.calls.values()] == ["answered"] * 3
    assert follower.tracker.kept[0] == 0


def replayed(name: str) -> Follower:
    return Follower(SITE).take(stream_events(name))


def _differences(call: Call, should: dict[str, Any]) -> Iterator[str]:
    for member, value in should.items():
        told = getattr(call, {"from": "from_"}.get(member, member))
        if not _same(member, told, value):
            yield f"{member}: {told} instead of {value}"


def _same(member: str, told: Any, value: Any) -> bool:
    if member == "transfers":
        return [(one.by, one.to, one.how) for one in told] == [(one["by"], one["to"], one["how"]) for one in value]
    if member == "legs":
        pairs = zip(sorted(told, key=_of_leg), sorted(value, key=lambda one: _of_leg(Leg(**one))), strict=False)
        return len(told) == len(value) and all(
            _same(name, getattr(leg, name), part) for leg, one in pairs for name, part in one.items()
        )
    if member.endswith(("_at", "_s")) and told is not None and value is not None:
        return bool(abs(told - value) < CLOCKS_S)
    if member == "recording":
        return bool(told.state == value["state"])
    return bool(told == value)


def _of_leg(leg: Leg) -> tuple[str, float]:
    return leg.phone, leg.answered_at or 0.0
