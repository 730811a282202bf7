"""One call, whoever plays it: all five ways must come to the same decision."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given

from tests.examples import examples

from .five_ways import Crm, check
from .one_call import Call, calls

pytestmark = pytest.mark.io


@pytest.fixture(scope="module")
def crm() -> Iterator[Crm]:
    server = Crm()
    yield server
    server.close()


@given(calls())
@examples(60, unchecked=HealthCheck)
def test_every_way_comes_to_the_same_decision(crm: Crm, call: Call) -> None:
    found = check(call, crm)
    event(found["reason"])


# What once came to two decisions, one by one

RECORDED_ROUTE: Mapping[str, Any] = {
    "sources": [
        {
            "name": "source 0",
            "integration": "crm0",
            "model": "contact",
            "search": {"by": "caller"},
            "rules": [
                {"name": "due", "when": {"due": "2026-11-20"}, "to": {"queue": "due"}},
                {"name": "clean", "when": {"name": "a b"}, "to": {"queue": "clean"}},
                {
                    "name": "owner",
                    "to": {"extension": "{owner}", "else": {"queue": "sales"}},
                    "set": {"CRM": "{owner}"},
                },
            ],
        }
    ],
    "default": {"to": {"ivr": "main"}},
}
FIELDS: Mapping[str, object] = {
    "id": "id",
    "name": "name",
    "phone": "phone",
    "owner": {"field": "owner", "type": "number"},
    "due": {"field": "due", "type": "date"},
}
TYPED = {"provider": "http", "models": {"contact": {"fields": FIELDS, "numbers": "phone"}}, "breaker": "none"}
KEYED: Mapping[str, object] = {"name": "in0", "prompt": "enter", "digits": {"min": 2, "max": 6}}


def recorded(*records: dict[str, object], **more: Any) -> Call:
    return Call(SITE, TYPED, {**RECORDED_ROUTE, **more.pop("route", {})}, {"source 0": list(records)}, **more)


def of_the_call(when: Mapping[str, object], **more: Any) -> Call:
    rules = [{"name": "on", "when": when, "to": {"queue": "on"}}]
    return Call(SITE, TYPED, {"rules": rules, "default": {"to": {"ivr": "main"}}, **more.pop("route", {})}, {}, **more)


def keyed(*typed: str, **more: object) -> Call:
    route = {"inputs": [{**KEYED, **more}], "default": {"to": {"extension": "{input.in0}", "else": {"ivr": "main"}}}}
    return Call(SITE, TYPED, route, {}, inputs=typed)


SITE = {"region": "AT", "timezone": "Europe/Vienna"}
NEWEST = {**RECORDED_ROUTE["sources"][0], "when_many": "newest by due"}
ONCE: Mapping[str, tuple[Call, dict[str, object]]] = {
    "a number": (recorded({"owner": "0042"}), {"kind": "extension", "target": "42"}),
    "a date": (recorded({"due": "2026-11-20T10:00:00"}), {"kind": "queue", "target": "due"}),
    "the newest": (
        recorded(
            {"due": "2026-11-21T08:00:00", "owner": "1"},
            {"due": "2026-11-21T09:00:00", "owner": "2"},
            route={"sources": [NEWEST]},
        ),
        {"kind": "extension", "target": "1"},
    ),
    "early digits": (keyed("12345678", accept_early=True), {"kind": "extension", "target": "12"}),
    "a stranger": (recorded({"owner": "42", "phone": "+43 1 5550000"}), {"kind": "ivr", "target": "main"}),
    "the route's language": (
        of_the_call({"call.language": "de"}, language="fr", route={"language": "de"}),
        {"kind": "queue", "target": "on"},
    ),
    "the next input": (keyed("1", "2345", terminator="*"), {"kind": "extension", "target": "2345"}),
    "a terminator that nobody waited for": (
        keyed("123456", "#", "42", pattern="42"),
        {"kind": "extension", "target": "42"},
    ),
    "keys behind the last": (keyed("1#99", "2345"), {"kind": "extension", "target": "2345"}),
    "a zone": (of_the_call({"call.date": "2026-03-28"}, at="2026-03-27T23:30Z"), {"kind": "queue", "target": "on"}),
    "a text": (recorded({"name": "a\tb\u202e"}), {"kind": "queue", "target": "clean"}),
    "a withheld name": (of_the_call({"call.name": ""}, caller="anonymous"), {"kind": "queue", "target": "on"}),
    "a field that is not mapped": (
        recorded({"id": "1", "tier": "x"}, route={"default": {"to": {"queue": "q{tier}", "else": {"queue": "none"}}}}),
        {"kind": "queue", "target": "sales"},
    ),
    "no dialled number": (of_the_call({"call.called": {"is_empty": True}}), {"kind": "queue", "target": "on"}),
    "a state in capitals": (
        of_the_call({"device.201": "inuse"}, states={"device.201": "INUSE"}),
        {"kind": "queue", "target": "on"},
    ),
}


@pytest.mark.parametrize("name", ONCE)
def test_what_once_came_to_two_decisions_comes_to_one(crm: Crm, name: str) -> None:
    call, expected = ONCE[name]
    assert check(call, crm)["destination"] == expected
