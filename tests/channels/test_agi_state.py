"""Live state in Asterisk's own words."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC

import pytest
from core.build import ANNA, HIDDEN, VIENNA

from routing_engine.channels.agi.live_state import EXTENSION_STATE, attested, expression, meaning
from routing_engine.core.model import Caller, Operand, Value
from routing_engine.core.phone import read_number

AGENT = Operand("last_agent", "")
LOCAL = replace(ANNA, number=read_number("0664 1234567", "AT"))
FREEPBX = "EXTENSION_STATE({target}@ext-local)"
EXPRESSIONS = [
    (Operand("device", "201"), ANNA, EXTENSION_STATE, "${DEVICE_STATE(PJSIP/201)}"),
    (Operand("device", "front-desk_1"), ANNA, FREEPBX, "${EXTENSION_STATE(front-desk_1@ext-local)}"),
    (Operand("queue", "vip.members"), ANNA, "", "${QUEUE_EXISTS(vip)},${QUEUE_MEMBER(vip,logged)}"),
    (Operand("queue", "vip.free"), ANNA, "", "${QUEUE_EXISTS(vip)},${QUEUE_MEMBER(vip,free)}"),
    (Operand("queue", "vip.waiting"), ANNA, "", "${QUEUE_EXISTS(vip)},${QUEUE_WAITING_COUNT(vip)}"),
    (AGENT, ANNA, "", "${DB(routing-engine-agent/+436641234567)}"),
    (AGENT, LOCAL, "", "${DB(routing-engine-agent/06641234567)}"),
    (AGENT, HIDDEN, "", ""),
    (Operand("device", "1)},${SHELL(x)},${X("), ANNA, EXTENSION_STATE, ""),
    (Operand("device", "201&202"), ANNA, EXTENSION_STATE, ""),
    (Operand("device", "201\n"), ANNA, EXTENSION_STATE, ""),
    (Operand("device", ""), ANNA, EXTENSION_STATE, ""),
    (Operand("queue", "vip,x.members"), ANNA, "", ""),
    (Operand("queue", "vip.holdtime"), ANNA, "", ""),
    (Operand("queue", "vip"), ANNA, "", ""),
    (Operand("record", "name"), ANNA, "", ""),
]


@pytest.mark.parametrize(("left", "caller", "extension_state", "asked"), EXPRESSIONS)
def test_expressions(left: Operand, caller: Caller, extension_state: str, asked: str) -> None:
    assert expression(left, caller, extension_state) == asked


MEANINGS = [
    (Operand("device", "201"), "NOT_INUSE", "not_inuse"),
    (Operand("device", "201"), "", None),
    (Operand("device", "201"), "a b", None),
    (Operand("queue", "vip.members"), "1,12", 12),
    (Operand("queue", "vip.members"), "1,0", 0),
    (Operand("queue", "vip.members"), "0,0", None),
    (Operand("queue", "vip.members"), ",", None),
    (Operand("queue", "vip.members"), "1,", None),
    (Operand("queue", "vip.members"), "1,-1", None),
    (AGENT, "201,1793523600", ("201", "2026-11-01T10:00:00+01:00")),
    (AGENT, " 201 , 1793523600 ", ("201", "2026-11-01T10:00:00+01:00")),
    (AGENT, "", None),
    (AGENT, "201", None),
    (AGENT, "201,yesterday", None),
    (AGENT, "201,179352360000", None),
    (AGENT, "2 1,1793523600", None),
]


@pytest.mark.parametrize(("left", "answer", "value"), MEANINGS)
def test_meanings(left: Operand, answer: str, value: Value) -> None:
    assert meaning(left, answer, VIENNA) == value


def test_the_last_agents_moment_is_in_the_calls_zone() -> None:
    assert meaning(AGENT, "201,0", UTC) == ("201", "1970-01-01T00:00:00+00:00")


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        ("success,A", "A"),
        ("success,C", "C"),
        ("Verification passed,B", "B"),
        ("success,", "failed"),
        ("success,X", "failed"),
        ("cert_not_trusted,A", "failed"),
        ("signature_validation,A", "failed"),
        ("Signature failed,A", "failed"),
        ("missing_identity_hdr,", "none"),
        ("Verification not present,", "none"),
        (",", "failed"),
    ],
)
def test_attestations(answer: str, value: str) -> None:
    assert attested(answer) == value
