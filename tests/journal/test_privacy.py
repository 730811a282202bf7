"""Numbers as the setting says: in the column, in texts, in the very bytes of the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from routing_engine.core.model import Record, TrailStep
from routing_engine.core.phone import read_number
from routing_engine.journal.privacy import Privacy, without
from routing_engine.settings.stores import Mode

from .calls import KEY, SPELLINGS, bytes_of, kept_call, number, routed, settings, write

ANNA = number("+43 664 1234567")
MASKED, HASHED = Privacy("masked", region="AT"), Privacy("hashed", KEY, "AT")


def test_a_caller_in_each_mode() -> None:
    assert Privacy("plain").shown(ANNA) == "+436641234567"
    assert MASKED.shown(ANNA) == "...567"
    assert HASHED.shown(ANNA) == HASHED.token(ANNA)
    assert HASHED.token(ANNA).startswith("#")
    assert {Privacy(mode, KEY).shown(None) for mode in ("plain", "masked", "hashed")} == {"anonymous"}


def test_a_hash_is_the_same_with_the_same_key_only() -> None:
    assert Privacy("hashed", KEY).token(ANNA) == HASHED.token(ANNA)
    assert Privacy("hashed", KEY[::-1]).token(ANNA) != HASHED.token(ANNA)
    assert Privacy("hashed", KEY[::-1]).key_id != HASHED.key_id


def test_calls_that_were_hashed_by_an_older_version_are_still_found() -> None:
    assert (HASHED.key_id, HASHED.token(ANNA)) == ("a4620176", "#2f559675295a6fea")


def test_without_a_key_there_is_no_hash() -> None:
    assert [MASKED.token(ANNA), MASKED.tokens(ANNA), MASKED.key_id, HASHED.token(None)] == ["", (), "", ""]


def test_digits_that_are_no_number_of_any_country_are_hashed_as_they_are() -> None:
    assert HASHED.text("call 99887766554433221100", None) == "call #9250f099f592e13d"


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_spelling_of_the_caller_is_found_in_a_text(spelling: str) -> None:
    text = f"phone is '{spelling}': not 'x'"
    assert MASKED.text(text, ANNA) == "phone is '...567': not 'x'"
    assert HASHED.text(text, ANNA) == f"phone is '{HASHED.token(ANNA)}': not 'x'"
    assert without(text, ANNA) == "phone is '(forgotten)': not 'x'"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("searched for 41234567", "searched for ...567"),
        ("mobile is +1 212-555-0148", "mobile is ...148"),
        ("mobile is 2125550148, tier is 5", "mobile is ...148, tier is 5"),
        ("typed 123456", "typed 123456"),
        ("typed 1234567", "typed ...567"),
        ("it rings at ٠٦٦٤١٢٣٤٥٦٧", "it rings at ...567"),
        ("until 2026-11-20T10:30:00+01:00", "until 2026-11-20T10:30:00+01:00"),
        ("since 20.11.2026 until 2026-12-31", "since 20.11.2026 until 2026-12-31"),
        ("nobody answers at 192.168.100.200:8080", "nobody answers at 192.168.100.200:8080"),
        ("extension 217 of 3 in queue vip", "extension 217 of 3 in queue vip"),
        ("balance is 2500.50: not at least 10000", "balance is 2500.50: not at least 10000"),
    ],
)
def test_what_looks_like_a_number_is_masked_and_nothing_else(text: str, shown: str) -> None:
    assert MASKED.text(text, None) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [("rings +1234", "rings +1234"), ("rings +12345", "rings ...345"), ("typed 123456", "typed 123456")],
)
def test_a_plus_makes_a_number_of_fewer_digits(text: str, shown: str) -> None:
    assert MASKED.text(text, None) == shown


@pytest.mark.parametrize(
    ("last", "own"), [("1234567", True), ("41234567", True), ("7654321", False), ("234567", False)]
)
def test_the_last_seven_digits_are_the_caller(last: str, own: bool) -> None:
    assert (HASHED.text(f"ends with {last}", ANNA) == f"ends with {HASHED.token(ANNA)}") is own


@pytest.mark.parametrize(
    ("written", "text", "left"),
    [
        ("+354 555 1234", "call 5551234 now", "call (forgotten) now"),
        ("+354 555 1234", "call 551234 now", "call 551234 now"),
        ("+376 712345", "call 712345 now", "call 712345 now"),
    ],
)
def test_a_number_of_seven_digits_is_forgotten_and_a_shorter_one_is_not(written: str, text: str, left: str) -> None:
    assert without(text, number(written)) == left


def test_a_caller_with_a_short_number_is_masked_where_it_stands_alone() -> None:
    assert MASKED.text("call 712345, not 7123456 or 71234", number("+376 712345")) == "call ...345, not ...456 or 71234"


def test_an_extension_that_calls_is_masked_as_a_word() -> None:
    caller = number("217")
    assert MASKED.text("call.caller is '217', typed 2170", caller) == "call.caller is '...', typed 2170"


def test_digits_of_an_id_stay_unless_they_are_the_callers_number() -> None:
    assert MASKED.own("0012345678", ANNA) == "0012345678"
    assert MASKED.own("https://crm/?q=0664%201234567", ANNA) == "https://crm/?q=...567"
    assert MASKED.own("https://crm/8812345678?other=%2B4315550199", None) == "https://crm/8812345678?other=...199"


def test_other_peoples_numbers_are_hashed_too() -> None:
    bob = read_number("+43 1 5550199", "AT")
    assert HASHED.text("phone is '+43 1 5550199'", ANNA) == f"phone is '{HASHED.token(bob)}'"


@pytest.mark.parametrize("mode", ["masked", "hashed"])
@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.io
async def test_no_byte_of_the_file_tells_the_number(tmp_path: Path, mode: Mode, spelling: str) -> None:
    path = tmp_path / "journal.db"
    trail = (TrailStep(f"source {spelling}", f"phone is '{spelling}', seen by 0664 12 34 567"),)
    record = Record({"phone": spelling}, spelling, f"https://crm/{spelling}")
    event = routed(spelling, trail=trail, record=record, called=spelling)
    await write(path, event, kept=settings(mode))
    digits = bytes(byte for byte in bytes_of(path) if chr(byte).isdigit())
    assert b"6641234567" not in digits
    assert b"1234567" not in bytes_of(path)


@pytest.mark.io
async def test_plain_is_plain(tmp_path: Path) -> None:
    await write(tmp_path / "journal.db", routed(), kept=settings("plain"))
    call = kept_call(tmp_path / "journal.db")
    assert (call.caller, call.destination and call.destination.target) == ("+436641234567", "vip")
    assert "call.caller is '+436641234567'" in call.trail[2].outcome


@pytest.mark.io
async def test_names_values_and_what_was_said_are_not_kept(tmp_path: Path) -> None:
    await write(tmp_path / "journal.db", routed(), kept=settings("plain"))
    found = bytes_of(tmp_path / "journal.db")
    assert [word for word in (b"Anna", b"5550199", b"555444", b"4711") if word in found] == []


@pytest.mark.io
async def test_what_a_terminal_would_obey_is_not_kept(tmp_path: Path) -> None:
    evil = "\x1b]0;pwned\x07\x9b31m\u202edcba\ud800\x00\nnext"
    await write(tmp_path / "journal.db", routed(trail=(TrailStep(evil, evil),), called=evil))
    call = kept_call(tmp_path / "journal.db")
    assert call.called == " ]0;pwned  31m dcba   next"
    assert all(text.isprintable() for text in (call.called, call.trail[0].step, call.trail[0].outcome))
