"""A route is drawn as it decides: each way out, in words, and nothing of a route reaches a drawing unescaped."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from routing_engine.config.engine_sections import RouteDefaults
from routing_engine.config.route.read import read_route
from routing_engine.core.model import Route, Site
from routing_engine.preview.mermaid import as_mermaid
from routing_engine.preview.overview import map_mermaid, map_text
from routing_engine.preview.steps import preview_of
from routing_engine.preview.svg import as_svg
from routing_engine.preview.text import as_text
from routing_engine.settings.integration import Model
from routing_engine.settings.yaml_reader import Problems

MODELS = {"crm": {"contact": Model("contact", {})}}
WHOLE = """
description: Customers, then everybody
instruction: hello
rules:
  - {name: closed, when: {call.time: {between: ['22:00', '06:00']}}, to: {voicemail: '100'}}
input: {prompt: enter-number, digits: {min: 4, max: 6}, final_prompt: no-luck}
anonymous: {to: {queue: sales}}
sources:
  - name: crm
    integration: crm
    model: contact
    search: {field: phone, by: caller}
    when_many: {to: {queue: several}}
    when_down: default
    rules:
      - {name: gold, when: {tier: gold}, play: welcome, to: {extension: '{owner}', else: {queue: vip}}}
      - {name: old rule, when: {tier: silver}, to: {queue: silver}, disabled: true}
default: {play: sorry, to: {route: night}}
"""


def route(text: str, name: str = "support") -> Route:
    notes = Problems(f"routes/{name}.yaml")
    found = read_route(name, text, notes, RouteDefaults(), MODELS, ["night", "support"], Site())
    assert found is not None, notes.problems
    return found.route


def test_every_step_and_way_of_a_route_is_said_in_the_order_of_the_decision() -> None:
    assert as_text(preview_of(route(WHOLE))).splitlines() == [
        "support: Customers, then everybody",
        "",
        "├─ looks at the call",
        "│   └─ closed: call.time between ['22:00', '06:00'] ──▶ voicemail 100",
        "│",
        "├─ is there a number?",
        "│   └─ nobody knows the caller's number ──▶ queue sales",
        "│",
        "├─ plays hello",
        "│",
        "├─ asks for digits: enter-number (4 to 6 digits; 3 tries)",
        "│   └─ nothing valid is typed ──▶ plays no-luck, then the default",
        "│",
        "├─ looks for a contact in crm whose phone is the caller's number",
        "│   ├─ several are found ──▶ queue several",
        "│   ├─ gold: tier is 'gold' ──▶ plays welcome, then extension {owner}, else queue vip",
        "│   ├─ (switched off) old rule: tier is 'silver' ──▶ queue silver",
        "│   ├─ found, and no rule holds ──▶ the default",
        "│   ├─ crm does not answer ──▶ the default",
        "│   └─ no record ──▶ the next step",
        "│",
        "└─ otherwise, and by default ──▶ plays sorry, then route night",
    ]


@pytest.mark.parametrize(
    ("many", "said"),
    [
        ("newest by since", "several are found ──▶ the rules, with the newest by since"),
        (
            "{prefer: {tier: gold}}",
            "several are found ──▶ the rules, with the first for which tier is 'gold', else the first",
        ),
        ("first", "looks for a contact"),
    ],
)
def test_several_records_are_said_as_the_route_takes_them(many: str, said: str) -> None:
    assert said in as_text(preview_of(route(WHOLE.replace("when_many: {to: {queue: several}}", f"when_many: {many}"))))


@pytest.mark.parametrize(
    ("rule", "may_fail"),
    [
        ("{name: all, to: {queue: all}}", False),
        ("{name: all, to: {queue: all}, until: '2026-12-24'}", True),
        ("{name: all, to: {queue: all}, disabled: true}", True),
        ("{name: all, to: {queue: all}, when: {tier: gold}}", True),
    ],
)
def test_a_record_for_which_no_rule_holds_is_named_where_that_can_be(rule: str, may_fail: bool) -> None:
    source = "{integration: crm, model: contact, search: {field: phone, by: caller}"
    text = f"default: {{to: {{queue: sales}}}}\nsources: [{source}, rules: [{rule}]}}]\n"
    assert ("found, and no rule holds" in as_text(preview_of(route(text)))) is may_fail


def test_a_chain_ends_in_the_default() -> None:
    text = "default: {to: {queue: sales}}\nrules: [{name: a, to: [{extension: '1', ring_s: 20}, {queue: vip}]}]\n"
    assert "extension 1, for 20 s, then queue vip, then the default" in as_text(preview_of(route(text)))


def test_sensitive_digits_are_in_no_drawing() -> None:
    text = WHOLE.replace("input: {", "input: {sensitive: true, ").replace("when: {tier: gold}", "when: {input: '4711'}")
    preview = preview_of(route(text))
    assert all("4711" not in form(preview) for form in (as_text, as_mermaid, as_svg))


HOSTILE = '"]; click s1 href "javascript:alert(1)" <script>alert(1)</script> &amp; \\x1b[2J %%{init}%%'


def test_nothing_that_a_route_holds_is_code_to_whoever_draws_it() -> None:
    text = f"description: {HOSTILE!r}\n" + WHOLE.replace("description: Customers, then everybody\n", "")
    preview = preview_of(route(text))
    for label in re.findall(r'"([^"]*)"', as_mermaid(preview)):
        assert not set(re.sub("#[0-9]+;", "", label)) & set('<>;{}[]"|%&`\\')
    shown = ElementTree.fromstring(as_svg(preview))
    assert {one.tag.rpartition("}")[2] for one in shown.iter()} == {
        "svg",
        "title",
        "style",
        "defs",
        "marker",
        "path",
        "rect",
        "text",
    }
    assert "\x1b" not in as_text(preview)


def test_the_map_joins_routes_and_names_each_place_once() -> None:
    both = [preview_of(route(WHOLE)), preview_of(route("default: {to: {queue: sales}}\n", "night"))]
    assert map_text(both).splitlines()[1:3] == ["├──▶ voicemail 100", "├──▶ queue sales"]
    chart = map_mermaid(both)
    assert "r1 --> r2" in chart
    assert chart.count('"queue sales"') == 1


def test_a_picture_is_as_high_as_what_it_holds() -> None:
    shown = ElementTree.fromstring(as_svg(preview_of(route(WHOLE))))
    boxes = [(float(one.get("y", 0)) + float(one.get("height", 0))) for one in shown.iter() if one.tag.endswith("rect")]
    assert max(boxes) <= float(shown.get("height", 0))
