"""What may be asked before its turn: by default nothing that the strict order would not ask."""

from __future__ import annotations

import pytest

from routing_engine.core.asks import Prefetch
from routing_engine.core.model import Caller, Route
from routing_engine.core.prefetch import MAX_AHEAD

from .build import ANNA, HIDDEN, NUMBER, SALES, Told, converse, go, route, rule, source, when

CUSTOMERS, LEADS, BY_INPUT = source("customers", SALES), source("leads", SALES), source("numbers", SALES, by="{input}")


def begun(told: Told) -> list[list[str]]:
    """Return the sources that were begun early, for each time that some were."""
    return [[find.source.name for find in ask.finds] for ask in told.asks if isinstance(ask, Prefetch)]


def ahead(one: Route, caller: Caller = ANNA, typed: tuple[str, ...] = ("123456",)) -> list[list[str]]:
    return begun(converse(one, caller, typed=typed))


def test_the_first_source_begins_before_the_greeting() -> None:
    told = converse(route(CUSTOMERS, LEADS, instruction=("welcome",)))
    assert isinstance(told.asks[0], Prefetch)
    assert begun(told) == [["customers"]]


@pytest.mark.parametrize(
    "one",
    [
        route(CUSTOMERS),
        route(CUSTOMERS, inputs=(NUMBER,)),
        route(BY_INPUT, instruction=("welcome",), inputs=(NUMBER,)),
        route(instruction=("welcome",)),
        route(CUSTOMERS, instruction=("welcome",), rules=(rule("late", go("queue", "a")),)),
    ],
    ids=["nothing plays", "the input may fail", "it needs the input", "no source", "a rule may come first"],
)
def test_by_default_nothing_that_is_not_sure_begins_early(one: Route) -> None:
    assert ahead(one) == []


def test_a_rule_that_ends_the_call_at_its_arrival_asks_nothing_early() -> None:
    blocked = rule("blocked", go("hangup", "rejected"), when("call.called", "is", "217"))
    assert ahead(route(CUSTOMERS, instruction=("welcome",), rules=(blocked,), early=1)) == []


def test_rules_that_have_run_do_not_hold_the_look_up_back() -> None:
    other = rule("blocked", go("hangup", "rejected"), when("call.called", "is", "1"))
    assert ahead(route(CUSTOMERS, instruction=("welcome",), rules=(other,), early=1)) == [["customers"]]


def test_a_hidden_caller_is_never_searched_for_early() -> None:
    assert ahead(route(CUSTOMERS, instruction=("welcome",), look_ahead="all"), HIDDEN) == []


def test_next_begins_the_first_source_before_the_input_and_each_other_beside_the_one_before() -> None:
    one = route(CUSTOMERS, LEADS, source("third", SALES), inputs=(NUMBER,), look_ahead="next")
    assert ahead(one) == [["customers"], ["leads"], ["third"]]


def test_all_begins_whatever_can_be_asked_and_the_rest_once_it_can() -> None:
    one = route(CUSTOMERS, BY_INPUT, LEADS, inputs=(NUMBER,), look_ahead="all")
    assert ahead(one) == [["customers", "leads"], ["numbers", "leads"]]


def test_all_asks_no_source_when_nothing_valid_was_typed_and_none_could_be_asked_before() -> None:
    assert ahead(route(BY_INPUT, inputs=(NUMBER,), look_ahead="all"), typed=("1", "", "")) == []


def test_there_is_a_bound_on_what_begins_early() -> None:
    many = [source(f"s{number}", SALES) for number in range(9)]
    assert len(ahead(route(*many, instruction=("welcome",), look_ahead="all"))[0]) == MAX_AHEAD
