"""Phone numbers as people, CRMs and carriers write them."""

from __future__ import annotations

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing_engine.core.phone import (
    HIDDEN_WORDS,
    PHONE_FORMATS,
    Number,
    Plus,
    holds_line,
    is_placeholder,
    last_digits,
    lines_in,
    phone_format,
    read_line,
    read_number,
    same_number,
    user_part,
)

#: region, as received, E.164, national.
NUMBERS = [
    ("AT", "+43 664 1234567", "+436641234567", "06641234567"),
    ("AT", "0664/123 45 67", "+436641234567", "06641234567"),
    ("AT", "0043-664-1234567", "+436641234567", "06641234567"),
    ("AT", "+43 (0) 664 1234567", "+436641234567", "06641234567"),
    ("AT", "0043 (0)664 1234567", "+436641234567", "06641234567"),
    ("AT", "+39 (0)6 69812345", "+390669812345", "0669812345"),
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
@pytest.mark.parametrize("text", ["10", "100", "217", "1001", "12345", "999999", "112", "911"])
def test_an_extension_keeps_its_digits(region: str, text: str) -> None:
    number = read_number(text, region)
    assert number is not None
    assert {number.e164, number.national, number.digits} == {text}


@pytest.mark.parametrize("word", [*sorted(HIDDEN_WORDS), "Anonymous", " RESTRICTED ", "Private"])
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
        ("significant", "6641234567"),
        ("international", "+43 664 1234567"),
        ("local", "0664 1234567"),
        ("received", "0664/123 45 67"),
        ("last_8", "41234567"),
        ("last_15", "436641234567"),
    ],
)
def test_the_spellings_to_search_by(form: str, text: str) -> None:
    number = read_number("0664/123 45 67", "AT")
    assert number is not None
    assert number.form(form) == text


@pytest.mark.parametrize(("extension", "spelling"), [("217", ""), ("12345", ""), ("123456", "123456")])
def test_a_short_number_has_no_last_digits_to_search_by(extension: str, spelling: str) -> None:
    number = read_number(extension, "AT")
    assert number is not None
    assert number.form("last_6") == spelling


@pytest.mark.parametrize(
    ("words", "name"),
    [(name, name) for name in PHONE_FORMATS]
    + [("as_received", "received"), ("last 8", "last_8"), ("last8", "last_8")]
    + [(name, "") for name in ("last 5", "last 16", "last", "country", "E164", "")],
)
def test_a_format_has_one_name_however_it_is_written(words: str, name: str) -> None:
    assert phone_format(words) == name


@pytest.mark.parametrize(
    ("form", "count"),
    [
        ("last_8", 8),
        ("last 8", 8),
        ("last8", 8),
        ("last 0", 0),
        ("last 3", 3),
        ("e164", 0),
        ("last", 0),
        ("last 08", 0),
    ],
)
def test_how_many_last_digits_a_form_wants(form: str, count: int) -> None:
    assert last_digits(form) == count


def test_two_spellings_are_the_same_line() -> None:
    assert same_number(read_number("0664 1234567", "AT"), read_number("+436641234567", "DE"))


def test_the_last_digits_alone_are_not_the_same_line() -> None:
    assert not same_number(read_number("+43 664 1234567", "AT"), read_number("+49 664 1234567", "AT"))


def test_two_hidden_numbers_are_not_the_same_line() -> None:
    assert not same_number(None, None)


# ---------------------------------------------------------------------------------------- numbers in a record

ANNA = "+436641234567"
#: What may stand in a field of a record, read for AT.
TEXTS = [
    ("0664 1234567", [ANNA]),
    ("  +43 664 1234567\n", [ANNA]),
    ("0043 664 / 123 45 67", [ANNA]),
    ("(0664) 123.45.67", [ANNA]),
    ("+43\u00a0664\u2009123\u202f45\u200967", [ANNA]),
    ("+43\u2011664\u20131234567", [ANNA]),
    ("\u202a+43 664 1234567\u202c", [ANNA]),
    ("\uff0b\uff14\uff13\u3000\uff16\uff16\uff14 1234567", [ANNA]),
    ("\u0660\u0666\u0666\u0664 \u0661\u0662\u0663\u0664\u0665\u0666\u0667", [ANNA]),
    ("tel:+43-664-1234567", [ANNA]),
    ("TEL: 0664 1234567", [ANNA]),
    ("callto:+436641234567", [ANNA]),
    ("tel:+43-664-1234567;ext=12", [ANNA]),
    ("tel:1234567;phone-context=+49", []),
    ("+43 1 234567 ext. 12", ["+431234567"]),
    ("+43 1 234567 Extension 12", ["+431234567"]),
    ("+43 1 234567x12", ["+431234567"]),
    ("+43 1 234567 DW 12", ["+431234567"]),
    ("+43 1 234567 (DW -12)", ["+431234567"]),
    ("+43 1 234567/Kl. 12", ["+431234567"]),
    ("+43 1 234567 #12", ["+431234567"]),
    ("+43 1 234567,,12", ["+431234567"]),
    ("+43 1 234567-12", ["+43123456712"]),
    ("0664 1234567; 01 234567", [ANNA, "+431234567"]),
    ("0664 1234567, 01 234567", [ANNA, "+431234567"]),
    ("0664 1234567 | 100\n101", [ANNA, "100", "101"]),
    ("100, 101", ["100", "101"]),
    ("01 234567 / 0664 1234567", ["+431234567", ANNA]),
    ("+43 1 234567 oder +43 664 1234567", ["+431234567", ANNA]),
    ("0664 / 1234567", [ANNA]),
    ("0664 / 123 / 4567", [ANNA]),
    ("mobil: 0664 1234567", []),
    ("436641234567.0", [ANNA]),
    ("0664.1234567", [ANNA]),
    ("'0664 1234567'", [ANNA]),
    ("100", ["100"]),
    ("", []),
    ("Anna", []),
    ("see notes 12", []),
    ("anonymous", []),
    ("0664 123xxxx", []),
    ("0664 12345*7", []),
    ("+43 664 1234567\u00b2", []),
    ("12" * 501, []),
    (" " * 90 + "100", []),
]


