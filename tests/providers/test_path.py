"""Where things lie in an answer: what a path says of an answer that has less in it than usual, or another shape."""

from __future__ import annotations

import pytest

from routing_engine.providers.answers.path import WHOLE, read_path


@pytest.mark.parametrize(
    ("path", "answer", "empty"),
    [
        ("a.b", {"a": []}, True),
        ("a.b", {"a": None}, True),
        ("a.b", {"a": {}}, True),
        ("a.b", {"a": {"c": 1}}, False),
        ("a.b", {"a": {"b": []}}, False),
        ("a.b", {}, False),
        ("a.b", None, False),
        ("a.b.c", {"a": {"b": {}}}, True),
        ("$.a.b", {"a": []}, True),
        ("$.a[0].b", {"a": []}, False),
        ("a", [], False),
    ],
)
def test_an_answer_may_end_early_where_a_record_would_be(path: str, answer: object, empty: bool) -> None:
    assert read_path(path).ends_empty(answer) is empty


@pytest.mark.parametrize(
    ("path", "answer", "there"),
    [
        ("results", {"results": []}, True),
        ("results", {"error": 1}, False),
        ("$.data[*].id", {"data": []}, True),
        ("$.data[*].id", {"other": []}, False),
        ("", {}, True),
    ],
)
def test_the_ground_of_a_path_is_there_also_when_nothing_lies_on_it(path: str, answer: object, there: bool) -> None:
    assert read_path(path).has_ground(answer) is there


@pytest.mark.parametrize(
    ("path", "member"),
    [
        ("name", "name"),
        ("owner.name", "owner.name"),
        ("$.owner.name", "owner"),
        ("$['a@b'].c", "a"),
        ("$['a','b'].c", "a"),
        ("$[0].name", ""),
        ("$.*.name", ""),
        ("$", ""),
    ],
)
def test_a_request_asks_for_the_member_that_a_path_begins_with(path: str, member: str) -> None:
    assert read_path(path).root == member


def test_the_whole_answer_is_a_path_as_well() -> None:
    assert WHOLE.nodes({"a": 1}) == read_path("$").nodes({"a": 1}) == [{"a": 1}]
    assert WHOLE.first([]) == []
