"""Several inputs, and the language that a call is spoken to in."""

from __future__ import annotations

from dataclasses import replace

import pytest

from routing_engine.core.asks import Collect, Play, Switch
from routing_engine.core.model import Destination, Input, Languages, Record
from routing_engine.core.templates import read_template

from .build import ANNA, GOLD, HIDDEN, SALES, converse, go, route, rule, say, source, when

NUMBER = Input(name="number", prompt=("enter-number",), min=4, max=4)
PIN = Input(name="pin", prompt=("enter-pin",), min=2, max=2, attempts=2)
BOTH = (NUMBER, PIN)
SEARCH = source("customers", SALES, by="{input.number}/{input.pin}")


def speaks(by: str, otherwise: str = "", **cases: str) -> Languages:
    return Languages(read_template(by), cases, otherwise)


# Several inputs


def test_inputs_are_asked_in_order() -> None:
    told = converse(route(SEARCH, inputs=BOTH), typed=["4711", "42"])
    assert [ask.input.name for ask in told.asks if isinstance(ask, Collect)] == ["number", "pin"]
    assert told.values == ["4711/42"]


def test_each_input_has_its_own_attempts() -> None:
    told = converse(route(SEARCH, inputs=BOTH), typed=["", "47", "4711", "", ""])
    assert [ask.input.name for ask in told.asks if isinstance(ask, Collect)] == ["number"] * 3 + ["pin"] * 2
    assert (told.decision.reason, told.searched) == ("no_input", [])


def test_each_input_has_its_own_way_when_it_fails() -> None:
    pin = replace(PIN, on_failure=go("extension", "9", "no-pin"))
    told = converse(route(SEARCH, inputs=(NUMBER, pin)), typed=["4711"])
    assert (told.decision.destination, told.played) == (Destination("extension", "9"), ["no-pin"])


def test_a_failed_first_input_leaves_the_second_unasked() -> None:
    number = replace(NUMBER, on_failure=go("extension", "8"))
    told = converse(route(SEARCH, inputs=(number, PIN)))
    assert len(told.prompts) == 3
    assert told.decision.destination == Destination("extension", "8")


def test_what_is_typed_ahead_goes_to_the_first_input_only() -> None:
    told = converse(route(SEARCH, inputs=BOTH, instruction=("hello",)), typed=["711", "42"], ahead="4")
    assert [ask.typed for ask in told.asks if isinstance(ask, Collect)] == ["4", ""]
    assert told.values == ["4711/42"]


def test_an_input_stands_in_conditions_templates_and_prompts() -> None:
    act = rule("pin", go("extension", "{input.pin}", say("digits", "{input.number}")), when("input.pin", "is", "42"))
    told = converse(route(source("c", act), inputs=BOTH), typed=["4711", "42"], found={"c": GOLD})
    assert told.decision.destination == Destination("extension", "42")
    assert [str(sound) for sound in told.played] == ["digits 4711"]


def test_a_later_prompt_may_repeat_an_earlier_input() -> None:
    pin = replace(PIN, prompt=("for", say("digits", "{input.number}")), retry_prompt=(say("digits", "{input.number}"),))
    told = converse(route(SEARCH, inputs=(NUMBER, pin)), typed=["4711", "", "42"])
    assert [list(map(str, prompt)) for prompt in told.prompts[1:]] == [
        ["for", "digits 4711"],
        ["digits 4711", "for", "digits 4711"],
    ]


def test_the_trail_names_the_input_and_the_try() -> None:
    told = converse(route(SEARCH, inputs=BOTH), typed=["1", "4711", "42"])
    assert told.steps[:3] == [
        "number, try 1 of 3: 1 digits, fewer than 4",
        "number, try 2 of 3: typed 4711",
        "pin, try 1 of 2: typed 42",
    ]


def test_an_input_that_was_not_asked_yet_is_empty() -> None:
    early = rule("early", go("queue", "a"), when("input.pin", "is_empty", True))
    assert converse(route(rules=(early,), early=1, inputs=BOTH)).decision.rule == "early"


# The language


