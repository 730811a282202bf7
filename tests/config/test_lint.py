"""Remarks: what can never happen, what nobody uses, what no example proves."""

from __future__ import annotations

from datetime import datetime

import pytest

from routing_engine.config.engine_sections import RouteDefaults
from routing_engine.config.lint.remarks import lint
from routing_engine.config.load import configure
from routing_engine.config.route.read import read_route
from routing_engine.errors import ConfigError
from routing_engine.settings.yaml_reader import Problems

from .folders import CRM, PROVIDERS, configuration, configured, snapshot
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
        ("when: {tier: 1}, ", "when: {tier: '1'}, "),
        ("when: {tier: {one_of: [gold, silver]}}, ", "when: {tier: silver}, "),
        ("when: {balance: {at_least: 100}}, ", "when: {balance: {between: [200, 300]}}, "),
        ("when: {zip: {starts_with: '1'}}, ", "when: {zip: {starts_with: '10'}}, "),
        ("when: {zip: {matches: '^1'}}, ", "when: {zip: {starts_with: '10'}}, "),
        ("when: {zip: {starts_with: '1'}}, ", "when: {zip: {matches: '^1[0-9]{3}$'}}, "),
        ("when: {call.caller: {starts_with: '+43'}}, ", "when: {call.caller: '+436641234567'}, "),
        ("when: {call.time: {between: ['08:00', '18:00']}}, ", "when: {call.time: {between: ['09:00', '10:00']}}, "),
        ("when: {created: {after: 2026-01-01}}, ", "when: {created: {after: 2026-03-01}}, "),
        ("when: {created: {within_days: 30}}, ", "when: {created: {within_days: 7}}, "),
        ("when: {tier: {is: gold, loosely: true}}, ", "when: {tier: gold}, "),
        ("when: {share: {less_than: 50}}, ", "when: {share: {less_than: 20}}, "),
        ("when: {queue.a.waiting: {more_than: 3}}, ", "when: {queue.a.waiting: 5}, "),
        ("when: {tier: '{x}'}, ", "when: {tier: '{x}', balance: 1}, "),
    ],
)
def test_a_rule_below_one_that_takes_its_calls_is_named(first: str, second: str) -> None:
    assert rules(first, second) == ["3: the rule 'rule 2' can never fire: 'rule 1' (line 3) takes all its calls"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("when: {tier: gold}, ", ""),
        ("when: {tier: gold}, ", "when: {tier: silver}, "),
        ("when: {tier: '1'}, ", "when: {tier: 1}, "),
        ("when: {tier: {is: gold}}, ", "when: {tier: {is: gold, loosely: true}}, "),
        ("when: {any: [{a: 1}]}, ", "when: {none: [{a: 1}]}, "),
        ("when: {balance: 1, tier: gold}, ", "when: {tier: gold}, "),
    ],
)
def test_a_rule_that_can_still_fire_gets_no_remark(first: str, second: str) -> None:
    assert rules(first, second) == []


@pytest.mark.parametrize(
    ("first", "second", "field"),
    [
        ("when: {none: [{tier: gold}]}, ", "when: {tier: silver}, ", "tier"),
        ("when: {vip: {is_true: true}}, ", "when: {vip: true}, ", "vip"),
    ],
)
def test_what_only_a_list_could_come_past_is_said(first: str, second: str, field: str) -> None:
    (found,) = rules(first, second)
    assert found.endswith(f"takes all its calls (unless '{field}' is a list)")


def test_a_field_that_an_example_shows_to_be_a_list_is_thought_of_as_one() -> None:
    route = SOURCE + "{when: {tags: {is: a}, tags.x: 1, all: [{tags: b}]}, to: {queue: q}}]}\n"
    given = "examples: [{records: {crm.contact: {tags: [a, b]}}, expect: {reason: no_rule}}]\n"
    assert [one for one in remarks(route) if "exclude one another (unless 'tags' is a list)" in one]
    assert not [one for one in remarks(route + given) if "never fire" in one]


def test_several_rules_that_take_all_calls_together_are_named() -> None:
    above = ("when: {balance: {less_than: 100}}, ", "when: {balance: {at_least: 100}}, ")
    (found,) = rules(*above, "when: {balance: {between: [50, 200]}}, ")
    assert found.startswith(
        "3: the rule 'rule 3' can never fire: 'rule 1' (line 3) and 'rule 2' (line 3) together take"
    )


def test_a_route_without_examples_gets_a_remark() -> None:
    assert "0: the route has no examples" in remarks("default: {to: hangup}\n")


@pytest.mark.io
def test_rules_that_no_example_proves_are_named() -> None:
    assert remarks(SUPPORT) == [
        "33: no example proves the rule 'account owner'",
        "40: no example proves the rule 'rule 1'",
    ]


