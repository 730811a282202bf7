"""Lists of numbers: what an entry is, and what a caller is by them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing_engine.core.number_lists import CallerList, EntryFault, NumberSet, read_entry
from routing_engine.core.phone import plain_line, read_line, read_number

ENTRIES = [
    ("+436641234567", "+436641234567"),
    ("0664/123 45 67", "+436641234567"),
    ("0043 664 1234567", "+436641234567"),
    ("+43 (0)664\u20091234\u2013567", "+436641234567"),
    ("+39 (0)6 698123", "+3906698123"),
    ("100", "100"),
    ("112", "112"),
    ("+4390*", "+4390*"),
    ("+43 90 *", "+4390*"),
    ("+43 (0) 900*", "+43900*"),
    ("+4*", "+4*"),
    ("anonymous", "anonymous"),
    (" Anonymous ", "anonymous"),
]


@pytest.mark.parametrize(("text", "entry"), ENTRIES)
def test_an_entry_is_read_as_people_write_it(text: str, entry: str) -> None:
    assert read_entry(text, "AT") == entry


FAULTS = [
    ("Anna", "not a telephone number"),
    ("+43 664 1234567 spam", "not a telephone number"),
    ("+43 664 1234567, +43 1 5550123", "not a telephone number"),
    ("1" * 21, "not a telephone number"),
    ("private", "not a telephone number"),
    ("0900*", "not the beginning"),
    ("*", "not the beginning"),
    ("+*", "not the beginning"),
    ("+43*90*", "not the beginning"),
    ("+0*", "not the beginning"),
    ("+4390", "too short"),
    ("0900", "too short"),
    ("4,36641E+11", "rounded"),
    ("4.36641E11", "rounded"),
    ("", "not a telephone number"),
]


@pytest.mark.parametrize(("text", "part"), FAULTS)
def test_what_is_no_entry_says_why_and_what_to_do_without_showing_it(text: str, part: str) -> None:
    fault = read_entry(text, "AT")
    assert isinstance(fault, EntryFault)
    assert part in fault.sentence
    assert fault.remedy
    assert len(text) < 8 or text not in fault.sentence + fault.remedy


def callers(block: str = "", allow: str = "") -> CallerList:
    return CallerList(NumberSet.of(block.split()), NumberSet.of(allow.split()))


#: Who is blocked, who is allowed, who calls, and what the caller is.
VERDICTS = [
    ("+436641234567", "", "0664 1234567", "blocked"),
    ("+436641234567", "", "0664 1234568", "unlisted"),
    ("+436641234567", "", "0049 664 1234567", "unlisted"),
    ("+436641234567", "+436641234567", "0664 1234567", "allowed"),
    ("+43664*", "+436641234567", "0664 1234567", "allowed"),
    ("+436641234567", "+43*", "0664 1234567", "allowed"),
    ("", "+436641234567", "0664 1234568", "unlisted"),
    ("+43664* +4369911*", "", "0699 1188888", "blocked"),
    ("+43664* +4369911*", "", "0699 1288888", "unlisted"),
    ("+43664*", "", "664", "unlisted"),
    ("+10*", "", "100", "unlisted"),
    ("100", "", "100", "blocked"),
    ("100", "", "1001", "unlisted"),
    ("anonymous", "", "", "blocked"),
    ("anonymous", "", "0664 1234567", "unlisted"),
    ("+43*", "", "", "unlisted"),
    ("anonymous", "anonymous", "Restricted", "allowed"),
    ("", "", "0664 1234567", "unlisted"),
]


@pytest.mark.parametrize(("block", "allow", "caller", "verdict"), VERDICTS)
def test_allowed_wins_over_blocked(block: str, allow: str, caller: str, verdict: str) -> None:
    assert callers(block, allow).verdict(read_number(caller, "AT")) == verdict


def test_a_list_of_nobody_says_nothing_about_anybody() -> None:
    assert CallerList().verdict(None) == CallerList().verdict(read_number("100", "AT")) == "unlisted"
    assert NumberSet.of(()) == NumberSet()


LINES = st.from_regex(r"\+[1-9][0-9]{6,14}", fullmatch=True)


@given(st.lists(LINES, max_size=20), st.lists(LINES, max_size=5), LINES)
def test_prefixes_hold_what_begins_with_them_and_nothing_else(
    lines: list[str], prefixes: list[str], asked: str
) -> None:
    entries = NumberSet.of([*lines, *(f"{prefix[:6]}*" for prefix in prefixes)])
    number = read_number(asked, "AT")
    assert number is not None
    expected = number.e164 in lines or any(number.e164.startswith(prefix[:6]) for prefix in prefixes)
    assert entries.hold(number) is expected


def test_numbers_of_several_files_are_one_side() -> None:
    both = NumberSet.together([NumberSet.of(["+436641234567", "+4390*"]), NumberSet.of(["anonymous", "+4390123*"])])
    assert both == NumberSet.of(["+436641234567", "+4390*", "+4390123*", "anonymous"])


@pytest.mark.parametrize(
    "text", ["+266696687", "+86282452253", "+10000000000", "+43 664 1234567", "100", "+4306641234567"]
)
def test_what_is_no_plain_number_is_looked_at_closer(text: str) -> None:
    assert plain_line(text) is None


@given(LINES)
def test_a_plain_number_is_read_as_every_other_text(text: str) -> None:
    assert plain_line(text) in (None, read_line(text, "AT"))


@given(st.text(max_size=40), st.sampled_from(["", "AT", "US"]))
def test_any_text_is_an_entry_or_a_fault_and_the_caller_of_that_text_is_in_the_list(text: str, region: str) -> None:
    entry = read_entry(text, region)
    if isinstance(entry, EntryFault):
        assert entry.sentence
        return
    caller = read_number(text, region)
    if caller is not None:
        assert NumberSet.of([entry]).hold(caller)
