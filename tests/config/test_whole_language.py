"""Every word that came to the route language with its second half: read as it is meant."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest

from routing_engine.config.engine_sections import RouteDefaults
from routing_engine.config.route.read import read_route
from routing_engine.core import model
from routing_engine.core.calendar import OpeningHours
from routing_engine.core.model import (
    Action,
    DestinationSpec,
    Languages,
    Menu,
    Operand,
    Prefer,
    Route,
    Rule,
    Site,
    SpokenTemplate,
    Template,
)
from routing_engine.core.number_lists import CallerList
from routing_engine.settings.integration import Model
from routing_engine.settings.yaml_reader import Problems

from .folders import failing

SMALL = "default: {to: {queue: sales}}\n"
SOURCE = SMALL + "sources:\n  - {integration: crm, model: contact, search: {by: caller}, "
SALES = Action(DestinationSpec("queue", Template(("sales",))))
MODELS = {"crm": {"contact": Model("contact", {})}}
SITE = Site({"office": OpeningHours(((),) * 7)}, {"spam": CallerList()})


def problems(text: str) -> list[str]:
    notes = Problems("routes/support.yaml")
    read_route("support", text, notes, RouteDefaults(), MODELS, ["support"], SITE)
    return [f"{one.line}: {one.sentence}" for one in notes.problems]


def route(text: str) -> Route:
    notes = Problems("routes/support.yaml")
    found = read_route("support", text, notes, RouteDefaults(), MODELS, ["support", "other"], SITE)
    assert found is not None, notes.problems
    return found.route


def rule(text: str) -> Rule:
    return route(SMALL + f"rules:\n  - {{to: hangup, {text}}}\n").rules[0]


def of(left: Operand) -> Template:
    return Template((left,))


# Prompts with values


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("hello", ("hello",)),
        ("[a, b/c]", ("a", "b/c")),
        ("'acme/{call.called}'", (SpokenTemplate("sound", Template(("acme/", Operand("call", "called")))),)),
        ("{digits: '{call.called}'}", (SpokenTemplate("digits", of(Operand("call", "called"))),)),
        ("{number: '7'}", (SpokenTemplate("number", Template(("7",))),)),
        ("{letters: AB}", (SpokenTemplate("letters", Template(("AB",))),)),
        ("{date: '{call.date}'}", (SpokenTemplate("date", of(Operand("call", "date"))),)),
        ("{time: '{call.time}'}", (SpokenTemplate("time", of(Operand("call", "time"))),)),
        ("{say: Good morning}", (SpokenTemplate("speech", Template(("Good morning",))),)),
        ("[a, {say: b}]", ("a", SpokenTemplate("speech", Template(("b",))))),
    ],
)
def test_a_prompt_is_a_sound_or_says_a_value(written: str, expected: object) -> None:
    assert route(SMALL + f"instruction: {written}\n").instruction == expected


def test_prompts_stand_wherever_something_is_played() -> None:
    one = route(
        SMALL + "input: {prompt: {say: a}, retry_prompt: {say: b}, final_prompt: {say: c}, "
        "on_failure: {play: {say: d}, to: hangup}}\n"
    ).inputs[0]
    said = (*one.prompt, *one.retry_prompt, *one.final_prompt, *(one.on_failure.play if one.on_failure else ()))
    assert [str(saying.text.parts[0]) for saying in said if isinstance(saying, SpokenTemplate)] == ["a", "b", "c", "d"]


# Language


def test_a_language_is_a_code_or_chosen_by_a_value() -> None:
    assert route(SMALL + "language: pt_BR\n").language == "pt_BR"
    found = route(SMALL + "language: {by: call.called, '+4312345': de, else: en}\n")
    assert found.languages == Languages(of(Operand("call", "called")), {"+4312345": "de"}, "en")
    assert found.language == ""


def test_a_key_may_choose_the_language() -> None:
    one = route(SMALL + "input: {prompt: x, digits: {max: 1}, language: {'1': de, 2: en}}\n").inputs[0]
    assert one.languages == {"1": "de", "2": "en"}


# Inputs


def test_an_input_alone_is_called_input() -> None:
    assert [one.name for one in route(SMALL + "input: {prompt: x}\n").inputs] == ["input"]


def test_several_inputs_have_names_and_conditions_use_them() -> None:
    found = route(
        SMALL + "inputs: [{name: number, accept_early: true}, {name: pin-code, sensitive: true}]\n"
        "rules: [{when: {input.pin-code: '42', input.number: {starts_with: '4'}}, to: hangup}]\n"
    )
    assert [(one.name, one.accept_early, one.sensitive) for one in found.inputs] == [
        ("number", True, False),
        ("pin-code", False, True),
    ]
    condition = found.rules[0].when
    assert isinstance(condition, model.ConditionGroup)
    assert [part.left for part in condition.conditions if isinstance(part, model.Comparison)] == [
        Operand("input", "pin-code"),
        Operand("input", "number"),
    ]


@pytest.mark.parametrize("by", ["input.pin", "'{input.number}-{input.pin}'"])
def test_a_search_may_be_by_a_named_input(by: str) -> None:
    text = SMALL + "inputs: [{name: number}, {name: pin}]\n"
    text += f"sources: [{{integration: crm, model: contact, search: {{by: {by}}}}}]\n"
    assert Operand("input", "pin") in route(text).sources[0].by.operands


# Rules of the route


def test_rules_above_the_first_that_looks_at_the_input_are_early() -> None:
    text = SMALL + "input: {prompt: x}\nrules:\n"
    early, late = "  - {when: {call.called: '1'}, to: hangup}\n", "  - {when: {input: '1'}, to: hangup}\n"
    assert route(text + early + early + late + early).early == 2
    assert route(text + late + early).early == 0
    assert route(text + early + early).early == 2
    assert route(SMALL).early == 0


@pytest.mark.parametrize(
    "looks",
    [
        "to: {extension: '{input}', else: hangup}",
        "to: hangup, set: {X: '{input}'}",
        "to: hangup, play: {digits: '{input}'}",
        "to: [{queue: a}, {extension: '{input}'}]",
        "to: hangup, when: {any: [{none: [{input: '1'}]}]}",
    ],
)
def test_a_rule_looks_at_the_input_wherever_it_names_it(looks: str) -> None:
    assert route(SMALL + f"input: {{prompt: x}}\nrules: [{{{looks}}}]\n").early == 0


def test_a_rule_may_sleep_end_and_have_an_owner() -> None:
    found = rule("name: x, disabled: true, until: 2026-12-31, owner: Eva, comment: why")
    assert (found.disabled, found.owner, found.comment) == (True, "Eva", "why")
    assert found.until == datetime(2026, 12, 31, 23, 59, 59, 999_999)


@pytest.mark.parametrize("written", ["'2026-12-31 17:30'", "2026-12-31T17:30", "2026-12-31 17:30:00"])
def test_until_may_be_a_moment(written: str) -> None:
    assert rule(f"until: {written}").until == datetime(2026, 12, 31, 17, 30)


def test_a_route_has_an_owner() -> None:
    assert route(SMALL + "owner: Eva\n").owner == "Eva"


# Left sides


@pytest.mark.parametrize(
    ("written", "left"),
    [
        ("call.country: AT", Operand("call", "country")),
        ("call.calendar.office: open", Operand("call", "calendar.office")),
        ("call.attestation: A", Operand("call", "attestation")),
        ("list.spam: blocked", Operand("list", "spam")),
        ("device.200: not_inuse", Operand("device", "200")),
        ("queue.sales.waiting: {less_than: 3}", Operand("queue", "sales.waiting")),
        ("queue.sales.members: 0", Operand("queue", "sales.members")),
        ("queue.sales.free: {at_least: 1}", Operand("queue", "sales.free")),
        ("share: {less_than: 20}", Operand("share", "")),
        ("share: {between: [20, 50]}", Operand("share", "")),
    ],
)
def test_a_rule_about_the_call_may_look_at(written: str, left: Operand) -> None:
    found = rule(f"when: {{{written}}}")
    assert isinstance(found.when, model.Comparison)
    assert found.when.left == left
    assert found.live == ((left,) if left.live else ())


@pytest.mark.parametrize("written", ["data.origin: cache", "data.age_s: {more_than: 60}"])
def test_a_rule_of_a_source_may_look_at_the_data(written: str) -> None:
    found = route(SOURCE + f"rules: [{{when: {{{written}}}, to: hangup}}]}}\n").sources[0].rules[0]
    assert isinstance(found.when, model.Comparison)
    assert found.when.left.scope == "data"


def test_what_a_rule_needs_live_is_known_once_and_in_order() -> None:
    found = rule("when: {any: [{device.2: busy}, {device.1: busy}, {none: [{device.2: inuse}]}], call.called: '1'}")
    assert found.live == (Operand("device", "1"), Operand("device", "2"))


# when_many


def many(written: str) -> object:
    return route(SOURCE + f"when_many: {written}}}\n").sources[0].when_many


def test_one_of_several_records_may_be_preferred() -> None:
    assert many("{prefer: {tier: gold}}") == Prefer(model.Comparison(Operand("record", "tier"), "is", "gold"))


def test_the_caller_may_be_asked_by_the_names() -> None:
    assert many("ask") == Menu((SpokenTemplate("speech", of(Operand("record", "name"))),))


def test_the_menu_may_be_written_out() -> None:
    found = many("{ask: [customer, {digits: '{id}'}], prompt: several, at_most: 4, else: {to: {queue: sales}}}")
    assert found == Menu(("customer", SpokenTemplate("digits", of(Operand("record", "id")))), ("several",), 4, SALES)


def test_a_menu_without_a_label_is_refused() -> None:
    assert problems(SOURCE + "when_many: {ask: []}}\n") == ["3: 'ask' says nothing"]


# Destinations


def to(written: str) -> DestinationSpec:
    return route(SMALL + f"rules: [{{to: {written}}}]\n").rules[0].act.to


def test_a_list_is_a_chain_in_order() -> None:
    found = to("[{extension: 200, ring_s: 20}, {queue: sales, priority: 5}, hangup]")
    last = DestinationSpec("hangup", Template(("normal",)), chained=True)
    middle = DestinationSpec("queue", Template(("sales",)), 5, chained=True, then=last)
    assert found == DestinationSpec("extension", Template(("200",)), ring_s=20, chained=True, then=middle)


def test_one_destination_may_ring_for_a_time() -> None:
    assert to("{external: '+43158858', ring_s: 30}") == DestinationSpec("external", Template(("+43158858",)), ring_s=30)


@pytest.mark.parametrize(("written", "days"), [("14 days", "14"), ("1 day", "1"), ("999 days", "999")])
def test_the_last_agent_counts_for_days(written: str, days: str) -> None:
    found = to(f"{{last_agent: {written}, ring_s: 15, else: {{queue: sales}}}}")
    assert found == DestinationSpec("last_agent", Template((days,)), otherwise=SALES.to, ring_s=15)


def test_an_else_may_be_a_chain() -> None:
    found = to("{extension: '{call.called}', else: [{queue: a}, {queue: b}]}").otherwise
    assert found is not None
    assert (found.chained, found.then is not None and found.then.target) == (True, Template(("b",)))


# Side effects


def test_every_side_effect_may_be_set() -> None:
    names = ["caller_name", "caller_number", "language", "music", "account", "alert_info", "announce", "record"]
    names += ["header.X-Customer", "header.User-to-User", "CRM_ID", "__SHARED"]
    found = rule("set: {" + ", ".join(f"{name}: '{{call.called}}'" for name in names) + "}")
    assert [name for name, _ in found.sets] == names


# Examples


def example(text: str) -> list[str]:
    """Play the route's only example through; give its failures."""
    return failing(text)