@pytest.mark.io
def test_a_rule_that_sends_the_call_to_another_route_is_proven_too() -> None:
    first = SOURCE + "{name: on, to: {route: second}}]}\n"
    first += "examples: [{records: {crm.contact: {a: 1}}, expect: {to: {queue: b}}}]\n"
    second = "default: {to: {queue: b}}\nexamples: [{expect: {to: {queue: b}}}]\n"
    assert configuration(first, second=second).remarks == ()


def test_an_input_that_nothing_uses_is_named() -> None:
    assert "2: the input is asked for, but nothing uses it" in remarks("default: {to: hangup}\ninput: {prompt: x}\n")


def test_a_default_that_may_lead_nowhere_is_named() -> None:
    found = remarks("default: {to: {extension: '{call.called}'}}\n")
    assert any("the default's target comes from values" in one for one in found)


def test_a_field_that_the_model_does_not_map_is_named() -> None:
    crm = "provider: fake\nmodels: {contact: {fields: {tier: t}}}\n"
    route = SOURCE + "{when: {teir: gold, id: 1}, to: {queue: '{tier}'}}]}\n"
    found = configure(snapshot({"integrations/crm.yaml": crm, "routes/a1.yaml": route}), PROVIDERS).remarks
    named = [one for one in found if "does not map" in one.sentence]
    assert [(one.line, one.remedy) for one in named] == [(3, "did you mean 'tier'?")]


# The second half of the language


def test_a_rule_that_sleeps_is_named_and_hides_nobody() -> None:
    text = "default: {to: hangup}\nrules:\n  - {name: off, disabled: true, to: {queue: a}}\n"
    text += "  - {name: was, until: 2020-01-01, to: {queue: a}}\n  - {name: on, to: {queue: b}}\n"
    assert sleeping(text) == [
        "3: the rule 'off' is disabled",
        "4: the rule 'was' expired on 2020-01-01",
    ]


def sleeping(text: str, at: datetime = datetime(2026, 11, 21)) -> list[str]:
    notes = Problems("routes/support.yaml")
    found = read_route("support", text, notes, RouteDefaults(), {})
    assert found is not None, notes.problems
    every = lint("routes/support.yaml", found, {}, set(), at, text)
    aside = "no examples", "the default is never reached"
    return [
        f"{one.line}: {one.sentence}"
        for one in every
        if not one.sentence.endswith(aside[0]) and aside[1] not in one.sentence
    ]


@pytest.mark.parametrize(("day", "expired"), [(31, False), (30, False), (1, True)])
def test_a_rule_expires_after_its_last_day(day: int, expired: bool) -> None:
    text = "default: {to: hangup}\nrules: [{name: on, until: 2026-12-31, to: {queue: a}}]\n"
    at = datetime(2027 if expired else 2026, 1 if expired else 12, day, 23, 59)
    assert bool(sleeping(text, at)) is expired


def test_a_rule_that_ends_hides_nobody_for_ever() -> None:
    text = "default: {to: hangup}\nrules:\n  - {until: 2030-01-01, to: {queue: a}}\n  - {to: {queue: b}}\n"
    assert sleeping(text) == []


def test_rules_of_the_route_hide_one_another_too() -> None:
    text = "default: {to: hangup}\nrules:\n  - {to: {queue: a}}\n  - {when: {call.called: '1'}, to: {queue: b}}\n"
    assert sleeping(text) == ["4: the rule 'rule 2' can never fire: 'rule 1' (line 3) takes all its calls"]


def test_a_disabled_rule_below_one_that_takes_all_is_named_once() -> None:
    text = "default: {to: hangup}\nrules:\n  - {to: {queue: a}}\n  - {disabled: true, to: {queue: b}}\n"
    assert sleeping(text) == ["4: the rule 'rule 2' is disabled"]


def test_a_rule_of_the_route_that_no_example_proves_is_named() -> None:
    text = "default: {to: hangup}\nrules:\n  - {name: a, when: {call.called: '1'}, to: {queue: a}}\n"
    text += "  - {name: b, disabled: true, to: {queue: b}}\n  - {name: c, until: 2020-01-01, to: {queue: b}}\n"
    text += "  - {name: d, to: {queue: d}}\nexamples: [{expect: {rule: d}}]\n"
    assert [one for one in sleeping(text) if "proves" in one] == [
        "3: no example proves the rule 'a'",
        "6: no example proves the rule 'd'",
    ]


def test_a_named_input_that_nothing_uses_is_named() -> None:
    text = "default: {to: hangup}\ninputs: [{name: a}, {name: b}, {name: c, language: {'1': de}}]\n"
    text += "rules: [{when: {input.a: '1'}, to: hangup}]\n"
    assert sleeping(text) == ["2: the input 'b' is asked for, but nothing uses it"]


