"""What is a record, what is "no record", and that everything else is an error."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing_engine.core.model import Record
from routing_engine.core.redact import clean_text
from routing_engine.core.templates import read_template
from routing_engine.errors import ProviderMisread
from routing_engine.providers.answers.path import read_path
from routing_engine.providers.answers.records import page_url, read_answer, shape_of
from routing_engine.providers.answers.values import read_value
from routing_engine.settings.integration import Model

PLAIN = {"id": "id", "name": "full_name"}
ANNA = {"id": 7, "full_name": "Anna"}
PAUL = {"id": 8, "full_name": "Paul"}


def read(answer: object, fields: dict[str, str], url: str = "") -> list[dict[str, object]]:
    body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    shape = shape_of("erp", Model("contact", fields, read_template(url) if url else None))
    return [dict(record.fields) for record in read_answer(body, shape)]


@pytest.mark.parametrize(
    ("answer", "names"),
    [
        (ANNA, ["Anna"]),
        ({**ANNA, "more": [1], "address": {"city": "Linz"}}, ["Anna"]),
        ({"customer": ANNA}, ["Anna"]),
        ({"customer": [ANNA, PAUL]}, ["Anna", "Paul"]),
        ([PAUL, ANNA], ["Paul", "Anna"]),
        ({"found": True, **ANNA}, ["Anna"]),
        ({"found": True, "customer": ANNA}, ["Anna"]),
        ({"full_name": "Anna"}, ["Anna"]),
        ({"full_name": None}, [None]),
        ({"full_name": {"first": "Anna"}}, ['{"first": "Anna"}']),
    ],
)
def test_a_record_may_lie_like_this(answer: object, names: list[object]) -> None:
    assert [record["name"] for record in read(answer, PLAIN)] == names


def test_found_is_a_value_where_the_field_map_names_it_unless_it_stands_alone() -> None:
    told = {"found": False, "full_name": "Anna"}
    assert read(told, PLAIN) == []
    assert read(told, {"name": "full_name", "seen": "found"}) == [{"name": "Anna", "seen": False}]
    assert read({"found": False}, {"seen": "found"}) == []


def test_a_wrapper_is_opened_also_where_no_field_map_names_what_is_in_it() -> None:
    assert read({"customer": ANNA}, {}) == [ANNA]
    assert read({"customer": [ANNA, PAUL]}, {}) == [ANNA, PAUL]


@pytest.mark.parametrize("fields", [PLAIN, {}, {"name": "$.customer.name"}, {"id": "id", "name": "$.items[0].name"}])
@pytest.mark.parametrize(
    "answer",
    [
        None,
        {},
        [],
        {"found": False},
        {"customer": None},
        {"customer": {}},
        {"items": []},
        b"  null\n",
        b"\xef\xbb\xbf{}",
    ],
)
def test_these_mean_no_record(answer: object, fields: dict[str, str]) -> None:
    assert read(answer, fields) == []


@pytest.mark.parametrize(
    "answer",
    [
        1,
        True,
        "Anna",
        {"error": "no such customer", "code": 17},
        {"customer": {"nothing": "of it"}},
        {"customer": "Anna"},
        [None],
        [{}],
        [ANNA, 1],
        {"a": ANNA, "b": PAUL},
        b"",
        b"<html>",
        b"{'id': 7}",
        b'{"id": NaN}',
        b'{"id": -Infinity}',
        b'{"id": 1e999}',
        b'{"id": 7} {}',
        b'{"id": "\xff"}',
        '{"id": 7}'.encode("utf-16"),
        b"[" * 100_000,
        b'{"id": ' + b"[" * 100_000,
        b"9" * 5000,
    ],
)
def test_everything_else_is_an_error_and_never_nobody(answer: object) -> None:
    with pytest.raises(ProviderMisread, match=r"erp: (?:[^0-9]|UTF-8|UTF-16|at character [0-9]{1,2}\b)*\Z"):
        read(answer, PLAIN)


PATHS = {"name": "$.customer.name", "first": "$.phones[0]", "all": "$.phones[*]", "none": "$.nothing.here"}


def test_paths_look_at_the_whole_answer() -> None:
    answer = {"customer": {"name": "Anna"}, "phones": ["1", "2"]}
    assert read(answer, PATHS) == [{"name": "Anna", "first": "1", "all": ("1", "2"), "none": None}]


def test_paths_look_at_each_element_of_a_list() -> None:
    assert [record["name"] for record in read([{"a": {"n": "x"}}, {"a": {"n": "y"}}], {"name": "$.a.n"})] == ["x", "y"]


def test_plain_names_and_paths_go_together() -> None:
    answer = {"customer": {"id": 7, "tier": {"name": "gold"}}}
    assert read(answer, {"id": "id", "tier": "$.customer.tier.name"}) == [{"id": 7, "tier": "gold"}]


@pytest.mark.parametrize(
    ("answer", "found"),
    [({"total": 0, "items": []}, []), ({"total": 0, "items": None}, []), ({"items": [{"name": "x"}]}, ["x"])],
)
def test_a_path_that_leads_through_an_empty_list_means_nobody(answer: object, found: list[str]) -> None:
    assert [record["name"] for record in read(answer, {"name": "$.items[0].name"})] == found


def test_a_path_that_leads_past_the_answer_is_an_error() -> None:
    with pytest.raises(ProviderMisread, match="none of the fields"):
        read({"total": 1, "results": [{"name": "x"}]}, {"name": "$.items[0].name"})


def test_without_a_field_map_the_fields_come_as_they_are() -> None:
    answer = {"id": "7", "vip": True, "tags": ["a", 1, None], "deep": {"a": [1]}, "n\u0000ame": "x"}
    assert read(answer, {}) == [
        {"id": "7", "vip": True, "tags": ("a", 1, None), "deep": '{"a": [1]}', "name": "x"},
    ]


def test_a_missing_field_is_there_without_a_value() -> None:
    assert read({"id": 7}, PLAIN) == [{"id": 7, "name": None}]


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (0, 0),
        (False, False),
        (2.5, 2.5),
        (None, None),
        (10**20, "1" + "0" * 20),
        ([], ()),
        ([[1]], "[[1]]"),
        ({}, "{}"),
    ],
)
def test_values_keep_their_kind(raw: object, value: object) -> None:
    found = read_value(raw)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("template", "fields", "url"),
    [
        ("https://e.x/c/{id}", {"id": 7}, "https://e.x/c/7"),
        ("https://e.x/c/{id}", {"id": 7.0}, "https://e.x/c/7"),
        ("https://e.x/c/{id}?n={name}", {"id": "../1", "name": "a b&c#ö"}, "https://e.x/c/..%2F1?n=a%20b%26c%23%C3%B6"),
        ("https://e.x/c/{id}", {"id": None}, ""),
        ("https://e.x/c/{id}", {}, ""),
        ("javascript:alert({id})", {"id": 1}, ""),
        ("{link}", {"link": "https://e.x/c?id=7&a=b"}, "https://e.x/c?id=7&a=b"),
        ("{link}", {"link": "javascript:alert(1)"}, ""),
        ("{link}", {"link": "https://e.x/ <script>"}, ""),
        ("{a}{b}", {"a": "https://e.x/", "b": "1"}, ""),
        ("{link}", {"link": "https://crm.example.com/7\u200f"}, ""),
        ("{link}", {"link": "https://crm.example.com/\u202e7"}, ""),
        ("{link}", {"link": "https://crm.example.com/J\u00f6rg"}, "https://crm.example.com/J\u00f6rg"),
    ],
)
def test_the_page_of_a_record_is_a_web_address_or_nothing(template: str, fields: dict[str, object], url: str) -> None:
    assert page_url(read_template(template), fields) == url  # type: ignore[arg-type]


@pytest.mark.parametrize(("raw", "known"), [("a7", "a7"), (7, "7"), (7.0, "7"), (None, ""), (True, ""), ([1], "")])
def test_a_record_is_known_by_its_field_id(raw: object, known: str) -> None:
    (record,) = read_answer(json.dumps({"id": raw, "name": "x"}).encode(), shape_of("erp", Model("contact", {})))
    assert record.id == known


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text() | st.sampled_from(["id", "found"]), inner),
    max_leaves=12,
)
MAPS = st.sampled_from([{}, PLAIN, {"name": "$..name"}, {"id": "id", "x": "$[0]"}, {"x": "$.*.*"}, {"found": "found"}])


@given(JSON.map(lambda value: json.dumps(value).encode()) | st.binary(), MAPS)
def test_any_answer_gives_records_or_an_error_and_nothing_else(body: bytes, fields: dict[str, str]) -> None:
    shape = shape_of("erp", Model("contact", fields, read_template("https://e.x/{id}")))
    try:
        records = read_answer(body, shape)
    except ProviderMisread:
        return
    for record in records:
        assert isinstance(record, Record)
        assert all(_is_value(value) for value in record.fields.values())


def _is_value(value: object) -> bool:
    if isinstance(value, tuple):
        return all(not isinstance(item, tuple) and _is_value(item) for item in value)
    return value is None or (value.isascii() or clean_text(value) == value if isinstance(value, str) else True)


@pytest.mark.parametrize("path", ["$.*", "$..id", "$[0]", "$[?@.id]"])
@pytest.mark.parametrize("answer", ["[", "[1]", '{"id": 1}', "", "id"])
def test_an_answer_that_is_a_text_has_no_members(path: str, answer: str) -> None:
    read = read_path(path)
    assert read.nodes(answer) == []


@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=3),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
        max_leaves=8,
    ),
    st.lists(st.sampled_from("abc"), min_size=1, max_size=3),
)
def test_walking_members_finds_what_the_path_finds(answer: object, names: list[str]) -> None:
    path = read_path("$." + ".".join(names))
    assert path.json is not None
    assert path.walks
    # The library takes a text for JSON that is still to be read.
    assert path.nodes(answer) == ([] if isinstance(answer, str) else path.json.findall(answer))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("path", "found"),
    [("$..name", ["a", "b"]), ("$.x..name", ["b"]), ("$['name']", ["a"]), ("$.x[0].name", ["b"]), ("$.x.name", [])],
)
def test_a_name_at_every_depth_is_not_taken_for_a_member(path: str, found: list[object]) -> None:
    assert read_path(path).nodes({"name": "a", "x": [{"name": "b"}]}) == found