CHAIN = SMALL + "rules: [{name: on, to: [{extension: 200, ring_s: 20}, {queue: desk}]}]\nexamples:\n  - "


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ("{device.200: not_inuse}", "[{extension: 200}, {queue: desk}, {queue: sales}]"),
        ("{device.200: not_inuse}", "{extension: 200}"),
        ("{device.200: not_inuse}", "{extension: 200, ring_s: 20}"),
        ("{device.200: busy}", "[{queue: desk}]"),
        ("{device.200: busy, queue.desk.members: 0}", "{queue: sales}"),
    ],
)
@pytest.mark.io
def test_an_example_has_states_and_may_expect_where_a_chain_goes_on(states: str, expected: str) -> None:
    assert example(CHAIN + f"{{states: {states}, expect: {{rule: on, to: {expected}}}}}\n") == []


@pytest.mark.parametrize(
    ("expected", "sentence"),
    [
        ("[{extension: 200}, {queue: sales}]", "then go to queue sales, but goes to queue desk"),
        ("[{extension: 200}, {queue: desk}, {queue: sales}, {queue: x}]", "then go to queue x, but goes to nowhere"),
        ("{extension: 200, ring_s: 15}", "go to extension 200, for 15 s, but goes to extension 200, for 20 s"),
    ],
)
@pytest.mark.io
def test_a_chain_that_goes_elsewhere_fails_its_example(expected: str, sentence: str) -> None:
    assert example(CHAIN + f"{{expect: {{to: {expected}}}}}\n") == [f"the call should {sentence}"]


