"""The texts of descriptions: compiled once, typed when alone, escaped or refused."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing_engine.core.phone import read_number, spellings
from routing_engine.providers.answers.path import read_path
from routing_engine.providers.crm.filters import FILTERS, Unsearchable
from routing_engine.providers.crm.read_requests import RequestKeys, request_of
from routing_engine.providers.crm.requests import BuiltRequest
from routing_engine.providers.crm.templates import read_text
from routing_engine.settings.spec import read
from routing_engine.settings.yaml_reader import Problems, Section, read_yaml

BARE = frozenset[str]()
KNOWN = {"value": BARE, "number": frozenset({"e164"}), "settings": frozenset({"site"}), "fields": BARE}
MOMENT = datetime(2026, 11, 21, 9, 5, 0, tzinfo=UTC)


def text_of(text: str, value: object) -> object:
    return read_text(text, KNOWN).value({"value": value})


@pytest.mark.parametrize("value", ["+12125550149", "1700000000.42", 7, 1.5, None, ["a"], "no", "{value}", ""])
def test_a_value_alone_keeps_its_type(value):
    assert text_of("{value}", value) == value
    assert type(text_of("{value}", value)) is type(value)


@pytest.mark.parametrize(
    ("text", "value", "found"),
    [
        ("a {value | text} b", "x", "a x b"),
        ("{{{value | text}}}", "x", "{x}"),
        ("{value | upper | last 2}", "abc", "BC"),
        ("{value | default 'none'}", None, "none"),
        ("{value | default 'none'}", "", "none"),
        ("{value | upper}", None, None),
        ("x{value | text}", None, "x"),
        ("{value | like_digits}", "+43 (664) 12", "%4%3%6%6%4%1%2"),
        ("{value | like_digits '*'}", "12", "*1*2"),
        ("{value | mask '(###) ###-####'}", "2125550147", "(212) 555-0147"),
        ("{value | mask '+## (#) ###'}", "+43 1 234", "+43 (1) 234"),
        ("{value | after 'x'}", "12x3653", "3653"),
        ("{value | append '/token'}", "user", "user/token"),
        ("{value | map inbound In outbound Out}", "outbound", "Out"),
        ("{value | map inbound In outbound Out}", "other", "other"),
        ("{value | ms}", 1.5, 1500),
        ("{value | ms}", MOMENT, 1795251900000),
        ("{value | seconds}", MOMENT, 1795251900),
        ("{value | default 0 | seconds}", None, 0),
        ("{value | minutes}", 90, 2),
        ("{value | clock}", 131, "02:11"),
        ("{value | is outbound}", "outbound", True),
        ("{value | is outbound}", "inbound", False),
        ("{value | number}", "0042", 42),
        ("{value | string}", 42, "42"),
        ("{value | join ' '}", ["a", "b"], "a b"),
        ("{value | iso}", MOMENT, "2026-11-21T09:05:00Z"),
        ("{value | format '%Y-%m-%d %H:%M:%S'}", MOMENT, "2026-11-21 09:05:00"),
        ("{value | basic settings.site}", "user", base64.b64encode(b"user:pass").decode()),
        ("{value | md5 settings.site}", "a", hashlib.md5(b"apass", usedforsecurity=False).hexdigest()),
        ("{value | json}", ["a", 1], '["a", 1]'),
    ],
)
def test_filters_change_a_value(text, value, found):
    assert read_text(text, KNOWN).value({"value": value, "settings": {"site": "pass"}}) == found


@pytest.mark.parametrize("value", ["212555014", "12125550147", ""])
@pytest.mark.parametrize("mask", ["(###) ###-####", ""])
def test_a_number_that_a_mask_does_not_fit_is_not_asked_for(value, mask):
    with pytest.raises(Unsearchable):
        read_text(f"{{value | mask '{mask}'}}", KNOWN).value({"value": value})


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("soql", 'O\'Neil \\ "x"\n', 'O\\\'Neil \\\\ \\"x\\"\\n'),
        ("soql_like", "50%_", r"50\%\_"),
        ("sosl", 'a(b)*?-"{}', r"a\(b\)\*\?\-\"\{\}"),
        ("odata", "O'Neil", "O''Neil"),
        ("lucene", 'a" OR b\\', r'"a\" OR b\\"'),
        ("zoho", "a(b),c", r"a\(b\)\,c"),
        ("sql", "x' OR '1'='1\\", r"x'' OR ''1''=''1\\"),
    ],
)
def test_escapes_keep_a_value_a_value(name, value, found):
    assert FILTERS[name].apply(value) == found


@pytest.mark.parametrize("name", ["strict", "name"])
@given(value=st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=20))
def test_what_a_strict_filter_lets_through_has_no_signs(name, value):
    try:
        found = FILTERS[name].apply(value)
    except Unsearchable:
        return
    assert found == value
    assert not set(found) & set("'\"\\()*%{}[]:;&|<>=,#!\n\0")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{value", "a brace stands alone"),
        ("value}", "a brace stands alone"),
        ("{valeu}", "there is no value 'valeu' here"),
        ("{number}", "there is no value 'number' here"),
        ("{number.e165}", "there is no value 'number.e165' here"),
        ("{value | sqol}", "there is no filter 'sqol'"),
        ("{value | }", "a filter is missing behind '|'"),
        ("{value | last}", "the filter 'last' cannot be used so"),
        ("{value.__class__}", "there is no value 'value.__class__' here"),
        ("{}", "there is no value '' here"),
    ],
)
def test_what_cannot_be_compiled_is_told(text, sentence):
    with pytest.raises((ValueError, LookupError)) as caught:
        read_text(text, KNOWN)
    assert sentence in caught.value.args[0]


def compiled(text: str) -> tuple[object, list[str]]:
    notes = Problems("providers/x.yaml")
    section = read_yaml(text, notes)
    assert isinstance(section, Section)
    return request_of(section, read(section, RequestKeys, "a request"), KNOWN), [
        problem.sentence for problem in notes.problems
    ]


def built(text: str, **scope: object) -> BuiltRequest:
    request, problems = compiled(text)
    assert problems == []
    return request.build(scope, "https://crm.example.com/api/")  # type: ignore[attr-defined, no-any-return]


def test_members_without_a_value_are_left_out():
    found = built("{post: /x, json: {a: '{value}', b: 1, c: null, d: {e: '{value}'}}}", value=None)
    assert found.body == b'{"b":1,"c":null}'


def test_a_parameter_is_repeated_and_what_is_missing_is_left_out():
    text = "{get: /x, query: {'p[]': {repeated: ['{value}', '{number.e164}', open]}, q: 1}}"
    found = built(text, value=None, number={"e164": "+43 1"})
    assert str(found.url).partition("?")[2] == "p%5B%5D=%2B43%201&p%5B%5D=open&q=1"


def test_what_comes_from_outside_is_one_part_of_an_address():
    found = built("get: '/x/{value}'", value="a/../b?c#d%")
    assert str(found.url) == "https://crm.example.com/api/x/a%2F..%2Fb%3Fc%23d%25"


@pytest.mark.parametrize("value", ["..", ".", ""])
def test_a_part_of_an_address_does_not_lead_elsewhere(value):
    with pytest.raises(Exception, match="lead elsewhere"):
        built("get: '/x/{value}'", value=value)


def test_a_query_is_encoded_lists_repeat_and_structures_are_json():
    text = "{get: /x, query: {q: '{value}', f: '{fields}', s: {A: [b]}, t: true}}"
    found = built(text, value="a&b=+c", fields=["x", "y"])
    assert found.url.raw_query_string == "q=a%26b%3D%2Bc&f=x&f=y&s=%7B%22A%22%3A%5B%22b%22%5D%7D&t=true"


def test_a_structure_may_be_coded():
    found = built("{get: /x, query: {d: {base64url: [['phone', '=', '{value}']]}}}", value="+1")
    text = found.url.query["d"]
    assert base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)) == b'[["phone","=","+1"]]'


@pytest.mark.parametrize(
    "text",
    [
        "{get: /x, query: {q: \"Phone = '{value}'\"}}",
        "{post: /x, json: {q: ['a {value | upper}']}}",
        "{post: /x, form: {q: 'phone:{number.e164}'}}",
        "{get: /x, headers: {q: 'a {value}'}}",
    ],
)
def test_a_raw_value_in_a_text_is_refused(text):
    assert any("stands raw in a text" in problem for problem in compiled(text)[1])


@pytest.mark.parametrize(
    ("text", "found"), [("a.b", [1]), ("$.a.b", [1]), ("$.l[*].x", [1, 2]), ("a.c", []), ("", [{}])]
)
def test_paths_lead_into_an_answer(text, found):
    tree = {"a": {"b": 1}, "l": [{"x": 1}, {"x": 2}]}
    assert read_path(text).nodes(tree if text else {}) == found


@pytest.mark.parametrize(
    ("text", "tree", "has"),
    [
        ("data.items", {"data": {"items": []}}, True),
        ("data.items", {"data": {}}, False),
        ("$.data.items[*].item", {"data": {"items": []}}, True),
        ("$.data.items[*].item", {"error": "x"}, False),
        ("$[*]", [], True),
    ],
)
def test_an_answer_of_another_shape_is_told_from_an_empty_one(text, tree, has):
    assert read_path(text).has_ground(tree) is has


def test_a_number_has_all_its_spellings():
    number = read_number("0664 1234567", "AT")
    assert number is not None
    assert spellings(number) == {
        "e164": "+436641234567",
        "digits": "436641234567",
        "national": "06641234567",
        "significant": "6641234567",
        "international": "+43 664 1234567",
        "local": "0664 1234567",
        "country": "43",
    }
