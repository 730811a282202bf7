"""The seven normative points of the contract, and the settled details that the core decides."""

from __future__ import annotations

from dataclasses import replace

import pytest

from routing_engine.core.asks import Collect, Find, Play
from routing_engine.core.decide import MAX_ROUTES, fall_back
from routing_engine.core.destinations import variables
from routing_engine.core.model import Caller, Destination, Record, Route

from .build import ANNA, DOWN, GOLD, HIDDEN, NUMBER, SALES, converse, go, route, rule, source, when

VIP = rule("gold customers", go("queue", "vip", "gold"), when("tier", "is", "gold"))
BY_INPUT = source("customers", SALES, by="{input}", field="customer_number")


# 1. The instruction plays; digits typed during it are the first of the input.


def test_the_instruction_plays_first_and_may_be_interrupted() -> None:
    told = converse(route(BY_INPUT, instruction=("welcome", "menu"), inputs=(NUMBER,)), typed=["123456"])
    assert told.asks[0] == Play(("welcome", "menu"), barge_in=True)


def test_digits_typed_during_the_instruction_begin_the_input() -> None:
    told = converse(route(BY_INPUT, instruction=("welcome",), inputs=(NUMBER,)), typed=["23456"], ahead="1")
    assert told.asks[1] == Collect(NUMBER, ("enter",), "1")
    assert [ask.value for ask in told.asks if isinstance(ask, Find)] == ["123456"]


def test_digits_typed_ahead_count_for_the_first_try_only() -> None:
    told = converse(route(BY_INPUT, instruction=("welcome",), inputs=(NUMBER,)), typed=["2", "123456"], ahead="1")
    assert [ask.typed for ask in told.asks if isinstance(ask, Collect)] == ["1", ""]


@pytest.mark.parametrize("terminator", ["*", "#"])
def test_the_terminator_typed_during_the_instruction_is_no_digit(terminator: str) -> None:
    one = replace(NUMBER, terminator=terminator)
    told = converse(route(BY_INPUT, instruction=("welcome",), inputs=(one,)), typed=["123456"], ahead=terminator)
    assert told.asks[1] == Collect(one, ("enter",), "")


def test_an_instruction_without_sounds_is_not_played() -> None:
    assert converse(route(source("customers", SALES)), found={"customers": GOLD}).played == []


# 2. Up to `attempts` tries; without valid input the default at once, and no source is asked.


def test_no_valid_input_is_the_default_and_asks_no_source() -> None:
    told = converse(route(source("customers", SALES), inputs=(NUMBER,)), typed=["1", "", "12345"])
    assert (told.decision.reason, told.decision.destination) == ("no_input", Destination("ivr", "main"))
    assert told.searched == []


def test_as_many_tries_as_attempts_and_not_one_more() -> None:
    told = converse(route(BY_INPUT, inputs=(replace(NUMBER, attempts=4),)))
    assert len(told.prompts) == 4


def test_the_last_try_may_be_the_valid_one() -> None:
    told = converse(route(BY_INPUT, inputs=(NUMBER,)), typed=["", "1", "123456"], found={"customers": GOLD})
    assert told.decision.reason == "matched"


def test_a_retry_prompt_comes_before_every_try_but_the_first() -> None:
    told = converse(route(inputs=(replace(NUMBER, retry_prompt=("invalid",)),)))
    assert told.prompts == [("enter",), ("invalid", "enter"), ("invalid", "enter")]


def test_the_final_prompt_plays_once_after_the_last_failed_try() -> None:
    told = converse(route(inputs=(replace(NUMBER, final_prompt=("no-luck",)),)))
    assert told.played == ["no-luck", "no-match"]


def test_the_final_prompt_is_not_played_when_a_try_was_valid() -> None:
    one = replace(NUMBER, final_prompt=("no-luck",))
    assert "no-luck" not in converse(route(BY_INPUT, inputs=(one,)), typed=["", "123456"]).played


def test_a_failed_input_may_have_a_destination_of_its_own() -> None:
    one = replace(NUMBER, on_failure=go("extension", "100", "sorry"))
    told = converse(route(inputs=(one,)))
    assert (told.decision.reason, told.decision.destination) == ("no_input", Destination("extension", "100"))


# 3. Top to bottom; the first source that yields a record ends the search.


def test_the_first_record_stops_the_search() -> None:
    told = converse(route(source("customers", SALES), source("leads", SALES)), found={"customers": GOLD, "leads": GOLD})
    assert told.searched == ["customers"]


