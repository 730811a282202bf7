"""What of a text may be shown: numbers, sensitive digits, and what a terminal would obey."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing_engine.core.model import Decision, Record, Spoken, TrailStep
from routing_engine.core.redact import clean_text, escaped, hide_number, mask_number, mask_secrets, one_line, visible

from .build import ANNA, HIDDEN

#: Everything that a terminal, a log or a page would obey, and what looks like nothing.
HOSTILE = "\x00\x07\x1b\x7f\x85\x9b\n\u061c\u200e\u200f\u2028\u2029\u202e\u2066\ufeff\ud800"


@pytest.mark.parametrize(
    ("text", "masked"), [("+436641234567", "...567"), ("123456", "...456"), ("12345", "..."), ("", "...")]
)
def test_a_number_is_masked_for_logs(text: str, masked: str) -> None:
    assert mask_number(text) == masked


@pytest.mark.parametrize("text", ["+436641234567", "436641234567", "06641234567", "+43 664 1234567"])
def test_the_callers_number_is_masked_in_every_spelling_of_a_text(text: str) -> None:
    assert hide_number(f"phone is '{text}'", ANNA, plain=False) == "phone is '...567'"
    assert hide_number(text, ANNA, plain=True) == hide_number(text, HIDDEN, plain=False) == text


@pytest.mark.parametrize("show", [visible, one_line, escaped, clean_text])
@given(text=st.text() | st.text(st.sampled_from(HOSTILE)))
def test_nothing_that_is_shown_can_do_anything(show: object, text: str) -> None:
    shown = show(text)  # type: ignore[operator]
    assert not {"\x00", "\x1b", "\x9b", "\u202e", "\u2066", "\ud800"} & set(shown)


def test_a_visible_text_has_a_space_for_each_character_that_could_do_something() -> None:
    assert visible(f"a{HOSTILE}b") == f"a{' ' * len(HOSTILE)}b"


@pytest.mark.parametrize("text", ["Müller & Söhne", "山田", "עברית", "👩\u200d🚒", "a\u00a0b"])
def test_what_people_write_stays_visible(text: str) -> None:
    assert visible(text) == text


def test_a_long_text_ends_in_dots() -> None:
    assert visible("x" * 11, 10) == "x" * 7 + "..."
    assert visible("x" * 10, 10) == "x" * 10


def test_one_line_has_single_spaces_and_none_around() -> None:
    assert one_line(f" a\t\u200f {HOSTILE}\n b ") == "a b"


@given(st.text())
def test_escaped_json_is_the_same_json(text: str) -> None:
    assert json.loads(escaped(json.dumps([text], ensure_ascii=False, indent=2))) == [text]


def test_sensitive_digits_stand_nowhere_in_a_decision() -> None:
    record = Record({"pin": 4711, "name": "Anna"}, "k4711", "https://crm/4711")
    decision = Decision("r", "1", "matched", None, ("say-4711", Spoken("digits", "14711")), record=record)
    masked = mask_secrets(decision, [TrailStep("pin 4711", "x" * 9 + "471...")], ["4711"])
    assert "471" not in str(masked)
    assert masked.record == Record({"pin": "***", "name": "Anna"}, "***", "")


def test_the_longest_secret_is_masked_first() -> None:
    masked = mask_secrets(Decision("r", "1", "matched", None), [TrailStep("pin", "typed 12345")], ["123", "12345"])
    assert masked.trail[0].outcome == "typed ***"


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("Gold ", "Gold "),
        ("a\r\n\tb", "a b"),
        ("a\x00b\x1b[31m", "ab[31m"),
        ("\ud83d", "\ufffd"),
        ("😀 Jörg\u00a0Å", "😀 Jörg\u00a0Å"),
        ("\u202egold", "gold"),
    ],
)
def test_texts_are_cleaned_at_the_edge(raw: str, clean: str) -> None:
    assert clean_text(raw) == clean
