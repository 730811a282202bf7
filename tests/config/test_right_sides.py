"""Values on the right of a condition: read like any template, and never silently a text with braces in it."""

from __future__ import annotations

import pytest

from routing_engine.core.model import ConditionGroup, Template

from .folders import CRM, configuration, problems_of

SOURCE = "default: {to: hangup}\nsources: [{integration: crm, model: contact, search: {by: caller}, rules: [{when: "


def expected(when: str) -> object:
    condition = configuration(SOURCE + when + ", to: hangup}]}]\n").routes["support"].sources[0].rules[0].when
    assert condition is not None
    assert not isinstance(condition, ConditionGroup)
    return condition.expected


def test_braces_on_the_right_are_a_value() -> None:
    for when in ("{a: '{b}'}", "{a: {is: '{b}'}}", "{a: {more_than: '{call.variable.LIMIT}'}}"):
        assert isinstance(expected(when), Template)
    assert expected("{a: '{{b}}'}") == "{b}"


@pytest.mark.parametrize(
    ("when", "sentence"),
    [
        ("{a: '{b'}", "a brace in '{b' has no partner"),
        ("{a: '{input}'}", "this uses the input, but the route asks for none"),
        ("{a: '{device.200}'}", "'device.200' can only stand on the left of a condition"),
    ],
)
def test_a_value_that_cannot_be_had_is_a_problem(when: str, sentence: str) -> None:
    texts = {"integrations/crm.yaml": CRM, "routes/support.yaml": SOURCE + when + ", to: hangup}]}]\n"}
    assert any(sentence in one for one in problems_of(texts))


def test_rules_of_the_route_have_no_record_on_either_side() -> None:
    text = "default: {to: hangup}\nrules: [{when: {call.called: '{number}'}, to: hangup}]\n"
    assert any("there is no record here" in one for one in problems_of({"routes/support.yaml": text}))
    later = "default: {to: hangup}\ninput: {}\nrules: [{when: {call.called: '{input}'}, to: hangup}]\n"
    assert configuration(later).routes["support"].early == 0