@pytest.mark.parametrize(("text", "lines"), TEXTS)
def test_the_numbers_of_a_record_are_read(text: str, lines: list[str]) -> None:
    assert list(lines_in(text, "AT")) == lines


def anna(received: str = ANNA) -> Number:
    number = read_number(received, "AT")
    assert number is not None
    return number


def test_digits_without_a_plus_hold_the_whole_number_in_any_region_and_no_part_of_it() -> None:
    assert holds_line("436641234567", anna(), "AT")
    assert holds_line("436641234567", anna(), "DE")
    assert not holds_line("41234567", anna(), "DE")


@pytest.mark.parametrize(
    ("written", "line", "holds"), [("298201234", "+298 201234", True), ("67720123", "+677 20123", False)]
)
def test_a_short_number_without_a_plus_may_as_well_be_a_national_one(written: str, line: str, holds: bool) -> None:
    number = read_number(line, "DE")
    assert number is not None
    assert holds_line(written, number, "DE") is holds


#: Digits without their plus: the region, whether the carrier leaves it out, the digits, and what they are.
WITHOUT_PLUS: list[tuple[str, Plus, str, str]] = [
    ("DE", "", "4915112345678", "+4915112345678"),
    ("DE", "", "492211234567", "+492211234567"),
    ("DE", "", "0491 512345", "+49491512345"),
    ("DE", "expected", "4915112345678", "+494915112345678"),
    ("SE", "", "468123456", "+468123456"),
    ("XK", "", "38344123456", "+38344123456"),
    ("IN", "", "91912 34567", "+919191234567"),
    ("IN", "", "919123456789", "+919123456789"),
    ("AT", "", "12155550142", "+4312155550142"),
    ("AT", "missing", "12155550142", "+12155550142"),
    ("AT", "missing", "06641234567", "+436641234567"),
    ("AT", "missing", "217", "217"),
    ("US", "missing", "2155550142", "+12155550142"),
    ("AR", "", "541123456789", "+541123456789"),
    ("", "", "4915112345678", "4915112345678"),
    ("", "missing", "4915112345678", "+4915112345678"),
]


@pytest.mark.parametrize(("region", "plus", "text", "e164"), WITHOUT_PLUS)
def test_digits_of_country_code_and_number_are_that_number(region: str, plus: Plus, text: str, e164: str) -> None:
    number = read_number(text, region, plus)
    assert number is not None
    assert number.e164 == e164
    if not plus:
        assert read_line(text, region) == number.line


@pytest.mark.parametrize(
    "text", ["0", "0000", "0000000000", "+0000000", "00 00", "266696687", "+266696687", "+266 696 687"]
)
def test_what_is_sent_for_a_caller_who_hides_is_no_number_and_nobodys(text: str) -> None:
    assert read_number(text, "US") is None
    assert (lines_in(text, "US"), is_placeholder(text)) == ((), True)


def test_other_numbers_of_that_country_are_numbers() -> None:
    number = read_number("+26622123456", "US")
    assert number is not None
    assert number.e164 == "+26622123456"


@pytest.mark.parametrize(
    ("one", "other", "region"),
    [
        ("(011) 15-2345-6789", "+541123456789", "AR"),
        ("+54 9 351 234 5678", "3512345678", "AR"),
        ("+5493512345678", "+543512345678", "US"),
        ("+5215512345678", "+525512345678", "MX"),
    ],
)
def test_a_mark_for_mobiles_tells_no_lines_apart(one: str, other: str, region: str) -> None:
    first, second = read_number(one, region), read_number(other, region)
    assert first is not None
    assert second is not None
    assert same_number(first, second)
    assert holds_line(one, second, region)
    assert holds_line(other, first, region)
    assert read_line(one, region) == read_line(other, region)


