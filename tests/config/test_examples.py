"""Examples beside the rules: the two tables of what can be canned and what can be expected."""

from __future__ import annotations

import pytest

from routing_engine.config.canned import read_records
from routing_engine.core.asks import SourceDown
from routing_engine.core.model import Record
from routing_engine.errors import ConfigError
from routing_engine.rehearsal import run_examples
from routing_engine.settings.yaml_reader import Problems

from .folders import CRM, configuration, failing
from .test_read import SUPPORT

pytestmark = pytest.mark.io

OPEN_HOURS = """
default: {to: {ivr: closed}}
anonymous: {to: {queue: hidden}}
sources:
  - name: a
    integration: crm
    model: contact
    search: {by: caller}
    when_many: newest by created
    rules:
      - {name: weekend, when: {call.weekday: {one_of: [saturday, sunday]}}, to: {queue: weekend}}
      - {name: evening, when: {call.time: {after: '17:00'}}, to: {extension: '{owner}', else: {queue: evening}}}
      - {name: known, when: {tier: {is_empty: false}, call.variable.VIP: {is_not: 'no'}}, to: {queue: vip, priority: 3}}
examples:
"""


@pytest.mark.parametrize(
    "example",
    [
        "{records: {a: {tier: gold}}, expect: {rule: known, source: a, to: {queue: vip, priority: 3}}}",
        "{records: {a: {tier: gold}}, expect: {to: {queue: vip}}}",
        "{records: {a: {tier: gold}}, variables: {VIP: 'no'}, expect: {reason: no_rule}}",
        "{records: {a: {}}, at: '2026-03-28 12:00', expect: {rule: weekend}}",
        "{records: {a: {owner: '12'}}, at: '2026-03-27 17:30', expect: {to: {extension: 12}}}",
        "{records: {a: {owner: '1,2'}}, at: '2026-03-27 17:30', expect: {to: {queue: evening}, rule: evening}}",
        "{records: {a: none}, expect: {reason: no_record, to: {ivr: closed}}}",
        "{records: {a: []}, expect: {reason: no_record}}",
        "{records: {a: down}, expect: {reason: source_down}}",
        "{expect: {reason: no_record}}",
        "{caller: anonymous, expect: {reason: anonymous, to: {queue: hidden}}}",
        "{records: {a: [{created: 2025-01-01}, {tier: gold, created: 2026-01-01}]}, expect: {rule: known}}",
    ],
)
def test_an_example_holds(example: str) -> None:
    found = configuration(OPEN_HOURS + f"  - {example}\n")
    assert len(found.examples["support"]) == 1


def test_a_moment_is_told_in_the_time_of_the_site() -> None:
    text = OPEN_HOURS + "  - {records: {a: {}}, at: '2026-03-27T23:30Z', expect: {rule: weekend}}\n"
    assert failing(text, engine="timezone: Europe/Vienna\n") == []


def test_the_example_of_the_contract_holds() -> None:
    found = configuration(SUPPORT)
    assert [one.rule for one in run_examples(found)["support"]] == ["gold customers"]


def test_a_failing_example_says_where_the_call_went() -> None:
    found = failing(SUPPORT.replace("when: {tier: gold,", "when: {tier: silver,"))
    assert "rule should be 'gold customers', but is 'account owner'" in found[0]


def test_a_revision_that_breaks_an_example_is_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        configuration(SUPPORT.replace("at_least: 1000", "at_least: 9000"))
    assert "the example 'a gold customer goes to the VIP queue' fails" in str(caught.value)


def test_an_example_may_go_on_with_another_route() -> None:
    first = "default: {to: {route: second}}\nexamples: [{records: {b: {x: 1}}, expect: {to: {queue: b}}}]\n"
    second = (
        "default: {to: hangup}\n"
        "sources: [{name: b, integration: crm, model: lead, search: {by: caller}, rules: [{to: {queue: b}}]}]\n"
    )
    assert configuration(first, second=second)
    with pytest.raises(ConfigError, match="no route has the source 'c'"):
        configuration(first.replace("{b: {x", "{c: {x"), second=second)


def test_canned_answers_are_records_none_or_an_outage() -> None:
    records = read_records(
        '{"a": {"tier": "gold", "id": 7}, "b": "down", "c": [], "d": "none"}', Problems("records.json")
    )
    assert records["a"] == (Record({"tier": "gold", "id": 7}),)
    assert records["b"] == SourceDown("the canned answer says so")
    assert records["c"] == records["d"] == ()