@pytest.mark.parametrize(
    "use",
    [
        "instruction: x\nrules: [{to: {extension: '{input.a}', else: hangup}}]\n",
        "rules: [{to: hangup, play: {digits: '{input.a}'}}]\n",
        "rules: [{to: hangup, set: {header.X-A: '{input.a}'}}]\n",
        "rules: [{to: [{queue: x}, {extension: '{input.a}'}]}]\n",
    ],
)
def test_an_input_is_used_wherever_it_is_named(use: str) -> None:
    assert sleeping("default: {to: hangup}\ninputs: [{name: a}]\n" + use) == []


@pytest.mark.parametrize(
    ("default", "sure"),
    [
        ("{queue: a}", True),
        ("[{extension: '{call.called}'}, {queue: a}]", True),
        ("{last_agent: 14 days}", False),
        ("{last_agent: 14 days, else: {queue: a}}", True),
        ("[{extension: '{call.called}'}, {last_agent: 3 days}]", False),
    ],
)
def test_a_default_must_lead_somewhere_for_sure(default: str, sure: bool) -> None:
    found = [one for one in sleeping(f"default: {{to: {default}}}\n") if "the default's target" in one]
    assert bool(found) is not sure


def test_an_example_that_gives_a_field_which_no_system_would_is_named() -> None:
    crm = CRM.replace("contact: {}", "contact: {fields: {id: id, tier: tier}}")
    example = "{name: typo, records: {crm.contact: {tire: gold}}, expect: {source: crm.contact}}"
    route = f"{SOURCE}{{to: {{queue: q}}}}]}}\nexamples: [{example}]\n"
    found = configured({"routes/support.yaml": route, "integrations/crm.yaml": crm})
    assert [(one.line, one.sentence, one.remedy) for one in found.remarks] == [
        (4, "the example 'typo' gives 'tire', which the model 'contact' does not map", "did you mean 'tier'?")
    ]


CHOOSING = {
    "external: '{mobile}'": "a value (mobile) dials outside",
    "extension: '{x}', else: {external: '0{mobile}'}": "a value (mobile) dials outside",
    "dialplan: '{place}-menu,s,1'": "a value (place) names the place in the dialplan",
}


@pytest.mark.parametrize("to", CHOOSING)
def test_what_a_value_chooses_beyond_our_own_destinations_is_remarked(to: str) -> None:
    found = remarks(f"{SOURCE}{{to: {{{to}}}}}]}}\n")
    assert [one for one in found if one.startswith(f"3: {CHOOSING[to]}")]


def test_numbers_outside_that_are_narrowed_get_no_remark() -> None:
    texts = {"routes/support.yaml": f"{SOURCE}{{to: {{external: '{{mobile}}'}}}}]}}\n", "integrations/crm.yaml": CRM}
    texts["engine.yaml"] = "region: AT\nexternal: {allow: ['+43']}\n"
    found = configure(snapshot(texts), PROVIDERS, {"TOKEN": "t"}.get).remarks
    assert not [one for one in found if "outside" in one.sentence]


@pytest.mark.parametrize(
    ("written", "name", "fault"),
    [
        ("[CRM_*, TICKET]", "CRM_ID", ""),
        ("[CRM_*, TICKET]", "__CRM_ID", ""),
        ("[CRM_*, TICKET]", "TICKET", ""),
        ("[CRM_*, TICKET]", "CRMS", "'CRMS' is not among dialplan.variables of engine.yaml: CRM_*, TICKET"),
        ("[CRM_*, TICKET]", "TICKET_2", "'TICKET_2' is not among dialplan.variables of engine.yaml: CRM_*, TICKET"),
        ("[CRM_*, TICKET]", "MONITOR_EXEC", "'MONITOR_EXEC' belongs to Asterisk, FreePBX or the engine"),
        ("[]", "TICKET", "'TICKET' is not among dialplan.variables of engine.yaml: none is"),
    ],
)
def test_the_operator_may_say_which_variables_rules_set(written: str, name: str, fault: str) -> None:
    texts = {"engine.yaml": f"dialplan: {{variables: {written}}}\n", "integrations/crm.yaml": CRM}
    texts["routes/support.yaml"] = f"{SOURCE}{{to: {{queue: q}}, set: {{{name}: x}}}}]}}\n"
    try:
        configure(snapshot(texts), PROVIDERS, {"TOKEN": "t"}.get)
        found = ""
    except ConfigError as error:
        (found,) = (str(one) for one in error.problems)
    assert fault in found if fault else not found
