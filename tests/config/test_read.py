"""A route's file as the model: every key, every default, and the two files of the contract."""

from __future__ import annotations

import pytest

from routing_engine.core import model
from routing_engine.core.model import Action, ConditionGroup, DestinationSpec, Filler, Operand, Route, Template

from .folders import configuration, problems_of

SUPPORT = """
description: Customers of the support line, by customer number, then by who calls
language: en
instruction: greeting-welcome
input:
  prompt: enter-customer-number
  attempts: 3
  digits: {min: 6, max: 10}
  pattern: '\\d{6,10}'
  terminator: '#'
  first_digit_timeout_s: 5
  inter_digit_timeout_s: 3
  retry_prompt: invalid-number
  final_prompt: no-luck
  on_failure: default
  sensitive: false
deadline_s: 3
filler: {after_s: 0.7, music: default}
sources:
  - name: customers
    integration: crm
    model: contact
    search: {field: customer_number, by: input}
    timeout_s: 1.5
    when_down: next
    when_many: first
    rules:
      - name: gold customers
        when: {tier: gold, balance: {at_least: 1000}}
        play: crm_routing-gold
        to: {queue: vip, priority: 10}
        set: {caller_name: "{company} - {name}", CRM_ID: "{id}"}
      - name: account owner
        to: {extension: "{owner_extension}", else: {queue: sales}}
  - name: leads
    integration: crm
    model: lead
    search: {field: phone, by: caller}
    rules:
      - to: {queue: sales}
default:
  play: crm_routing-no-match
  to: {ivr: main}
examples:
  - name: a gold customer goes to the VIP queue
    caller: '+43 664 1234567'
    input: ['999', '123456']
    records: {customers: {tier: gold, balance: 2500}}
    expect: {rule: gold customers, to: {queue: vip}}
"""
SMALL = "default: {to: {queue: sales}}\n"
SOURCE = SMALL + "sources:\n  - integration: crm\n    model: contact\n    search: {by: caller}\n"


def route(text: str) -> Route:
    return configuration(text, other=SMALL).routes["support"]


def rule_of(when: str) -> object:
    return route(f"{SOURCE}    rules:\n      - when: {when}\n        to: hangup\n").sources[0].rules[0].when


def to_of(to: str) -> DestinationSpec:
    return route(f"{SOURCE}    rules: [{{to: {to}}}]\n").sources[0].rules[0].act.to


@pytest.mark.io
def test_the_route_of_the_contract_is_read_whole() -> None:
    found = route(SUPPORT)
    gold, owner = found.sources[0].rules
    assert gold.name == "gold customers"
    assert gold.act == Action(DestinationSpec("queue", Template(("vip",)), 10), ("crm_routing-gold",))
    assert [name for name, _ in gold.sets] == ["caller_name", "CRM_ID"]
    assert owner.act.to.otherwise == DestinationSpec("queue", Template(("sales",)))
    assert found.sources[0].by == Template((Operand("input", ""),))
    assert found.sources[1].by_caller
    assert found.sources[1].rules[0].name == "rule 1"
    assert found.inputs[0].pattern is not None
    assert found.inputs[0].pattern.fullmatch("123456")
    assert (found.inputs[0].min, found.inputs[0].max) == (6, 10)


def test_a_default_is_all_that_a_route_needs() -> None:
    found = route(SMALL)
    assert (found.deadline_s, found.filler, found.answer) == (3.0, Filler(), "before_prompts")
    assert (found.inputs, found.sources, found.anonymous) == ((), (), None)


def test_a_source_is_called_after_its_integration_and_model() -> None:
    assert route(SOURCE + "    rules: [{to: hangup}]\n").sources[0].name == "crm.contact"


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ("{tier: gold}", model.Comparison(Operand("record", "tier"), "is", "gold")),
        ("{balance: {'>=': 1000}}", model.Comparison(Operand("record", "balance"), "at_least", 1000)),
        ("{tier: {is: Gold, loosely: true}}", model.Comparison(Operand("record", "tier"), "is", "Gold", True)),
        ("{tier: {one_of: [gold, 3]}}", model.Comparison(Operand("record", "tier"), "one_of", ("gold", 3))),
        (
            "{call.time: {between: ['22:00', '06:00']}}",
            model.Comparison(Operand("call", "time"), "between", ("22:00", "06:00")),
        ),
        ("{renewal: {before: 2026-12-24}}", model.Comparison(Operand("record", "renewal"), "before", "2026-12-24")),
        ("{owner: {is_empty: false}}", model.Comparison(Operand("record", "owner"), "is_empty", False)),
        ("{call.variable.Vip: x}", model.Comparison(Operand("call", "variable.Vip"), "is", "x")),
        ("{vip: true}", model.Comparison(Operand("record", "vip"), "is", True)),
    ],
)
def test_a_condition_is_a_left_side_an_operator_and_a_value(when: str, expected: model.Comparison) -> None:
    assert rule_of(when) == expected