@pytest.mark.parametrize("text", ["a: {phone: 0664}\nb: gone\nc:\n", '{"a": 1,\n"b": "gone",\n"c": {"x": 1, "x": 2}}'])
def test_a_file_of_canned_answers_that_is_wrong_is_noted(text: str) -> None:
    notes = Problems("records.yaml")
    read_records(text, notes)
    assert [one.line for one in notes.problems] == [1, 2, 3]


def test_numbers_of_a_json_file_are_those_of_json() -> None:
    notes = Problems("records.json")
    records = read_records('{"a": [{"x": 1e-07, "y": 12345678901234567890, "z": ["\\ud800", {"n": 1}]}]}', notes)
    assert notes.problems == []
    assert records["a"] == (Record({"x": 1e-07, "y": 12345678901234567890, "z": '["\ud800", {"n": 1}]'}),)


def test_an_example_may_name_the_caller() -> None:
    found = configuration(
        "rules: [{name: anna, when: {call.name: Anna}, to: {queue: a}}]\n"
        "default: {to: {queue: b}}\n"
        "examples: [{caller_name: Anna, expect: {rule: anna}}, {expect: {to: {queue: b}}}]\n"
    )
    assert found.failing == ()


# An example decides as a live call does

SOURCE = """
default: {to: {queue: default}}
sources:
  - name: customers
    integration: crm
    model: contact
    search: {by: caller}
"""
TYPED = """
provider: fake
models:
  contact:
    fields:
      id: id
      phone: phone
      name: name
      owner: {field: owner, type: number}
      due: {field: due, type: date}
      vip: {field: vip, type: boolean}
    numbers: [phone]
"""


def typed(rules: str, example: str, more: str = "") -> list[str]:
    """Return how an example fails whose records have types."""
    return failing(f"{SOURCE}{more}    rules: [{rules}]\nexamples: [{{{example}}}]\n", crm=TYPED)


def test_a_field_has_its_type_in_an_example() -> None:
    by_owner = "{name: owner, to: {extension: '{owner}'}}"
    assert typed(by_owner, "records: {customers: {owner: '0042'}}, expect: {to: {extension: 42}}") == []


def test_a_moment_is_its_day_in_an_example() -> None:
    due = "{name: due, when: {due: '2026-11-20', vip: true}, to: {queue: due}}"
    assert typed(due, "records: {customers: {due: 2026-11-20T10:00:00, vip: 'yes'}}, expect: {rule: due}") == []


def test_the_newest_of_an_example_is_so_by_the_type() -> None:
    # By the day they are alike, so the first is taken; by the moment it would be the second.
    records = "[{due: '2026-11-20T08:00', name: a}, {due: '2026-11-20T09:00', name: b}]"
    by_name = "{to: {queue: '{name}'}}"
    example = f"records: {{customers: {records}}}, expect: {{to: {{queue: a}}}}"
    assert typed(by_name, example, "    when_many: newest by due\n") == []


def test_records_of_another_number_are_nobodys_in_an_example_too() -> None:
    other = "records: {customers: {phone: '+43 1 5550000', name: Ben}}, expect: {reason: no_record}"
    assert typed("{to: {queue: known}}", other) == []


def test_a_field_that_the_model_does_not_map_is_not_there() -> None:
    unmapped = "{name: gold, when: {tier: gold}, to: {queue: vip}}"
    assert typed(unmapped, "records: {customers: {tier: gold}}, expect: {reason: no_rule}") == []


def test_texts_of_an_example_are_cleaned_as_those_of_a_system() -> None:
    name = r'"Anna\tMaria\0\u202e"'
    rule = "{name: anna, when: {name: Anna Maria}, to: {queue: anna}}"
    assert typed(rule, f"records: {{customers: {{name: {name}}}}}, expect: {{rule: anna}}") == []


def test_what_lies_deep_in_a_record_is_its_json_in_an_example_too() -> None:
    rule = "{name: vienna, when: {name: {contains: Wien}}, to: {queue: vienna}}"
    assert typed(rule, "records: {customers: {name: {city: Wien}}}, expect: {rule: vienna}") == []


EARLY = """
default: {to: {queue: default}}
input: {digits: {min: 6, max: 10}, accept_early: true}
rules: [{name: early, when: {input: '123456'}, to: {queue: vip}}]
examples: [{input: '12345678', expect: {rule: early}}]
"""


def test_an_example_goes_on_as_early_as_a_call() -> None:
    assert failing(EARLY) == []


