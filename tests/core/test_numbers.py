"""Phone numbers as people, CRMs and carriers write them."""

from __future__ import annotations

import pytest

from routing_engine.core.numbers import HIDDEN_WORDS, mask_number, read_number, same_number

#: region, as received, E.164, national.
NUMBERS = [
    ("AT", "+43 664 1234567", "+436641234567", "06641234567"),
    ("AT", "0664/123 45 67", "+436641234567", "06641234567"),
    ("AT", "0043-664-1234567", "+436641234567", "06641234567"),
    ("AT", "+43 (0) 664 1234567", "+436641234567", "06641234567"),
    ("AT", "6641234567", "+436641234567", "06641234567"),
    ("AT", "01\u00a0515 50", "+43151550", "0151550"),
    ("AT", "+1 202-555-0143", "+12025550143", "2025550143"),
    ("DE", "030 1234567", "+49301234567", "0301234567"),
    ("DE", "+49.151.23456789", "+4915123456789", "015123456789"),
    ("US", "(202) 555-0143", "+12025550143", "2025550143"),
    ("US", "1 202 555 0143", "+12025550143", "2025550143"),
    ("US", "011 43 664 1234567", "+436641234567", "06641234567"),
    ("GB", "020 7946 0018", "+442079460018", "02079460018"),
    ("GB", "+44 20 7946 0018", "+442079460018", "02079460018"),
]


@pytest.mark.parametrize(("region", "text", "e164", "national"), NUMBERS)
def test_a_number_is_read(region: str, text: str, e164: str, national: str) -> None:
    number = read_number(text, region)
    assert number is not None
    assert (number.e164, number.national, number.received) == (e164, national, text)


@pytest.mark.parametrize("region", ["AT", "DE", "US", "GB"])
@pytest.mark.parametrize("text", ["0", "10", "100", "217", "1001", "12345", "999999", "112", "911"])
def test_an_extension_keeps_its_digits(region: str, text: str) -> None:
    number = read_number(text, region)
    assert number is not None
    assert {number.e164, number.national, number.digits} == {text}


@pytest.mark.parametrize("word", [*HIDDEN_WORDS, "Anonymous", " RESTRICTED ", "Private"])
def test_a_word_instead_of_a_number_is_hidden(word: str) -> None:
    assert read_number(word, "AT") is None


@pytest.mark.parametrize(
    "text",
    ["sip:anna@example.com", "anna", "+", "++43", "43+", "*31#", "1" * 21, "٣٤٥٦٧٨٩", "1;drop", "1\0", "-", "()"],
)
def test_what_is_no_number_is_none(text: str) -> None:
    assert read_number(text, "AT") is None


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("e164", "+436641234567"),
        ("national", "06641234567"),
        ("digits", "436641234567"),
        ("as_received", "0664/123 45 67"),
    ],
)
def test_the_spellings_to_search_by(form: str, text: str) -> None:
    number = read_number("0664/123 45 67", "AT")
    assert number is not None
    assert number.form(form) == text


def test_two_spellings_are_the_same_line() -> None:
    assert same_number(read_number("0664 1234567", "AT"), read_number("+436641234567", "DE"))


def test_the_last_digits_alone_are_not_the_same_line() -> None:
    assert not same_number(read_number("+43 664 1234567", "AT"), read_number("+49 664 1234567", "AT"))


def test_two_hidden_numbers_are_not_the_same_line() -> None:
    assert not same_number(None, None)


@pytest.mark.parametrize(("text", "masked"), [("+436641234567", "...567"), ("12345", "..."), ("", "...")])
def test_a_number_is_masked_for_logs(text: str, masked: str) -> None:
    assert mask_number(text) == masked