def test_the_search_goes_on_while_there_is_no_record() -> None:
    told = converse(route(source("customers", SALES), source("leads", VIP)), found={"leads": GOLD})
    assert (told.searched, told.decision.source) == (["customers", "leads"], "leads")


# 4. Only that source's rules; the first match wins; none is the default and later sources are not tried.


def test_the_first_rule_that_matches_wins() -> None:
    decision = converse(route(source("customers", VIP, SALES)), found={"customers": GOLD}).decision
    assert (decision.rule, decision.destination) == ("gold customers", Destination("queue", "vip"))


def test_a_rule_that_does_not_match_leaves_the_next_one() -> None:
    told = converse(route(source("customers", VIP, SALES)), found={"customers": Record({"tier": "silver"})})
    assert told.decision.rule == "everybody"


def test_no_rule_is_the_default_and_later_sources_are_not_tried() -> None:
    silver = Record({"tier": "silver"})
    told = converse(route(source("customers", VIP), source("leads", SALES)), found={"customers": silver, "leads": GOLD})
    assert (told.decision.reason, told.decision.destination) == ("no_rule", Destination("ivr", "main"))
    assert (told.searched, told.decision.record) == (["customers"], silver)


def test_a_source_without_rules_ends_in_the_default() -> None:
    assert converse(route(source("customers")), found={"customers": GOLD}).decision.reason == "no_rule"


# 5. No record; a source that was down is told apart.


def test_no_record_anywhere_is_the_default() -> None:
    decision = converse(route(source("customers", SALES))).decision
    assert (decision.reason, decision.play, decision.failed) == ("no_record", ("no-match",), False)


def test_a_source_that_was_down_is_told_apart_from_no_record() -> None:
    told = converse(route(source("customers", SALES), source("leads", SALES)), found={"customers": DOWN})
    assert told.decision.reason == "source_down"
    assert told.outcomes[0] == "down: nobody answers"


def test_a_record_after_a_source_that_was_down_still_matches() -> None:
    told = converse(route(source("customers", SALES), source("leads", SALES)), found={"customers": DOWN, "leads": GOLD})
    assert told.decision.reason == "matched"


def test_when_down_default_asks_no_further_source() -> None:
    told = converse(
        route(source("customers", SALES, when_down="default"), source("leads", SALES)),
        found={"customers": DOWN, "leads": GOLD},
    )
    assert (told.decision.reason, told.searched) == ("source_down", ["customers"])


def test_when_down_may_have_a_destination_of_its_own() -> None:
    act = go("queue", "night", "crm-down")
    told = converse(route(source("customers", SALES, when_down=act)), found={"customers": DOWN})
    assert (told.decision.destination, told.played) == (Destination("queue", "night"), ["crm-down"])
    assert (told.decision.reason, told.decision.source) == ("source_down", "customers")


# 6. A hidden or malformed caller number is its own case.


@pytest.mark.parametrize("caller", [HIDDEN, replace(ANNA, number=None)], ids=["hidden", "malformed"])
def test_sources_by_caller_are_skipped_without_a_number(caller: Caller) -> None:
    told = converse(route(source("customers", SALES)), caller, found={"customers": GOLD})
    assert (told.searched, told.decision.reason) == ([], "no_record")
    assert told.outcomes[0] == "skipped: the caller's number is hidden"


def test_hidden_callers_are_still_searched_by_what_they_type() -> None:
    told = converse(route(BY_INPUT, inputs=(NUMBER,)), HIDDEN, typed=["123456"], found={"customers": GOLD})
    assert told.decision.reason == "matched"
    assert [ask.caller for ask in told.asks if isinstance(ask, Find)] == [None]


@pytest.mark.parametrize("caller", [HIDDEN, replace(ANNA, number=None)], ids=["hidden", "malformed"])
def test_anonymous_names_a_destination_before_anything_is_asked(caller: Caller) -> None:
    told = converse(
        route(BY_INPUT, instruction=("welcome",), inputs=(NUMBER,), anonymous=go("queue", "any", "hello")), caller
    )
    assert (told.decision.reason, told.decision.destination) == ("anonymous", Destination("queue", "any"))
    assert told.asks == [Play(("hello",), barge_in=False)]


