"""By whose number a record was found: several spellings are asked for, and strangers are left out."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from routing_engine.core.asks import Find, Found, SourceDown
from routing_engine.core.model import Operand, Record, Source, Template, Value
from routing_engine.core.phone import Number, read_number
from routing_engine.core.ports import Query
from routing_engine.errors import ProviderUnreachable
from routing_engine.lookup.caller_match import match_caller
from routing_engine.lookup.search import Search
from routing_engine.settings.integration import Model

CALLER = read_number("+43 664 1234567", "AT")
OURS, STRANGER = Record({"phone": "0664/1234567"}, "1"), Record({"phone": "+49 664 1234567"}, "2")
FIELDS = {"phone": "tel", "mobile": "mob"}


class Crm:
    """A provider that finds by the text it is sent; `hits` are its answers by that text."""

    def __init__(self, hits: Mapping[str, Sequence[Record] | Exception]) -> None:
        self.hits = hits
        self.asked: list[str] = []

    async def find(self, query: Query) -> Sequence[Record]:
        self.asked.append(query.number)
        answer = self.hits.get(query.number, ())
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def close(self) -> None:
        """Nothing is open."""


def find(
    crm: Crm,
    *forms: str,
    numbers: tuple[str, ...] = (),
    field: str = "phone",
    by: str = "caller",
    caller: Number | None = CALLER,
    region: str = "AT",
) -> Found | SourceDown:
    model = Model("contact", FIELDS, None, numbers, forms or ("e164",))
    left = Operand("call", "caller") if by == "caller" else Operand("input", "")
    source = Source("customers", "crm", "contact", Template((left,)), field)
    search = Search({"crm": crm}, {"crm": {"contact": model}}, region, 5, lambda: 0.0)
    return asyncio.run(search.find(Find(source, "0042", caller), 3))


def test_a_stranger_with_the_same_last_digits_is_left_out_and_counted() -> None:
    crm = Crm({"41234567": [STRANGER, OURS]})
    assert find(crm, "last_8") == Found((OURS,), 0.0, 1)


def test_a_record_that_a_join_gives_twice_is_one_and_no_strangers() -> None:
    other_number = Record({"phone": "+43 1 5550199"}, "1")
    assert find(Crm({"+436641234567": [other_number, OURS, OURS]})) == Found((OURS,), 0.0, 0)


def test_records_without_an_id_are_each_one() -> None:
    unnamed = Record({"phone": "0664/1234567"})
    assert find(Crm({"+436641234567": [unnamed, unnamed]})) == Found((unnamed, unnamed), 0.0, 0)


def test_strangers_alone_are_no_record() -> None:
    assert find(Crm({"+436641234567": [STRANGER]})) == Found((), 0.0, 1)


def test_spellings_are_asked_for_in_order_until_one_is_found() -> None:
    crm = Crm({"06641234567": [OURS], "436641234567": [OURS]})
    assert find(crm, "e164", "national", "digits") == Found((OURS,), 0.0)
    assert crm.asked == ["+436641234567", "06641234567"]


def test_a_spelling_that_finds_strangers_only_is_not_the_last() -> None:
    crm = Crm({"06641234567": [STRANGER], "41234567": [STRANGER, OURS]})
    assert find(crm, "national", "last_8") == Found((OURS,), 0.0, 1)


def test_the_same_spelling_is_asked_for_once() -> None:
    crm = Crm({})
    assert find(crm, "e164", "national", "digits", "received", caller=read_number("217", "AT")) == Found((), 0.0)
    assert crm.asked == ["217"]


def test_the_last_digits_of_a_short_number_are_never_searched() -> None:
    crm = Crm({})
    assert find(crm, "last_8", caller=read_number("217", "AT")) == Found((), 0.0)
    assert crm.asked == []


def test_a_spelling_that_cannot_be_asked_for_is_down_and_not_nobody() -> None:
    crm = Crm({"06641234567": ProviderUnreachable("crm: the connection broke")})
    assert find(crm, "e164", "national") == SourceDown("crm: the connection broke", 0.0)


def test_another_search_takes_every_record_and_sends_the_first_spelling() -> None:
    crm = Crm({"06641234567": [STRANGER]})
    assert find(crm, "national", "e164", by="input") == Found((STRANGER,), 0.0)
    assert crm.asked == ["06641234567"]


def test_a_hidden_caller_is_asked_about_without_a_number() -> None:
    crm = Crm({"": [OURS]})
    assert find(crm, "e164", "last_8", by="input", caller=None) == Found((OURS,), 0.0)
    assert crm.asked == [""]


#: The record's fields, the form that found it, `numbers` of the model, the field of the search, and whether it counts.
RECORDS: list[tuple[dict[str, Value], str, tuple[str, ...], str, bool]] = [
    ({"phone": "0664 1234567"}, "last_8", (), "phone", True),
    ({"phone": "0664 1234567"}, "last_8", ("phone",), "", True),
    ({"phone": ("01 5550123", "+43 664 1234567")}, "last_8", (), "phone", True),
    ({"phone": "01 5550123; 0664 1234567"}, "last_8", (), "phone", True),
    ({"phone": "01 5550123", "mobile": "0664 1234567"}, "last_8", ("phone", "mobile"), "", True),
    ({"phone": "", "mobile": "0664 1234567"}, "last_8", ("mobile",), "phone", True),
    ({"phone": "01 5550123", "mobile": "0664 1234567"}, "last_8", ("phone",), "", False),
    ({"phone": 436641234567}, "e164", (), "phone", True),
    ({"phone": "0699 1234567"}, "last_6", (), "phone", False),
    ({"phone": "1234567"}, "last_6", (), "phone", False),
    ({"phone": None}, "last_8", (), "phone", False),
    ({}, "last_8", ("phone", "mobile"), "phone", False),
    ({"phone": "see notes"}, "last_8", (), "phone", False),
    ({"phone": "see notes"}, "e164", (), "phone", False),
    ({"phone": " "}, "e164", (), "phone", True),
    ({"phone": ()}, "e164", ("phone",), "phone", True),
    ({}, "e164", ("phone",), "phone", True),
    ({"phone": "+49 664 1234567"}, "e164", (), "", True),
    ({"phone": "+49 664 1234567"}, "national", (), "phone", False),
]


@pytest.mark.parametrize(("fields", "form", "numbers", "field", "counts"), RECORDS)
def test_a_record_counts_when_one_of_its_numbers_is_the_callers(
    fields: dict[str, Value], form: str, numbers: tuple[str, ...], field: str, counts: bool
) -> None:
    assert CALLER is not None
    found = find(Crm({CALLER.form(form): [Record(fields, "1")]}), form, numbers=numbers, field=field)
    assert isinstance(found, Found)
    assert (len(found.records), found.mismatches + found.unreadable) == ((1, 0) if counts else (0, 1))


UNREADABLE = ("see notes", "0664 1234567 (private)", '[{"value": "0664 1234567"}]', "4,36641E+11", "0000000000")


@pytest.mark.parametrize("text", UNREADABLE)
def test_a_number_that_cannot_be_read_is_told_apart_from_another_number(text: str) -> None:
    found = find(Crm({"+436641234567": [Record({"phone": text}, "1"), STRANGER]}))
    assert isinstance(found, Found)
    assert (found.records, found.mismatches, found.unreadable) == ((), 1, 1)


def test_digits_without_a_plus_are_the_whole_number_in_any_region() -> None:
    record = Record({"phone": "436641234567"}, "1")
    assert find(Crm({"436641234567": [record]}), "digits", region="DE") == Found((record,), 0.0)
    assert find(Crm({"41234567": [record]}), "last_8", region="DE") == Found((record,), 0.0)


def test_a_record_that_two_spellings_find_is_one_stranger() -> None:
    nameless = Record({"phone": "+49 664 1234567"})
    crm = Crm({"+436641234567": [STRANGER, nameless], "06641234567": [nameless, STRANGER]})
    assert find(crm, "e164", "national") == Found((), 0.0, 2)


@pytest.mark.parametrize(("must_show", "mismatches"), [(False, 0), (True, 1)])
def test_a_record_without_a_number_is_nobodys_where_it_must_show_one(must_show: bool, mismatches: int) -> None:
    assert CALLER is not None
    query = Query("contact", "", CALLER.e164, True, CALLER)
    assert len(match_caller([Record({}, "1")], query, ("phone",), "AT", must_show).mismatches) == mismatches
