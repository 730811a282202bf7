"""Keys of key-value stores: what is one, and what would be another one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing_engine.core.ports import Query
from routing_engine.errors import ProviderRefused
from routing_engine.providers.keyed.provider import Keys, KeyTemplate

from .contract import by_caller, by_field

CUSTOMER = KeyTemplate("customer:", "")


@pytest.mark.parametrize(
    ("template", "value", "key"),
    [
        (CUSTOMER, "42", "customer:42"),
        (CUSTOMER, " 42 ", "customer:42"),
        (CUSTOMER, "1' OR '1'='1", "customer:1' OR '1'='1"),
        (CUSTOMER, "42:orders", None),
        (CUSTOMER, "4\r\n2", None),
        (CUSTOMER, "4\u202e2", None),
        (CUSTOMER, "4\ud8002", None),
        (CUSTOMER, " ", None),
        (CUSTOMER, "4" * 200, "customer:" + "4" * 200),
        (CUSTOMER, "4" * 201, None),
        (KeyTemplate("c:", "|data"), "4|2", None),
        (KeyTemplate("c:", "|data"), "42", "c:42|data"),
        (KeyTemplate("vip-list/", ""), "12-34", "vip-list/12-34"),
        (KeyTemplate("vip-list/", ""), "12/34", None),
        (KeyTemplate("phone", ""), "42:x", "phone42:x"),
    ],
)
def test_a_value_is_part_of_a_key_or_it_is_nobodys(template: KeyTemplate, value: str, key: str | None) -> None:
    assert template.key(value) == key


@given(st.text())
def test_the_fixed_part_stays_and_no_separator_comes_in(value: str) -> None:
    key = CUSTOMER.key(value)
    if key is not None:
        assert key.startswith("customer:")
        assert key.count(":") == 1
        assert key.isprintable()


def test_a_search_by_the_caller_takes_the_key_of_its_field_when_there_is_one() -> None:
    keys = Keys(KeyTemplate("phone:", ""), {"mobile": KeyTemplate("mobile:", "")})
    assert keys.key("shop", by_caller("0664 1234567")) == "phone:+436641234567"
    assert keys.key("shop", by_caller("0664 1234567", field="mobile")) == "mobile:+436641234567"
    assert keys.key("shop", by_caller("0664 1234567", field="phone")) == "phone:+436641234567"


def test_a_search_without_a_key_or_a_value_asks_nobody() -> None:
    keys = Keys(None, {"number": CUSTOMER})
    for query in (by_caller("0664 1234567"), by_field("city", "Linz"), by_field("", "Linz")):
        with pytest.raises(ProviderRefused, match="'keys' of the model 'contact' has no"):
            keys.key("shop", query)
    with pytest.raises(ProviderRefused, match="nothing to search by"):
        keys.key("shop", Query("contact", "", "", True, None))