def test_an_example_that_expects_an_empty_chain_is_refused() -> None:
    assert problems(CHAIN + "{expect: {to: []}}\n") == ["4: 'to' expects nothing"]


@pytest.mark.io
def test_an_example_may_say_whom_the_caller_spoke_to() -> None:
    text = SMALL + "rules: [{to: {last_agent: 14 days, else: {queue: desk}}}]\nexamples:\n  - "
    spoke = "{states: {last_agent: ['201', '2026-01-02']}, expect: {to: {extension: 201}}}\n"
    long_ago = "{states: {last_agent: ['201', '2025-01-02']}, expect: {to: {queue: desk}}}\n"
    assert example(text + spoke) == []
    assert example(text + long_ago) == []


@pytest.mark.io
def test_an_example_types_for_every_input_in_turn() -> None:
    text = SMALL + "inputs: [{name: a, digits: {max: 1}}, {name: b, digits: {max: 1}}]\n"
    text += "rules: [{name: r, when: {input.a: '1', input.b: '2'}, to: hangup}]\nexamples:\n  - "
    assert example(text + "{input: ['1', '', '2'], expect: {rule: r}}\n") == []


def test_a_route_is_the_same_whichever_form_its_one_input_has() -> None:
    one, several = route(SMALL + "input: {}\n"), route(SMALL + "inputs: [{name: input}]\n")
    assert replace(one, revision="") == replace(several, revision="")
