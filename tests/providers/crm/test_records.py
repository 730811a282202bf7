"""Which objects of an answer are records, where an attempt says that they lie."""

from __future__ import annotations

import pytest

from routing_engine.errors import ProviderMisread
from routing_engine.providers.answers.path import WHOLE, Path, read_path
from routing_engine.providers.crm.model import Attempt, FollowUp
from routing_engine.providers.crm.records import map_model, nodes_of, read_record
from routing_engine.providers.crm.requests import RequestTemplate
from routing_engine.providers.crm.settings import shipped_description
from routing_engine.providers.crm.templates import TextTemplate
from routing_engine.settings.integration import Model

ASK = RequestTemplate("GET", TextTemplate(("/x",)))
EACH = (FollowUp(ASK, WHOLE),)


@pytest.mark.parametrize(
    ("records", "keyed", "tree", "found"),
    [
        ("r", "", {"r": [{"id": 1}, {"id": 2}]}, [{"id": 1}, {"id": 2}]),
        ("r", "", {"r": {"id": 1}}, [{"id": 1}]),
        ("r", "", {"r": [None, False, {}, {"id": 1}]}, [{"id": 1}]),
        ("r", "", {"r": []}, []),
        ("r.s", "", {"r": []}, []),
        ("$.r[*]", "", {"r": [{"id": 1}]}, [{"id": 1}]),
        ("r", "key", {"r": {"7": {"name": "Anna"}, "8": "no object"}}, [{"key": "7", "name": "Anna"}]),
        ("r", "key", {"r": [{"id": 1}]}, [{"id": 1}]),
        ("", "key", None, []),
        ("", "", {"id": 1}, [{"id": 1}]),
    ],
)
def test_records_are_found_where_they_lie(records: str, keyed: str, tree: object, found: list[object]) -> None:
    assert nodes_of(Attempt(ASK, _path(records), keyed=keyed), tree, "crm") == found


@pytest.mark.parametrize("tree", [None, {}, {"error": 1}, {"r": [1]}, {"r": ["a"]}, {"r": True}])
def test_an_answer_without_records_where_they_should_be_is_misread(tree: object) -> None:
    with pytest.raises(ProviderMisread, match="crm: "):
        nodes_of(Attempt(ASK, read_path("r")), tree, "crm")


@pytest.mark.parametrize(
    ("ids", "found"), [([7, "8"], [{"id": 7}, {"id": "8"}]), ([False, None, {"id": 9}], [{"id": 9}])]
)
def test_a_search_whose_records_are_asked_for_may_tell_ids_alone(ids: object, found: list[object]) -> None:
    assert nodes_of(Attempt(ASK, read_path("r"), each=EACH), {"r": ids}, "crm") == found


def _path(text: str) -> Path:
    return read_path(text) if text else WHOLE


@pytest.mark.parametrize("path", ["phones.code + phones.number", "$.phones[*].code + $.phones[*].number"])
@pytest.mark.parametrize(
    ("phones", "found"),
    [
        ([{"code": "+43", "number": "1 5550123"}, {"code": "+49", "number": "30 1"}], ("+43 1 5550123", "+49 30 1")),
        ([{"number": "01 5550123"}, {"code": "+49", "number": "30 1"}], ("01 5550123", "+49 30 1")),
        ([{"code": "+43", "number": "1 5550123"}], ("+43 1 5550123",)),
        ([], None),
    ],
)
def test_members_of_a_list_are_joined_item_by_item(path: str, phones: object, found: object) -> None:
    mapped = map_model(shipped_description("espocrm"), Model("own", {"id": "id", "phones": path}), None)
    assert read_record({"id": 1, "phones": phones}, mapped, {}).fields["phones"] == found


def test_members_of_one_object_are_joined_to_one_text() -> None:
    mapped = map_model(shipped_description("espocrm"), Model("own", {"name": "name.first + name.last"}), None)
    assert read_record({"name": {"first": "Anna", "last": "Gruber"}}, mapped, {}).fields["name"] == "Anna Gruber"
