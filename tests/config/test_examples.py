"""Examples beside the rules: the two tables of what can be canned and what can be expected."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from routing_engine.config.canned import drive, read_records
from routing_engine.config.examples import decide_example, run_example
from routing_engine.core.model import Caller, Record, SourceDown
from routing_engine.core.phone import read_number
from routing_engine.errors import ConfigError
from routing_engine.settings.yaml_reader import Problems

from .folders import configuration
from .test_read import SUPPORT

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
    text = OPEN_HOURS + "  - {records: {a: {}}, at: '2026-03-27 12:30', expect: {reason: no_rule}}\n"
    found = configuration(text)
    friday_night = replace(found.examples["support"][0], at=datetime(2026, 3, 27, 23, 30, tzinfo=UTC))
    vienna = ZoneInfo("Europe/Vienna")
    assert decide_example(found.routes["support"], friday_night, "", {}, vienna).rule == "weekend"


def test_the_example_of_the_contract_holds() -> None:
    found = configuration(SUPPORT)
    assert run_example(found.routes["support"], found.examples["support"][0], "AT", found.routes) == []


def test_a_failing_example_says_where_the_call_went() -> None:
    found = configuration(SUPPORT)
    example = found.examples["support"][0]
    broken = configuration(SUPPORT.split("examples:")[0].replace("tier: gold,", "tier: silver,")).routes["support"]
    assert "rule should be 'gold customers', but is 'account owner'" in run_example(broken, example, "AT", {})[0]


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


def test_canned_answers_drive_a_call() -> None:
    notes = Problems("records.json")
    records = read_records('{"customers": {"tier": "gold", "balance": 2500, "id": 7}, "leads": "down"}', notes)
    assert records["leads"] == SourceDown("the canned answer says so")
    caller = Caller(read_number("+436641234567", "AT"))
    decision = drive(configuration(SUPPORT).routes["support"], caller, ["123456#"], records)
    assert (decision.rule, decision.source) == ("gold customers", "customers")
    assert decision.record == Record({"tier": "gold", "balance": 2500, "id": 7}, id="7", origin="canned")


def test_silence_on_every_try_is_no_input() -> None:
    caller = Caller(read_number("+436641234567", "AT"))
    assert drive(configuration(SUPPORT).routes["support"], caller, ["", ""], {}).reason == "no_input"


def test_a_file_of_canned_answers_that_is_wrong_is_noted() -> None:
    notes = Problems("records.yaml")
    read_records("a: {phone: 0664}\nb: gone\nc:\n", notes)
    assert [one.line for one in notes.problems] == [1, 2, 3]


def test_an_example_may_name_the_caller() -> None:
    found = configuration(
        "rules: [{name: anna, when: {call.name: Anna}, to: {queue: a}}]\n"
        "default: {to: {queue: b}}\n"
        "examples: [{caller_name: Anna, expect: {rule: anna}}, {expect: {to: {queue: b}}}]\n"
    )
    assert found.failing == ()