def test_several_operators_must_all_hold() -> None:
    low, high = (
        model.Comparison(Operand("record", "n"), "more_than", 1),
        model.Comparison(Operand("record", "n"), "less_than", 9),
    )
    assert rule_of("{n: {more_than: 1, less_than: 9}}") == ConditionGroup("all", (low, high))


def test_conditions_form_a_tree() -> None:
    a, b = model.Comparison(Operand("record", "a"), "is", 1), model.Comparison(Operand("record", "b"), "is", 2)
    assert rule_of("{any: [{a: 1}, {none: [{b: 2}]}], b: 2}") == ConditionGroup(
        "all", (ConditionGroup("any", (a, ConditionGroup("none", (b,)))), b)
    )


def test_an_expression_is_compiled_for_linear_time() -> None:
    found = rule_of("{zip: {matches: '^(a+)+$'}}")
    assert isinstance(found, model.Comparison)
    assert not found.expected.search("a" * 5000 + "b")  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("to", "kind", "target"),
    [
        ("hangup", "hangup", "normal"),
        ("{hangup: busy}", "hangup", "busy"),
        ("{hangup: 17}", "hangup", "17"),
        ("{hangup: }", "hangup", "normal"),
        ("{extension: 0664}", "extension", "0664"),
        ("{external: +43 664 1234567}", "external", "+43 664 1234567"),
        ("{dialplan: 'from-internal,100,1'}", "dialplan", "from-internal,100,1"),
        ("{route: other}", "route", "other"),
        ("{voicemail: 100@default}", "voicemail", "100@default"),
    ],
)
def test_a_destination_is_a_kind_and_a_target(to: str, kind: str, target: str) -> None:
    assert to_of(to) == DestinationSpec(kind, Template((target,)))


def test_a_bare_callback_calls_the_caller_back() -> None:
    assert to_of("callback") == DestinationSpec("callback", Template((Operand("call", "caller"),)))


@pytest.mark.parametrize(
    ("by", "left"),
    [
        ("caller", Operand("call", "caller")),
        ("called", Operand("call", "called")),
        ("call.variable.ACCOUNT", Operand("call", "variable.ACCOUNT")),
    ],
)
def test_a_search_is_by_a_value_of_the_call(by: str, left: Operand) -> None:
    found = route(SMALL + f"sources:\n  - {{integration: crm, model: contact, search: {{by: {by}}}}}\n")
    assert found.sources[0].by == Template((left,))


def test_the_channel_variables_of_a_route_are_known() -> None:
    text = SMALL + (
        "sources:\n  - {integration: crm, model: contact, search: {by: '{call.variable.B}-{call.called}'}, "
        "rules: [{when: {call.variable.A: x}, to: {queue: '{call.variable.C}', else: {queue: '{call.variable.D}'}}}]}\n"
    )
    assert route(text).variables == ("A", "B", "C", "D")


def test_when_down_and_when_many_may_have_their_own_way() -> None:
    text = SOURCE + "    when_down: {play: sorry, to: {queue: a}}\n    when_many: newest by created\n"
    found = route(text).sources[0]
    assert found.when_down == Action(DestinationSpec("queue", Template(("a",))), ("sorry",))
    assert (found.when_many, found.newest_by) == ("first", "created")


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("{ringing: true}", Filler(0.7, "ringing", "")),
        ("{after_s: 2, sound: one-moment}", Filler(2, "sound", "one-moment")),
        ("{after_s: 2}", Filler(2, "music", "default")),
        ("none", Filler(0.7, "none", "")),
    ],
)
def test_a_filler_is_music_ringing_or_one_sound(written: str, expected: Filler) -> None:
    assert route(SMALL + f"filler: {written}\n").filler == expected


def test_an_unknown_word_does_not_hide_the_next_fault() -> None:
    found = problems_of(
        {"routes/support.yaml": "instrution: x\ndeadline_s: x\nsources: [{}]\n", "engine.yaml": "a: 1\n"}
    )
    assert len(found) == 7