def test_a_language_by_the_number_that_was_called() -> None:
    told = converse(route(languages=speaks("{call.called}", "en", **{"217": "de"}), instruction=("hello",)))
    assert told.asks[:2] == [Switch("de"), Play(("hello",))]


def test_a_language_by_the_country() -> None:
    languages = speaks("{call.country}", "fr", AT="de")
    assert converse(route(languages=languages)).languages == ["de"]
    assert converse(route(languages=languages), HIDDEN).languages == ["fr"]


def test_a_value_that_no_language_is_for_leaves_it_as_it_is() -> None:
    assert converse(route(languages=speaks("{call.called}", **{"999": "de"}))).languages == []


def test_the_language_that_it_is_in_already_is_not_switched_to() -> None:
    told = converse(route(languages=speaks("{call.called}", "en")))
    assert (told.languages, ANNA.language) == ([], "en")


def test_the_language_is_chosen_before_the_rules_look_at_it() -> None:
    german = rule("german", go("queue", "de"), when("call.language", "is", "de"))
    told = converse(route(languages=speaks("{call.called}", "de"), rules=(german,), early=1))
    assert told.decision.rule == "german"


def test_a_language_by_the_key_that_is_pressed() -> None:
    key = Input(name="key", min=1, max=1, languages={"1": "de", "2": "it"})
    told = converse(route(inputs=(key, NUMBER)), typed=["2", "4711"])
    assert [type(ask).__name__ for ask in told.asks[:3]] == ["Collect", "Switch", "Collect"]
    assert told.languages == ["it"]


def test_a_key_without_a_language_changes_nothing() -> None:
    key = Input(name="key", min=1, max=1, languages={"1": "de"})
    assert converse(route(inputs=(key,)), typed=["3"]).languages == []


@pytest.mark.parametrize("written", ["de", " de "])
def test_a_language_of_the_record_comes_before_the_play(written: str) -> None:
    act = rule("on", go("queue", "q", "hello"), None, language="{lang}")
    told = converse(route(source("c", act)), found={"c": Record({"lang": written})})
    assert told.asks[1:] == [Switch("de"), Play(("hello",), barge_in=False)]
    assert told.decision.sets == (("language", "de"),)


@pytest.mark.parametrize("strange", ["", "d", "de/../x", "de;id", "../../tmp", "x" * 65_536, "de\nen", "\x1b[2J"])
def test_a_language_that_is_none_is_left_out(strange: str) -> None:
    act = rule("on", go("queue", "q"), None, language="{lang}", X="1")
    told = converse(route(source("c", act)), found={"c": Record({"lang": strange})})
    assert (told.languages, told.decision.sets) == ([], (("X", "1"),))
    assert any(step.startswith("language: left as it is") for step in told.steps)
    assert (told.decision.destination, told.decision.reason) == (Destination("queue", "q"), "matched")


def test_a_language_from_a_value_is_checked_too() -> None:
    told = converse(route(languages=speaks("{call.called}", "no language")))
    assert (told.languages, told.decision.reason) == ([], "no_record")


def test_the_next_route_is_spoken_in_the_language_that_was_chosen() -> None:
    act = rule("on", go("route", "other"), None, language="de")
    german = rule("german", go("queue", "de"), when("call.language", "is", "de"))
    told = converse(route(rules=(act,), early=1), routes={"other": route(rules=(german,), early=1)})
    assert told.decision.rule == "german"


def test_the_final_prompt_is_heard_to_its_end() -> None:
    told = converse(route(inputs=(replace(PIN, final_prompt=("no-luck",)),)))
    assert Play(("no-luck",), barge_in=False) in told.asks


def test_the_trail_names_a_prompt_of_an_input_that_could_not_be_played() -> None:
    one = replace(PIN, attempts=1, prompt=("enter-pin", "x"))
    told = converse(route(inputs=(one,), default=go("queue", "q")), typed=["42"], missing=["enter-pin", "x"])
    assert told.outcomes[1] == "could not be played: enter-pin, x"


def test_the_trail_names_an_instruction_that_could_not_be_played() -> None:
    told = converse(route(instruction=("hello",), default=go("queue", "q")), missing=["hello"])
    assert told.outcomes == ["could not be played: hello"]
