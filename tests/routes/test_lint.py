"""Remarks: what can never happen, what nobody uses, what no example proves."""

from __future__ import annotations

import pytest

from routing_engine.routes.configuration import configure

from .folders import PROVIDERS, configuration, snapshot
from .test_read import SUPPORT

SOURCE = (
    "default: {to: {queue: sales}}\nsources:\n  - {integration: crm, model: contact, search: {by: caller}, rules: ["
)


def remarks(text: str) -> list[str]:
    return [f"{one.line}: {one.sentence}" for one in configuration(text).remarks]


def rules(*whens: str) -> list[str]:
    found = remarks(SOURCE + ", ".join(f"{{{when}to: {{queue: q}}}}" for when in whens) + "]}\n")
    return [one for one in found if "never fire" in one]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("", "when: {tier: gold}, "),
        ("", ""),
        ("when: {tier: gold}, ", "when: {tier: gold}, "),
        ("when: {tier: gold}, ", "when: {balance: 1, tier: gold}, "),
        ("when: {zip: {matches: '^1'}}, ", "when: {zip: {matches: '^1'}}, "),
        ("when: {any: [{a: 1}, {b: 2}]}, ", "when: {any: [{b: 2}, {a: 1}]}, "),
    ],
)
def test_a_rule_below_one_that_takes_its_calls_is_named(first: str, second: str) -> None:
    assert rules(first, second) == ["3: the rule 'rule 2' can never fire: 'rule 1' (line 3) takes all its calls"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("when: {tier: gold}, ", ""),
        ("when: {tier: gold}, ", "when: {tier: silver}, "),
        ("when: {tier: 1}, ", "when: {tier: '1'}, "),
        ("when: {tier: {is: gold}}, ", "when: {tier: {is: gold, loosely: true}}, "),
        ("when: {any: [{a: 1}]}, ", "when: {none: [{a: 1}]}, "),
        ("when: {balance: 1, tier: gold}, ", "when: {tier: gold}, "),
    ],
)
def test_a_rule_that_can_still_fire_gets_no_remark(first: str, second: str) -> None:
    assert rules(first, second) == []


def test_a_route_without_examples_gets_a_remark() -> None:
    assert "0: the route has no examples" in remarks("default: {to: hangup}\n")


def test_rules_that_no_example_proves_are_named() -> None:
    assert remarks(SUPPORT) == [
        "33: no example proves the rule 'account owner'",
        "40: no example proves the rule 'rule 1'",
    ]


def test_an_input_that_nothing_uses_is_named() -> None:
    assert "0: the input is asked for, but nothing uses it" in remarks("default: {to: hangup}\ninput: {prompt: x}\n")


def test_a_default_that_may_lead_nowhere_is_named() -> None:
    found = remarks("default: {to: {extension: '{call.called}'}}\n")
    assert any("the default's target comes from values" in one for one in found)


def test_a_field_that_the_model_does_not_map_is_named() -> None:
    crm = "provider: fake\nmodels: {contact: {fields: {tier: t}}}\n"
    route = SOURCE + "{when: {teir: gold, id: 1}, to: {queue: '{tier}'}}]}\n"
    found = configure(snapshot({"integrations/crm.yaml": crm, "routes/a1.yaml": route}), PROVIDERS).remarks
    named = [one for one in found if "does not map" in one.sentence]
    assert [(one.line, one.remedy) for one in named] == [(3, "did you mean 'tier'?")]
