"""Whatever stands in the files: a configuration or a RouteError, never another exception."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from routing_engine.errors import RouteError
from routing_engine.routes.configuration import configure

from .folders import CRM, PROVIDERS, snapshot
from .test_read import SUPPORT

QUICKLY = settings(deadline=None, max_examples=120, suppress_health_check=[HealthCheck.too_slow])
WORDS = st.sampled_from(
    "default to queue sales sources integration crm model contact search by caller input rules when play set examples "
    "expect records a gold is one_of between matches all any none {id} '{input}' {call.time} ~ no 1:30 +43 [ ] { } , "
    "'x' - | > & * ! % 9999999999999999999 -1 1e9 0001-01-01 newest when_many else hangup callback".split()
)
KEYS = st.sampled_from(
    "default to queue sources integration model search by field rules when play set examples expect records input else "
    "anonymous filler deadline_s name at caller when_down when_many pattern digits tier route dialplan".split()
)
TREES = st.recursive(
    WORDS | st.integers() | st.floats() | st.booleans() | st.none() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=20,
)
SOUP = st.lists(st.tuples(WORDS, st.sampled_from([": ", " ", "\n", "\n  ", "\n    - ", ", "])), max_size=40)


def survives(texts: dict[str, str]) -> None:
    problems = "none"
    try:
        configure(snapshot(texts), PROVIDERS, {"TOKEN": "hunter2"}.get)
    except RouteError as error:
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


@given(SOUP)
@QUICKLY
def test_any_soup_of_words(soup: list[tuple[str, str]]) -> None:
    survives({"integrations/crm.yaml": CRM, "routes/support.yaml": "".join(word + gap for word, gap in soup)})


@given(st.data())
@QUICKLY
def test_any_damage_to_a_good_route(data: st.DataObject) -> None:
    begin = data.draw(st.integers(0, len(SUPPORT)))
    end = data.draw(st.integers(begin, min(len(SUPPORT), begin + 30)))
    word = data.draw(WORDS | st.text(max_size=5))
    survives({"integrations/crm.yaml": CRM, "routes/support.yaml": SUPPORT[:begin] + word + SUPPORT[end:]})


def test_every_bad_file_is_survived_in_every_place() -> None:
    for path in (Path(__file__).parent / "bad").rglob("*.yaml"):
        text = path.read_text(encoding="utf-8")
        survives({"integrations/crm.yaml": text, "routes/support.yaml": text, "engine.yaml": text})
