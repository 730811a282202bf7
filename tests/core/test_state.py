"""Live state: what only the channel can tell is asked when a rule needs it, and once a call."""

from __future__ import annotations

import pytest

from routing_engine.core.asks import Find, Observe
from routing_engine.core.model import Destination, Record, Value

from .build import GOLD, SALES, chain, converse, go, group, route, rule, source, to, when

FREE = rule("free", go("extension", "200"), when("device.200", "is", "not_inuse"))
CALM = rule("calm", go("queue", "sales"), when("queue.sales.waiting", "less_than", 3))
TRUSTED = rule("trusted", go("queue", "vip"), when("call.attestation", "is", "A"))


@pytest.mark.parametrize(
    ("states", "by"),
    [
        ({"device.200": "not_inuse"}, "free"),
        ({"device.200": "inuse", "queue.sales.waiting": 2}, "calm"),
        ({"device.200": "inuse", "queue.sales.waiting": 3, "call.attestation": "A"}, "trusted"),
        ({}, ""),
    ],
)
def test_a_rule_may_look_at_what_is_live(states: dict[str, Value], by: str) -> None:
    assert converse(route(rules=(FREE, CALM, TRUSTED), early=3), states=states).decision.rule == by


def test_nobody_is_asked_for_a_rule_that_is_not_reached() -> None:
    told = converse(route(rules=(FREE, CALM, TRUSTED), early=3), states={"device.200": "not_inuse"})
    assert told.observed == ["device.200"]


def test_rules_without_live_state_ask_nobody() -> None:
    told = converse(route(source("c", SALES)), found={"c": GOLD})
    assert [type(ask) for ask in told.asks] == [Find]


def test_each_rule_asks_in_its_turn_for_what_is_not_known_yet() -> None:
    both = rule(
        "both",
        go("queue", "q"),
        group("all", when("device.200", "is", "busy"), when("queue.sales.free", "is", 9)),
    )
    told = converse(route(rules=(FREE, both, FREE), early=3), states={"device.200": "busy", "queue.sales.free": 1})
    asked = [tuple(map(str, ask.operands)) for ask in told.asks if isinstance(ask, Observe)]
    assert asked == [("device.200",), ("queue.sales.free",)]


def test_what_was_told_is_not_asked_again_for_the_whole_call() -> None:
    told = converse(route(source("c", FREE), rules=(FREE,), early=1), found={"c": GOLD}, states={"device.200": "busy"})
    assert told.observed == ["device.200"]


def test_also_what_could_not_be_told_is_not_asked_again() -> None:
    told = converse(route(rules=(FREE, FREE), early=2))
    assert told.observed == ["device.200"]


def test_the_next_route_of_the_call_does_not_ask_again_either() -> None:
    first = route(rules=(FREE,), early=1, default=go("route", "other"))
    told = converse(first, routes={"other": route(rules=(FREE,), early=1)}, states={"device.200": "busy"})
    assert told.observed == ["device.200"]


def test_a_state_that_is_not_known_fits_no_comparison_and_the_trail_says_so() -> None:
    told = converse(route(rules=(FREE,), early=1))
    assert told.steps[:2] == ["state device.200: not known", "rule free: device.200 is not known"]


def test_the_trail_tells_what_the_state_was() -> None:
    told = converse(route(rules=(CALM,), early=1), states={"queue.sales.waiting": 7})
    assert told.steps[0] == "state queue.sales.waiting: 7"


def test_a_state_however_long_is_told_short() -> None:
    told = converse(route(rules=(FREE,), early=1), states={"device.200": "x" * 65_536})
    assert max(map(len, told.steps)) < 1500


def test_a_rule_of_a_source_may_look_at_record_and_state() -> None:
    tree = group("all", when("tier", "is", "gold"), when("device.200", "is", "not_inuse"))
    both = rule("both", go("extension", "200"), tree)
    told = converse(route(source("c", both)), found={"c": Record({"tier": "gold"})}, states={"device.200": "not_inuse"})
    assert told.decision.destination == Destination("extension", "200")


def test_a_destination_alone_asks_nothing() -> None:
    assert converse(route(rules=(rule("on", go("extension", "200")),), early=1)).observed == []


def test_a_chain_uses_what_a_rule_has_seen() -> None:
    act = rule("on", go("queue", "x"), when("device.200", "is", "busy"))
    way = chain(to("extension", "200"), to("queue", "sales"))
    from dataclasses import replace

    told = converse(
        route(rules=(replace(act, act=replace(act.act, to=way)),), early=1),
        states={"device.200": "busy", "queue.sales.members": 1},
    )
    assert told.observed == ["device.200", "queue.sales.members"]
    assert told.decision.destination == Destination("queue", "sales")
