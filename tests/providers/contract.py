"""What every provider must do, whatever it connects to. A subclass gives the fixture `provider` over CUSTOMERS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from routing_engine.core.model import Record
from routing_engine.core.phone import read_number
from routing_engine.core.ports import Provider, Query
from routing_engine.core.templates import read_template
from routing_engine.settings.integration import Model

REGION = "AT"

CUSTOMERS: Sequence[Mapping[str, object]] = (
    {"id": "1", "customer_number": "123456", "full_name": "Anna Gruber", "city": "Linz", "phone": "+43 664 1234567"},
    {"id": "2", "customer_number": "0042", "full_name": "Paul Hofer", "city": "Linz", "phone": "0664/7654321"},
    {"id": "3", "customer_number": "345678", "full_name": "Jörg Åse", "city": "Graz", "phone": "+49 30 123456"},
    {"id": "4", "customer_number": "1' OR '1'='1", "full_name": "Bobby", "city": "a&b=c", "phone": ""},
)
MODELS = {
    "contact": Model(
        "contact",
        {"id": "id", "number": "customer_number", "name": "full_name", "city": "city", "phone": "phone"},
        read_template("https://crm.example.com/contacts/{id}"),
    )
}
HOSTILE = (
    "' OR ''='",
    "1; DROP TABLE customers",
    "x&customer_id=1",
    "x#y?z=/../",
    "%00%2B",
    "a\r\nX-Evil: 1",
    "\u202e\u0661\u0662",
    "{{7*7}}",
    "*",
    " ",
)


def by_caller(number: str, field: str = "") -> Query:
    caller = read_number(number, REGION)
    assert caller is not None
    return Query("contact", field, caller.e164, True, caller)


def by_field(field: str, value: str, caller: str = "") -> Query:
    return Query("contact", field, value, False, read_number(caller, REGION))


def ids(records: Sequence[Record]) -> list[str]:
    return [record.id for record in records]


class ProviderContract:
    """Run by each provider's own test class."""

    async def test_a_record_has_our_field_names_its_id_and_its_page(self, provider: Provider) -> None:
        (record,) = await provider.find(by_field("number", "123456"))
        assert record.fields["name"] == "Anna Gruber"
        assert (record.id, record.url) == ("1", "https://crm.example.com/contacts/1")
        assert list(record.fields) == ["id", "number", "name", "city", "phone"]

    async def test_nobody_is_an_empty_answer(self, provider: Provider) -> None:
        assert list(await provider.find(by_field("number", "999999"))) == []
        assert list(await provider.find(by_caller("+43 1 5555555"))) == []

    async def test_several_records_keep_their_order(self, provider: Provider) -> None:
        assert ids(await provider.find(by_field("city", "Linz"))) == ["1", "2"]

    @pytest.mark.parametrize("spelling", ["+43 664 1234567", "0664 123 45 67", "0043664/1234567", "+43 (0)664 1234567"])
    async def test_a_caller_is_found_however_the_number_is_spelled(self, provider: Provider, spelling: str) -> None:
        assert ids(await provider.find(by_caller(spelling))) == ["1"]

    async def test_a_caller_is_not_found_by_the_last_digits(self, provider: Provider) -> None:
        assert ids(await provider.find(by_caller("+43 676 1234567"))) == []

    async def test_a_field_search_does_not_look_at_the_caller(self, provider: Provider) -> None:
        assert ids(await provider.find(by_field("number", "0042", caller="+43 664 1234567"))) == ["2"]

    async def test_leading_zeros_matter(self, provider: Provider) -> None:
        assert ids(await provider.find(by_field("number", "42"))) == []

    @pytest.mark.parametrize("value", HOSTILE)
    async def test_a_hostile_value_is_only_a_value(self, provider: Provider, value: str) -> None:
        assert list(await provider.find(by_field("number", value))) == []
        assert ids(await provider.find(by_field("number", "123456"))) == ["1"]

    async def test_a_value_full_of_signs_is_found_literally(self, provider: Provider) -> None:
        assert ids(await provider.find(by_field("number", "1' OR '1'='1"))) == ["4"]
        assert ids(await provider.find(by_field("city", "a&b=c"))) == ["4"]

    async def test_closing_leaves_nothing_open(self, provider: Provider) -> None:
        await provider.find(by_field("number", "123456"))
        await provider.close()
