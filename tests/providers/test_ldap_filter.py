"""LDAP filters: what an operator writes, and what is built around a value."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from routing_engine.providers.ldap.filter import equal, every, holds_in_order, one_of, read_filter
from routing_engine.providers.ldap.wire import elements

PERSON = bytes.fromhex("a315040b6f626a656374436c6173730406706572736f6e")

#: A filter of RFC 4515, and its bytes as RFC 4511 says.
FILTERS = {
    "(objectClass=person)": PERSON,
    "(cn=*)": b"\x87\x02cn",
    "(cn>=a)": b"\xa5\x07\x04\x02cn\x04\x01a",
    "(cn<=a)": b"\xa6\x07\x04\x02cn\x04\x01a",
    "(cn~=a)": b"\xa8\x07\x04\x02cn\x04\x01a",
    "(cn=a*b*c)": b"\xa4\x0f\x04\x02cn0\x09\x80\x01a\x81\x01b\x82\x01c",
    "(cn=*b*)": b"\xa4\x09\x04\x02cn0\x03\x81\x01b",
    r"(cn=\2a\28)": b"\xa3\x08\x04\x02cn\x04\x02*(",
    "(cn=Jörg)": b"\xa3\x0b\x04\x02cn\x04\x05J\xc3\xb6rg",
    "(!(cn=a))": b"\xa2\x09\xa3\x07\x04\x02cn\x04\x01a",
    "(&(cn=a)(|(cn=a)(cn=a)))": b"\xa0\x1d\xa3\x07\x04\x02cn\x04\x01a\xa1\x12" + b"\xa3\x07\x04\x02cn\x04\x01a" * 2,
    "(uac:1.2.3:=2)": b"\xa9\x0f\x81\x051.2.3\x82\x03uac\x83\x012",
    "(cn:dn:=a)": b"\xa9\x0a\x82\x02cn\x83\x01a\x84\x01\xff",
}


@pytest.mark.parametrize("text", FILTERS)
def test_a_filter_becomes_the_bytes_of_the_standard(text: str) -> None:
    assert read_filter(text) == FILTERS[text]


BROKEN = {
    "": "does not begin with a bracket",
    "cn=a": "does not begin with a bracket",
    "(cn=a": "a bracket is not closed",
    "(cn=a)(cn=b)": "something behind its last bracket",
    "(&)": "'&' has nothing behind it",
    "(!(a=b)(c=d))": "'!' has more than one part behind it",
    "(cn)": "not a comparison",
    "(=a)": "not a comparison",
    "(c n=a)": "not a comparison",
    r"(cn=\zz)": "two hexadecimal digits",
    "(cn=**)": "several asterisks",
    "(!" * 30: "nested too deeply",
}


@pytest.mark.parametrize("text", BROKEN)
def test_a_broken_filter_is_told_by_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match=BROKEN[text]):
        read_filter(text)


@given(st.text("()&|!=*\\<>~:a0. \0", max_size=40) | st.text(max_size=40))
@example("(" * 5000)
def test_no_text_breaks_the_reader(text: str) -> None:
    found = b""
    with contextlib.suppress(ValueError):
        found = read_filter(text)
    assert len(elements(found)) == (1 if found else 0)


VALUE = st.text(st.characters(exclude_categories=["Cs"]))


@given(VALUE)
@example("*)(uid=*")
def test_a_value_is_one_element_whatever_it_holds(value: str) -> None:
    ((tag, content),) = elements(equal("cn", value))
    assert (tag, elements(content)) == (0xA3, [(4, b"cn"), (4, value.encode())])


@given(VALUE)
def test_it_is_the_same_as_the_escaped_text_of_the_standard(value: str) -> None:
    escaped = "".join(f"\\{byte:02x}" for byte in value.encode())
    assert read_filter(f"(cn={escaped})") == equal("cn", value)


def test_the_digits_of_a_number_are_searched_in_their_order() -> None:
    assert holds_in_order("tel", "43") == read_filter("(tel=*4*3*)")
    assert every(PERSON, one_of([equal("a", "b")])) == read_filter("(&(objectClass=person)(|(a=b)))")
