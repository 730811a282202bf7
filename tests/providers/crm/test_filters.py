"""Filters, whatever they are given: what comes out, or that nothing is asked. Nothing else escapes a look-up."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing_engine.errors import ProviderRefused
from routing_engine.providers.crm.filters import FILTERS, Unsearchable
from routing_engine.providers.crm.read_requests import RequestKeys, request_of
from routing_engine.providers.crm.templates import read_text
from routing_engine.settings.spec import read
from routing_engine.settings.yaml_reader import Problems, read_yaml
from tests.examples import examples

#: Arguments for those that need some.
ARGUMENTS = {
    "last": ("8",), "after": ("/",), "map": ("a", "b"), "is": ("a",), "format": ("%Y",), "default": ("x",),
    "basic": ("x",), "mask": ("(###) ###-####",), "append": ("/x",), "into": ("/users(*)",),
}  # fmt: skip
VALUES = st.one_of(
    st.text(max_size=20),
    st.integers(),
    st.floats(),
    st.booleans(),
    st.lists(st.text(max_size=5), max_size=3),
    st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=2),
    st.datetimes(),
    st.sampled_from(["", "\ud800", 1.7e305, "9" * 400, "nan", "inf", "1e999", "-1", "٣", "'", "\\", "%", "\x00"]),
)


@pytest.mark.parametrize("name", sorted(FILTERS))
@examples(60)
@given(value=VALUES)
def test_a_filter_gives_a_value_or_says_that_nothing_can_be_asked(name: str, value: object) -> None:
    with suppress(Unsearchable):
        FILTERS[name].apply(value, *ARGUMENTS.get(name, ()))


@given(value=st.text(max_size=8) | st.sampled_from(["\ud800", "a\udcff/../b", "a\r\nX-Other: b"]))
def test_a_value_stays_in_its_place_in_addresses_and_bodies(value: str) -> None:
    known = {"found": None, "auth": None}
    text = "{get: '/a/{found.id}', query: {q: '{found.id}'}, json: {j: '{found.id}'}, headers: {X-H: '{found.id}'}}"
    section = read_yaml(text, Problems("x"))
    assert section is not None
    request = request_of(section, read(section, RequestKeys, "a request"), known)
    assert request is not None
    with suppress(ProviderRefused):
        built = request.build({"found": {"id": value}}, "https://crm.example.com")
        assert built.url.raw_path.count("/") == 2
        assert [*built.url.query] == ["q"]
        assert built.headers["X-H"].isprintable()
        assert json.loads(built.body or b"{}").keys() == {"j"}


def test_every_filter_that_needs_arguments_is_tried_with_some() -> None:
    assert {name for name, one in FILTERS.items() if one.arguments[0]} == set(ARGUMENTS)


@pytest.mark.parametrize("name", sorted(FILTERS))
def test_a_missing_value_passes_through_all_but_default(name: str) -> None:
    arguments = " ".join(f"'{word}'" for word in ARGUMENTS.get(name, ()))
    text = read_text(f"{{value | {name} {arguments}}}", {"value": frozenset()})
    assert text.value({}) == ("x" if name == "default" else None)
