"""Chains: the first that is reachable, and where the call goes on; the agent whom the caller spoke to last."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from routing_engine.core.decide import fall_back
from routing_engine.core.destinations import PROFILES, UNREACHABLE, variables
from routing_engine.core.model import Action, Destination, DestinationSpec, Record, Route, Value

from .build import ANNA, GOLD, NOW, NUMBER, SALES, Told, chain, converse, go, route, rule, source, to, when

ANN, BOB = Destination("extension", "200", ring_s=20), Destination("extension", "201")
DESK, MENU = Destination("queue", "desk"), Destination("ivr", "main")
TO_ANN = replace(to("extension", "200"), ring_s=20)
TO_BOB, TO_DESK = to("extension", "201"), to("queue", "desk")
WAY = chain(TO_ANN, TO_BOB, TO_DESK)
AGENT = to("last_agent", "14")


def sent(way: DestinationSpec, states: dict[str, Value] | None = None, **more: object) -> Told:
    return converse(route(rules=(rule("on", Action(way)),), early=1, **more), states=states)


def places(told: Told) -> tuple[Destination | None, ...]:
    return told.decision.destination, *told.decision.chain


# Reachable or not


def test_the_first_that_is_reachable_is_taken_and_the_rest_follows_with_the_default() -> None:
    told = sent(WAY, {"device.200": "not_inuse"})
    assert places(told) == (ANN, BOB, DESK, MENU)
    assert (told.decision.reason, told.decision.rule, told.observed) == ("matched", "on", ["device.200"])


@pytest.mark.parametrize("state", sorted(UNREACHABLE))
def test_one_that_would_not_ring_is_passed_over(state: str) -> None:
    told = sent(WAY, {"device.200": state, "device.201": "not_inuse"})
    assert places(told) == (BOB, DESK, MENU)
    assert f"destination extension 200: not reachable: {state}" in told.steps


@pytest.mark.parametrize("states", [{}, {"device.200": "unknown"}, {"device.200": "not_inuse"}])
def test_one_that_is_not_known_is_tried(states: dict[str, Value]) -> None:
    assert places(sent(WAY, states))[0] == ANN


@pytest.mark.parametrize("members", [0, "0", 0.0])
def test_a_queue_without_members_is_passed_over(members: Value) -> None:
    told = sent(chain(TO_DESK, TO_BOB), {"queue.desk.members": members})
    assert places(told) == (BOB, MENU)
    assert "destination queue desk: not reachable: it has no members" in told.steps


@pytest.mark.parametrize("states", [{}, {"queue.desk.members": 1}])
def test_a_queue_with_members_or_unknown_is_taken(states: dict[str, Value]) -> None:
    assert places(sent(chain(TO_DESK, TO_BOB), states)) == (DESK, BOB, MENU)


def test_other_kinds_are_always_reachable() -> None:
    told = sent(chain(to("external", "+43158858"), TO_BOB))
    assert (places(told)[0], told.observed) == (Destination("external", "+43158858"), [])


def test_none_reachable_is_the_default_and_still_a_match() -> None:
    told = sent(chain(TO_ANN, TO_BOB), {"device.200": "busy", "device.201": "inuse"})
    assert (places(told), told.decision.reason, told.decision.rule) == ((MENU,), "matched", "on")
    assert "destination: none that is allowed and reachable: the route's default is taken" in told.steps


def test_only_chains_look_whether_somebody_is_there() -> None:
    told = sent(TO_ANN, {"device.200": "busy"})
    assert (places(told), told.observed) == ((ANN, MENU), [])


# What follows


def test_an_entry_that_is_refused_is_left_out_and_nothing_else() -> None:
    told = sent(chain(to("extension", "{call.name}"), TO_ANN, to("queue", "{call.variable.X}"), TO_BOB))
    assert places(told)[1:] == (ANN, BOB, MENU)
    told = sent(chain(to("queue", "{call.variable.X}"), TO_ANN))
    assert places(told) == (ANN, MENU)


def test_nobody_is_named_twice() -> None:
    told = sent(chain(TO_ANN, TO_BOB, TO_ANN, TO_BOB))
    assert places(told) == (ANN, BOB, MENU)


def test_the_default_is_not_named_again() -> None:
    assert places(sent(chain(to("ivr", "main"), TO_ANN))) == (MENU, ANN)
    assert places(sent(chain(TO_ANN, to("ivr", "main")))) == (ANN, MENU)


def test_a_default_that_is_a_chain_follows_whole() -> None:
    told = sent(chain(TO_ANN), default=Action(chain(TO_BOB, TO_DESK)))
    assert places(told) == (ANN, BOB, DESK)


def test_a_default_of_values_of_the_record_follows_with_them() -> None:
    asked = route(
        source("c", rule("on", Action(chain(TO_ANN)))),
        default=go("extension", "{owner}", otherwise=to("queue", "desk")),
    )
    assert places(converse(asked, found={"c": Record({"owner": "12"})})) == (ANN, Destination("extension", "12"))
    assert places(converse(asked, found={"c": Record({})})) == (ANN, DESK)


def test_a_default_that_is_refused_does_not_follow() -> None:
    assert places(sent(chain(TO_ANN), default=go("extension", "{call.variable.X}"))) == (ANN,)


def test_a_route_may_be_the_last_of_a_chain() -> None:
    told = sent(chain(TO_ANN, to("route", "other")))
    assert places(told) == (ANN, Destination("route", "other"), MENU)


def test_a_route_whose_turn_comes_first_is_gone_on_with() -> None:
    other = replace(route(), name="other", default=go("queue", "other"))
    told = converse(
        route(rules=(rule("on", Action(chain(TO_ANN, to("route", "other")))),), early=1),
        states={"device.200": "busy"},
        routes={"other": other},
    )
    assert places(told) == (Destination("queue", "other"),)


def test_an_else_may_be_a_chain() -> None:
    way = to("extension", "{call.variable.X}", otherwise=chain(TO_ANN, TO_BOB))
    assert places(sent(way, {"device.200": "busy"})) == (BOB, MENU)
    told = sent(way, {"device.200": "busy", "device.201": "busy"})
    assert (places(told), told.decision.reason) == ((MENU,), "matched")


def test_how_long_it_rings_reaches_the_dialplan() -> None:
    set_to = dict(variables(sent(WAY).decision, "1", PROFILES["plain"]))
    assert (set_to["ROUTE_KIND"], set_to["ROUTE_TARGET"], set_to["ROUTE_RING_S"]) == ("extension", "200", "20")
    assert [entry.split(":")[:2] for entry in set_to["ROUTE_CHAIN"].split("&")] == [
        ["extension", "201"],
        ["queue", "desk"],
        ["ivr", "main"],
    ]


# A default that is a chain itself


def test_a_default_of_which_nobody_is_reachable_is_tried_all_the_same() -> None:
    told = converse(
        route(default=Action(chain(TO_ANN, TO_BOB))), states={"device.200": "busy", "device.201": "unavailable"}
    )
    assert (places(told), told.decision.failed, told.decision.reason) == ((ANN, BOB), False, "no_record")


def test_a_default_whose_first_is_busy_goes_on_with_the_next() -> None:
    told = converse(route(default=Action(chain(TO_ANN, TO_BOB, TO_DESK))), states={"device.200": "busy"})
    assert places(told)[:2] == (BOB, DESK)


def test_an_error_of_ours_falls_back_to_the_chain_of_the_default() -> None:
    decision = fall_back(route(default=Action(WAY)), ANNA, "oops")
    assert (decision.destination, decision.chain, decision.failed) == (ANN, (BOB, DESK), True)


def test_an_error_of_ours_leads_to_no_route_in_a_chain_either() -> None:
    decision = fall_back(route(default=Action(chain(to("route", "other"), TO_BOB))), ANNA, "oops")
    assert (decision.destination, decision.chain) == (BOB, ())


# The agent whom the caller spoke to last


def last(spoke: datetime | str, extension: Value = "201") -> dict[str, Value]:
    at = spoke if isinstance(spoke, str) else spoke.isoformat()
    return {"last_agent": (extension, at)}  # type: ignore[dict-item]


def to_agent(states: dict[str, Value], way: DestinationSpec = AGENT) -> Told:
    return sent(replace(way, otherwise=way.otherwise or TO_DESK), states)


def test_the_last_agent_becomes_an_extension() -> None:
    told = to_agent(last(NOW - timedelta(days=3)), replace(AGENT, ring_s=15))
    assert (places(told), told.observed) == ((Destination("extension", "201", ring_s=15), MENU), ["last_agent"])


@pytest.mark.parametrize(
    ("ago", "known"),
    [
        (timedelta(0), True),
        (timedelta(days=14), True),
        (timedelta(days=14, seconds=1), False),
        (timedelta(days=-1), True),
    ],
)
def test_how_long_it_counts(ago: timedelta, known: bool) -> None:
    assert places(to_agent(last(NOW - ago)))[0] == (BOB if known else DESK)


@pytest.mark.parametrize(
    ("states", "why"),
    [
        ({}, "it is not known whom the caller spoke to last"),
        ({"last_agent": "201"}, "it is not known whom the caller spoke to last"),
        ({"last_agent": ("201",)}, "it is not known whom the caller spoke to last"),
        (last("once"), "it is not known when the caller spoke to somebody"),
        (last(NOW - timedelta(days=15)), "the caller spoke to nobody within 14 days"),
        (last(NOW, "2,1"), "extension cannot be '2,1'"),
        (last(NOW, ""), "extension has no target"),
        (last(NOW, "201&SIP/evil"), "extension cannot be '201&SIP/evil'"),
    ],
)
def test_an_agent_who_is_not_known_is_the_else(states: dict[str, Value], why: str) -> None:
    told = to_agent(states)
    assert places(told) == (DESK,)
    assert any(step.startswith(f"destination last_agent: refused: {why}") for step in told.steps)


def test_a_clock_without_a_zone_beside_one_with_is_not_known() -> None:
    act = route(rules=(rule("on", Action(replace(AGENT, otherwise=TO_DESK))),), early=1)
    told = converse(act, replace(ANNA, at=NOW.replace(tzinfo=None)), states=last(NOW))
    assert places(told) == (DESK,)


def test_the_last_agent_of_a_chain_is_passed_over_when_busy() -> None:
    states = {**last(NOW), "device.201": "inuse"}
    assert places(sent(chain(AGENT, TO_DESK), states)) == (DESK, MENU)


def test_the_last_agent_may_come_later_in_a_chain() -> None:
    assert places(sent(chain(TO_ANN, AGENT, TO_DESK), last(NOW))) == (ANN, BOB, DESK, MENU)


def test_a_last_agent_in_the_default_of_an_error_of_ours_is_passed_over() -> None:
    decision = fall_back(route(default=Action(replace(AGENT, otherwise=TO_DESK))), ANNA, "oops")
    assert decision.destination == DESK


def test_an_agent_who_is_not_known_without_an_else_is_the_default() -> None:
    told = sent(AGENT)
    assert (places(told), told.decision.reason) == ((MENU,), "error")


# Other ways to end


@pytest.mark.parametrize(
    "asked",
    [
        route(inputs=(replace(NUMBER, on_failure=Action(WAY)),)),
        route(anonymous=Action(WAY)),
        route(source("c", when_down=Action(WAY))),
        route(source("c", when_many=Action(WAY))),
    ],
    ids=["on_failure", "anonymous", "when_down", "when_many"],
)
def test_every_action_may_end_in_a_chain(asked: Route) -> None:
    from .build import DOWN

    caller = replace(ANNA, number=None) if asked.anonymous else ANNA
    down = asked.sources and asked.sources[0].when_down != "next"
    told = converse(asked, caller, found={"c": DOWN if down else (GOLD, GOLD)}, states={"device.200": "busy"})
    assert places(told) == (BOB, DESK, MENU)


def test_a_rule_behind_a_state_and_a_chain() -> None:
    act = rule("on", Action(WAY), when("device.201", "is", "inuse"))
    told = converse(route(rules=(act,), early=1), states={"device.201": "inuse", "device.200": "busy"})
    assert places(told) == (DESK, MENU)


def test_a_destination_alone_that_rings_for_a_time_goes_on_with_the_default() -> None:
    alone = rule("owner", Action(replace(to("extension", "12"), ring_s=15)))
    decision = converse(route(source("customers", alone)), found={"customers": GOLD}).decision
    assert decision.destination == Destination("extension", "12", None, 15)
    assert decision.chain == (Destination("ivr", "main"),)


def test_a_destination_alone_without_a_time_has_nothing_behind_it() -> None:
    decision = converse(route(source("customers", SALES)), found={"customers": GOLD}).decision
    assert decision.chain == ()