def test_anonymous_does_not_concern_a_caller_with_a_number() -> None:
    told = converse(route(source("customers", SALES), anonymous=go("hangup", "busy")), found={"customers": GOLD})
    assert told.decision.reason == "matched"


def test_a_source_by_a_value_that_is_empty_is_skipped() -> None:
    told = converse(route(source("customers", SALES, by="{call.called}")), replace(ANNA, called=""))
    assert (told.searched, told.outcomes[0]) == ([], "skipped: there is nothing to search by")


# 7. Whatever happens, the caller lands somewhere.


def test_a_refused_target_without_else_is_the_default_and_keeps_the_rule() -> None:
    owner = rule("owner", go("extension", "{nobody}", "owner-greeting"))
    told = converse(route(source("customers", owner)), found={"customers": GOLD})
    assert (told.decision.reason, told.decision.rule) == ("error", "owner")
    assert (told.decision.destination, told.played) == (Destination("ivr", "main"), ["no-match"])


def test_a_default_that_is_refused_leaves_it_to_the_dialplan() -> None:
    decision = converse(route(default=go("extension", "{call.name}")), replace(ANNA, name="a,b")).decision
    assert (decision.destination, decision.failed, decision.reason) == (None, True, "error")


def test_the_route_default_is_what_an_error_of_ours_falls_back_to() -> None:
    decision = fall_back(route(), ANNA, "KeyError: the engine could not follow the route")
    assert (decision.destination, decision.reason, decision.failed) == (Destination("ivr", "main"), "error", True)


def test_an_error_of_ours_never_leads_on_to_another_route() -> None:
    assert fall_back(route(default=go("route", "other")), ANNA, "oops").destination is None


# Several records


MANY = (Record({"id": "1", "changed": "2026-01-01"}), Record({"id": "2", "changed": "2026-03-01"}))


def test_the_first_of_several_records_is_taken_and_the_trail_counts_them() -> None:
    told = converse(route(source("customers", SALES)), found={"customers": MANY})
    assert (told.decision.record, told.outcomes[0]) == (MANY[0], "2 records, taking the first")


def test_the_newest_of_several_records_is_taken() -> None:
    told = converse(route(source("customers", SALES, newest_by="changed")), found={"customers": MANY})
    assert (told.decision.record, told.outcomes[0]) == (MANY[1], "2 records, taking the newest by changed")


@pytest.mark.parametrize("strange", [None, "", "soon", 12, "0001-01-02", "9999-12-31T23:59:59-14:00", ("a",)])
@pytest.mark.parametrize("at", [ANNA.at, ANNA.at.replace(tzinfo=None)], ids=["zone", "no zone"])
def test_a_strange_date_is_compared_without_an_error(strange: object, at: object) -> None:
    records = (Record({"changed": strange}), MANY[1])  # type: ignore[dict-item]
    caller = replace(ANNA, at=at)  # type: ignore[arg-type]
    told = converse(route(source("customers", SALES, newest_by="changed")), caller, found={"customers": records})
    assert told.decision.record in records


def test_several_records_may_have_a_destination_of_their_own() -> None:
    told = converse(route(source("customers", SALES, when_many=go("queue", "desk"))), found={"customers": MANY})
    assert (told.decision.destination, told.decision.record) == (Destination("queue", "desk"), None)


# Routes that lead to routes


def test_a_route_may_lead_to_another_and_the_last_one_decides() -> None:
    other = replace(route(default=go("queue", "sales")), name="sales", revision="r2")
    decision = converse(route(default=go("route", "sales", "one-moment")), routes={"sales": other}).decision
    assert (decision.route, decision.revision, decision.destination) == ("sales", "r2", Destination("queue", "sales"))
    assert "going on with 'sales'" in [step.outcome for step in decision.trail]


def test_routes_that_lead_to_one_another_come_to_an_end() -> None:
    told = converse(route(default=go("route", "support")), routes={"support": route(default=go("route", "support"))})
    assert (told.decision.destination, told.decision.reason, told.decision.failed) == (None, "error", True)
    assert len(told.asks) == MAX_ROUTES


def test_a_rule_into_a_loop_lands_on_the_default() -> None:
    loop = route(source("customers", rule("round", go("route", "support"))))
    told = converse(loop, found={"customers": GOLD}, routes={"support": loop})
    assert (told.decision.destination, told.decision.reason) == (Destination("ivr", "main"), "error")


