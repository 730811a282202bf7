"""Whatever stands in the files: a configuration or a RouteError, never another exception."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from routing_engine.config.load import configure
from routing_engine.errors import ConfigError
from tests.examples import examples

from .folders import CRM, PROVIDERS, snapshot
from .test_read import SUPPORT

QUICKLY = examples(120)
WORDS = st.sampled_from(
    "default to queue sales sources integration crm model contact search by caller input rules when play set examples "
    "expect records a gold is one_of between matches all any none {id} '{input}' {call.time} ~ no 1:30 +43 [ ] { } , "
    "'x' - | > & * ! % 9999999999999999999 -1 1e9 0001-01-01 newest when_many else hangup callback "
    "inputs rules disabled until owner language digits say date ask prefer {input.a} device.200 queue.a.waiting "
    "share list.spam call.calendar data.age_s last_agent ring_s states busy '14 days' '2026-12-31' header.X-A".split()
)
KEYS = st.sampled_from(
    "default to queue sources integration model search by field rules when play set examples expect records input else "
    "anonymous filler deadline_s name at caller when_down when_many pattern digits tier route dialplan "
    "inputs language accept_early instruction prompt disabled until owner comment say date time number letters sound "
    "ask prefer at_most extension last_agent ring_s priority states variables record announce header.X-A device.200 "
    "queue.a.members share list.spam call.calendar.office call.attestation data.origin input.a".split()
)
TREES = st.recursive(
    WORDS | st.integers() | st.floats() | st.booleans() | st.none() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=20,
)
SOUP = st.lists(st.tuples(WORDS, st.sampled_from([": ", " ", "\n", "\n  ", "\n    - ", ", "])), max_size=40)

#: A route with every word of the second half of the language.
WHOLE = """
owner: Eva
language: {by: call.country, AT: de, else: en}
instruction: [hello, {say: 'Good morning {call.name}'}]
inputs:
  - {name: lang, prompt: choose, digits: {max: 1}, pattern: '[12]', language: {'1': de, '2': en}, accept_early: true}
  - {name: number, prompt: [enter, {digits: '{input.lang}'}], digits: {min: 4}, on_failure: {to: {queue: lost}}}
rules:
  - {name: gone, disabled: true, until: 2026-12-31, owner: Eva, comment: why, to: hangup}
  - name: busy
    when: {any: [{device.200: busy}, {queue.sales.waiting: {at_least: 3}}, {share: {less_than: 20}}]}
    to: [{extension: 200, ring_s: 20}, {last_agent: 14 days}, {queue: sales, priority: 3}]
  - {name: typed, when: {input.number: '4711', call.attestation: A}, to: {queue: vip}}
sources:
  - name: crm
    integration: crm
    model: contact
    search: {by: input.number}
    when_many: {ask: [for, {say: '{name}'}], prompt: several, at_most: 4, else: {to: {queue: desk}}}
    rules:
      - name: old
        when: {data.origin: cache, data.age_s: {more_than: 60}}
        play: [your-order, {digits: '{order}'}, {date: '{eta}'}, {number: '{count}'}, {letters: '{code}'}]
        to: {extension: '{owner}', ring_s: 20, else: [{queue: a}, {queue: b}]}
        set: {language: '{lang}', record: 'yes', announce: vip, header.X-Customer: '{id}', CRM_ID: '{id}'}
default: {to: {last_agent: 3 days, else: {queue: sales}}}
examples:
  - input: ['1', '4711']
    states: {device.200: busy, last_agent: ['201', '2026-01-02'], queue.sales.members: 2}
    expect: {rule: busy, to: [{extension: 201}, {queue: sales, priority: 3}]}
"""


def survives(texts: dict[str, str]) -> None:
    problems = "none"
    try:
        configure(snapshot(texts), PROVIDERS, {"TOKEN": "hunter2"}.get)
    except ConfigError as error:
        problems = str(error)
    assert problems
    assert "hunter2" not in problems


@given(st.sampled_from(["engine.yaml", "integrations/crm.yaml", "routes/support.yaml"]), st.text(max_size=100))
@QUICKLY
def test_any_text_in_any_file(file: str, text: str) -> None:
    survives({"integrations/crm.yaml": CRM, "routes/other.yaml": SUPPORT, file: text})


@given(st.dictionaries(KEYS, TREES, max_size=6))
@QUICKLY
def test_any_tree_of_known_words(tree: dict[str, object]) -> None:
    survives({"integrations/crm.yaml": CRM, "routes/support.yaml": json.dumps(tree)})


#: Routes whose shape is right and whose values are anything.
SHAPES = st.fixed_dictionaries(
    {"default": st.fixed_dictionaries({"to": TREES}, optional={"play": TREES})},
    optional={
        "language": TREES,
        "instruction": TREES,
        "inputs": st.lists(
            st.fixed_dictionaries(
                {"name": WORDS},
                optional=dict.fromkeys(("language", "digits", "prompt", "on_failure", "accept_early", "check"), TREES),
            ),
            max_size=2,
        ),
        "rules": st.lists(
            st.fixed_dictionaries(
                {"to": TREES},
                optional=dict.fromkeys(("when", "until", "disabled", "owner", "comment", "play", "set"), TREES),
            ),
            max_size=3,
        ),
        "sources": st.lists(
            st.fixed_dictionaries(
                {"integration": st.just("crm"), "model": st.just("contact"), "search": st.just({"by": "caller"})},
                optional={"when_many": TREES, "when_down": TREES, "rules": TREES},
            ),
            max_size=2,
        ),
        "examples": st.lists(
            st.fixed_dictionaries({"expect": TREES}, optional={"states": TREES, "records": TREES, "input": TREES}),
            max_size=2,
        ),
    },
)


@given(SHAPES)
@QUICKLY
def test_anything_where_a_value_belongs(tree: dict[str, object]) -> None:
    survives({"integrations/crm.yaml": CRM, "routes/support.yaml": json.dumps(tree)})


@given(SOUP)
@QUICKLY
def test_any_soup_of_words(soup: list[tuple[str, str]]) -> None:
    survives({"integrations/crm.yaml": CRM, "routes/support.yaml": "".join(word + gap for word, gap in soup)})


@given(st.data())
@QUICKLY
def test_any_damage_to_a_good_route(data: st.DataObject) -> None:
    good = data.draw(st.sampled_from([SUPPORT, WHOLE]))
    begin = data.draw(st.integers(0, len(good)))
    end = data.draw(st.integers(begin, min(len(good), begin + 30)))
    word = data.draw(WORDS | st.text(max_size=5))
    survives({"integrations/crm.yaml": CRM, "routes/support.yaml": good[:begin] + word + good[end:]})


def test_the_route_that_is_damaged_is_a_good_one() -> None:
    configure(snapshot({"integrations/crm.yaml": CRM, "routes/support.yaml": WHOLE}), PROVIDERS, {"TOKEN": "t"}.get)


def test_every_bad_file_is_survived_in_every_place() -> None:
    for path in (Path(__file__).parent / "bad").rglob("*.yaml"):
        text = path.read_text(encoding="utf-8")
        survives({"integrations/crm.yaml": text, "routes/support.yaml": text, "engine.yaml": text})
