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


#: Expressions that a reader which goes back and forth needs minutes for, and a text of a CRM to try them on.
SLOW = ["(a|aa)+$", "(a+)+b", "(.*)*x", "(a|a)*b"]


@pytest.mark.parametrize("pattern", SLOW)
@pytest.mark.parametrize("function", ["match", "search"])
def test_no_expression_in_a_path_takes_longer_than_the_text_is_long(function: str, pattern: str) -> None:
    path = read_path(f"$.items[?{function}(@.name, '{pattern}')]")
    assert path.nodes({"items": [{"name": "a" * 5000 + "!"}]}) == []


@pytest.mark.parametrize("function", ["match", "search"])
def test_an_expression_out_of_the_answer_is_no_slower(function: str) -> None:
    path = read_path(f"$.items[?{function}(@.name, @.pattern)].name")
    items = [{"name": "a" * 5000, "pattern": one} for one in (*SLOW, "a*", "(", "(?=a)", "a" * 2000, 7)]
    assert [len(str(one)) for one in path.nodes({"items": items})] == [5000, 5000]


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("$[?match(@.n, 'An.*')].n", ["Anna"]),
        ("$[?search(@.n, 'n')].n", ["Anna", "Jan"]),
        ("$[?match(@.n, 'n')].n", []),
    ],
)
def test_match_is_the_whole_text_and_search_a_part(path: str, found: list[str]) -> None:
    assert read_path(path).nodes([{"n": "Anna"}, {"n": "Jan"}, {"n": 5}]) == found


@pytest.mark.parametrize("path", ["$..[?$..number]", "$[?count($..*) > 1]"])
def test_a_path_that_looks_through_the_whole_answer_for_each_value_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="again and again"):
        read_path(path)