def test_a_missing_route_lands_on_the_default_of_the_one_before() -> None:
    told = converse(route(source("customers", rule("on", go("route", "gone")))), found={"customers": GOLD})
    assert (told.decision.destination, told.decision.reason) == (Destination("ivr", "main"), "error")
    assert "there is no route 'gone'" in told.outcomes


def test_the_instruction_of_the_next_route_takes_digits_for_its_own_input() -> None:
    other = route(BY_INPUT, instruction=("menu",), inputs=(NUMBER,))
    told = converse(route(default=go("route", "other")), routes={"other": other}, ahead="1", typed=["23456"], found={})
    assert [ask.value for ask in told.asks if isinstance(ask, Find)] == ["123456"]


# Settled details


def test_a_decision_that_the_route_took_is_ok_also_on_its_default() -> None:
    assert variables(converse(route()).decision, "1", {"ivr": "i,{target},1"})[-1] == ("ROUTE_STATUS", "OK")


def test_an_error_of_ours_is_a_fallback() -> None:
    assert variables(fall_back(route(), ANNA, "x"), "1", {"ivr": "i,{target},1"})[-1] == ("ROUTE_STATUS", "FALLBACK")


def test_an_else_branch_keeps_reason_and_rule() -> None:
    act = go("extension", "{nobody}", otherwise=go("queue", "sales").to)
    told = converse(route(source("customers", rule("owner", act))), found={"customers": GOLD})
    assert (told.decision.reason, told.decision.rule) == ("matched", "owner")
    assert told.decision.destination == Destination("queue", "sales")


def test_what_a_rule_plays_cannot_be_cut_short() -> None:
    told = converse(route(source("customers", VIP)), found={"customers": GOLD})
    assert told.asks[-1] == Play(("gold",), barge_in=False)


def test_side_effects_are_filled_and_cleaned() -> None:
    act = rule("set", go("queue", "sales"), None, caller_name="{company} - {name}", CRM_ID="{id}")
    record = Record({"company": "Müller & Co", "name": "Anna\r\n$${SHELL(id)}", "id": 7})
    decision = converse(route(source("customers", act)), found={"customers": record}).decision
    assert decision.sets == (("caller_name", "Müller & Co - Anna  {SHELL(id)}"), ("CRM_ID", "7"))


def test_a_decision_without_a_rule_has_no_side_effects() -> None:
    assert converse(route(source("customers", VIP)), found={"customers": Record({})}).decision.sets == ()


def test_the_trail_names_every_step_and_near_miss_in_order() -> None:
    told = converse(
        route(source("accounts", VIP), source("customers", VIP, SALES), instruction=("welcome",), inputs=(NUMBER,)),
        typed=["12", "123456"],
        found={"customers": Record({"tier": "gold "})},
    )
    assert [(step.step, step.outcome) for step in told.decision.trail] == [
        ("instruction welcome", "played"),
        ("input, try 1 of 3", "2 digits, fewer than 6"),
        ("input, try 2 of 3", "typed 123456"),
        ("source accounts", "no record"),
        ("source customers", "1 record"),
        (
            "rule gold customers",
            "tier is 'gold ': it is not 'gold' (nearly: only white space differs; 'loosely: true' would match)",
        ),
        ("rule everybody", "matched"),
    ]


# How far, and what is named


def ring(count: int) -> dict[str, Route]:
    """Return routes that lead from r1 to the last one."""
    made = {f"r{place}": route(default=go("route", f"r{place + 1}")) for place in range(1, count)}
    return {**made, f"r{count}": route(default=go("queue", "end"))}


def test_a_call_passes_eight_routes_and_no_more() -> None:
    assert converse(ring(8)["r1"], routes=ring(8)).decision.destination == Destination("queue", "end")
    assert converse(ring(9)["r1"], routes=ring(9)).decision.destination is None


def test_the_first_source_that_was_down_is_the_one_that_is_named() -> None:
    told = converse(route(source("a", SALES), source("b", SALES)), found={"a": DOWN, "b": DOWN})
    assert (told.decision.reason, told.decision.source) == ("source_down", "a")


def test_without_a_record_no_source_is_named() -> None:
    assert converse(route(source("a", SALES))).decision.source == ""


def test_the_decision_tells_through_which_rules_it_came() -> None:
    first = route(source("a", rule("on", go("route", "r2"))))
    told = converse(first, found={"a": GOLD}, routes={"r2": route()})
    assert told.decision.passed == (("support", "a", "on"),)