@pytest.mark.parametrize(
    ("language", "heard"), [("language: de\n", "de"), ("language: {by: call.called, '1': it}\n", "fr"), ("", "fr")]
)
def test_the_language_of_the_route_goes_before_that_of_the_channel(language: str, heard: str) -> None:
    rule = f"rules: [{{name: heard, when: {{call.language: {heard}}}, to: hangup}}]\n"
    assert (
        failing(
            f"{language}default: {{to: {{queue: a}}}}\n{rule}examples: [{{language: fr, expect: {{rule: heard}}}}]\n"
        )
        == []
    )


def test_a_channel_that_nobody_told_another_language_speaks_english() -> None:
    rule = "rules: [{name: heard, when: {call.language: en}, to: hangup}]\n"
    assert failing("default: {to: {queue: a}}\n" + rule + "examples: [{expect: {rule: heard}}]\n") == []


@pytest.mark.parametrize(("caller", "named"), [("anonymous", ""), ("unknown", "Anna"), ("+4312345", "Anna")])
def test_who_withholds_the_number_withholds_the_name(caller: str, named: str) -> None:
    rule = f"rules: [{{name: named, when: {{call.name: '{named}'}}, to: hangup}}]\n"
    example = f"examples: [{{caller: '{caller}', caller_name: Anna, expect: {{rule: named}}}}]\n"
    assert failing("default: {to: {queue: a}}\n" + rule + example) == []


AGED = """
    rules:
      - {name: live, when: {data.origin: live, data.age_s: 0}, to: {queue: a}}
      - {name: fresh, when: {data.origin: cache, data.age_s: {less_than: 60}}, to: {queue: b}}
      - {name: old, when: {data.origin: snapshot, data.age_s: {at_least: 60}}, to: {queue: c}}
examples:
  - {records: {customers: {name: Anna}}, expect: {rule: live}}
  - {records: {customers: {name: Anna}}, origin: cache, age_s: 30, expect: {rule: fresh}}
  - {records: {customers: {name: Anna}}, origin: snapshot, age_s: 86400, expect: {rule: old}}
"""


def test_answers_of_an_example_are_live_unless_it_says_where_they_come_from() -> None:
    assert failing(SOURCE + AGED) == []


def test_a_live_answer_has_no_age() -> None:
    with pytest.raises(ConfigError, match="a live answer has no age; add origin: cache or origin: snapshot"):
        configuration(SOURCE + "    rules: [{to: hangup}]\nexamples: [{age_s: 5, expect: {reason: no_record}}]\n")


def test_an_example_reads_the_variables_of_the_route_it_goes_on_with() -> None:
    first = "default: {to: {route: second}}\nexamples: [{variables: {VIP: 'yes'}, expect: {rule: vip}}]\n"
    second = "rules: [{name: vip, when: {call.variable.VIP: 'yes'}, to: {queue: vip}}]\ndefault: {to: hangup}\n"
    assert configuration(first, second=second).failing == ()


def test_of_a_hidden_caller_nobody_knows_whom_he_spoke_to() -> None:
    text = "default: {to: {queue: a}}\nrules: [{to: {last_agent: 14 days, else: {queue: b}}}]\n"
    example = "{caller: anonymous, states: {last_agent: ['201', '2026-01-02']}, expect: {to: {queue: b}}}"
    assert failing(f"{text}examples: [{example}]\n") == []


def test_a_state_is_read_as_asterisk_would_tell_it() -> None:
    text = "default: {to: {queue: a}}\nrules: [{name: on, to: [{extension: 200, ring_s: 20}, {queue: desk}]}]\n"
    example = "{states: {device.200: BUSY, queue.desk.members: '0'}, expect: {to: {queue: a}}}"
    assert failing(f"{text}examples: [{example}]\n") == []


def test_an_outage_that_an_example_wants_is_not_logged(capsys: pytest.CaptureFixture[str]) -> None:
    text = (
        SOURCE + "    rules: [{to: hangup}]\nexamples: [{records: {customers: down}, expect: {reason: source_down}}]\n"
    )
    assert failing(text) == []
    assert capsys.readouterr() == ("", "")


async def test_examples_run_while_a_loop_is_running() -> None:
    assert run_examples(configuration(SUPPORT))["support"][0].rule == "gold customers"


def test_examples_wait_for_a_folder_without_another_problem() -> None:
    with pytest.raises(ConfigError) as caught:
        failing(SUPPORT, crm=CRM.replace("lead: {}", "lead: {fields: []}"))
    assert "fails" not in str(caught.value)