@pytest.mark.parametrize("text", ["'+436641234569", '="+436641234569"', '= "0664 1234569"', "' 0664 1234569"])
def test_a_number_that_a_spreadsheet_keeps_as_text_is_read(text: str) -> None:
    assert lines_in(text, "AT") == ("+436641234569",)


USERS = [
    ("+12155550142;verstat=TN-Validation-Passed", "+12155550142"),
    ("+12155550142;npdi;rn=+12155550199", "+12155550142"),
    ("tel:+12155550142", "+12155550142"),
    ("TEL:+1-215-555-0142;phone-context=+1", "+1-215-555-0142"),
    ("sip:+12155550142@carrier.example;user=phone", "+12155550142"),
    ("<sips:+12155550142@carrier.example>", "+12155550142"),
    ("%2B12155550142", "+12155550142"),
    ("anonymous;cpc=payphone", "anonymous"),
    ("anonymous@anonymous.invalid", "anonymous"),
    ("(215) 555-0142", "(215) 555-0142"),
    ("s", "s"),
    ("", ""),
]


@pytest.mark.parametrize(("text", "user"), USERS)
def test_parameters_scheme_and_host_are_no_part_of_a_number(text: str, user: str) -> None:
    assert user_part(text) == user


REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)
KINDS = [phonenumbers.PhoneNumberType.FIXED_LINE, phonenumbers.PhoneNumberType.MOBILE]


@st.composite
def lines(draw: st.DrawFn) -> str:
    """A number of some country, or one near to it."""
    example = phonenumbers.example_number_for_type(draw(st.sampled_from(REGIONS)), draw(st.sampled_from(KINDS)))
    text = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164) if example else ANNA
    tail = draw(st.text("0123456789", max_size=4))
    return text[: len(text) - len(tail)] + tail


@st.composite
def spellings(draw: st.DrawFn, line: str) -> str:
    """A number with separators anywhere, in any digits, with something before and behind it."""
    gap = st.sampled_from(["", "", "", " ", "-", ".", "/", "\u00a0", "\u2009", "\u2011", "\u200b", " / "])
    zero = draw(st.sampled_from([48, 48, 48, 0x660, 0xFF10, 0x966]))
    digits = "".join(chr(zero + int(digit)) + draw(gap) for digit in line[1:])
    before = draw(st.sampled_from(["", "", " ", "tel:", "callto: "]))
    behind = draw(st.sampled_from(["", "", " ext. 12", "x12", " DW 12", " (Kl. 7)", ",,12", ";ext=12", " #3"]))
    return f"{before}+{digits}{behind}"


def test_an_extension_makes_no_two_lines_of_one() -> None:
    line = read_number("+262269601234", "AT")
    assert line is not None
    assert holds_line("+2622696 / 01234 ext. 12", line, "AT")


@given(st.data(), st.sampled_from(["AT", "DE", "US", "IT", ""]))
def test_a_spelling_holds_its_own_line_and_never_another(data: st.DataObject, region: str) -> None:
    one, other = data.draw(lines()), data.draw(lines())
    text = data.draw(spellings(one))
    caller, stranger = read_number(one, region), read_number(other, region)
    assert caller is not None
    assert stranger is not None
    assert holds_line(text, caller, region)
    assert holds_line(text, stranger, region) is same_number(caller, stranger)


@given(st.data(), st.sampled_from(["AT", "DE", "US", "GB"]))
def test_a_national_spelling_is_the_line_of_the_sites_country_alone(data: st.DataObject, region: str) -> None:
    code = phonenumbers.country_code_for_region(region)
    stranger = read_number(data.draw(lines()), region)
    home = phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.FIXED_LINE)
    text = phonenumbers.format_number(home, phonenumbers.PhoneNumberFormat.NATIONAL)
    assert stranger is not None
    if holds_line(text, stranger, region):
        assert stranger.e164 == f"+{code}{home.national_number}"


@given(
    st.text(max_size=120) | st.text("0123456789+ ()/-.,;x#\u0660\u200b\u00b2", max_size=40), st.sampled_from(["AT", ""])
)
def test_any_text_of_a_record_is_read_or_left(text: str, region: str) -> None:
    for line in lines_in(text, region):
        assert line.removeprefix("+").isdecimal()


@given(
    st.from_regex(r"\+[0-9]{1,17}|0{0,2}[0-9]{1,14}", fullmatch=True) | lines() | st.text(max_size=20),
    st.sampled_from(["AT", "DE", "US", "IT", "RU", ""]),
)
def test_the_short_way_reads_what_libphonenumber_reads(text: str, region: str) -> None:
    number = read_number(text, region)
    assert read_line(text, region) == (number.line if number is not None else None)
