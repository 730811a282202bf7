"""The tables of the reference: a row is never too long, and nothing of what a key means is lost."""

from __future__ import annotations

from dataclasses import dataclass

from routing_engine.settings.reference import LONGEST, table_of, wrapped
from routing_engine.settings.spec import setting
from routing_engine.settings.value_types import text

SENTENCE = " ".join(["a word of it"] * 12)


@dataclass(frozen=True, slots=True)
class Wordy:
    short: str = setting(text(), "", "what it is. And why", example="x")
    long: str = setting(text(), "", f"what it is. {SENTENCE}", example="x")
    longer: str = setting(text(), "", f"{SENTENCE}, {SENTENCE}", example="x")
    usual: str = setting(text(), "", "what it is", usual=f"{SENTENCE}, {SENTENCE}", example="x")


def test_a_row_that_is_too_long_goes_on_below_its_table() -> None:
    lines = table_of(Wordy).splitlines()
    assert all(len(line) <= LONGEST for line in lines)
    assert any(line.startswith("| `short`") and "what it is. And why |" in line for line in lines)
    assert any(line.startswith("| `long`") and line.endswith("what it is |") for line in lines)
    assert any(line.startswith("| `longer`") and line.endswith("see below |") for line in lines)


def test_nothing_that_a_key_means_is_lost() -> None:
    page = " ".join(table_of(Wordy).split())
    assert f"- `long`: what it is. {SENTENCE}" in page
    assert f"- `longer`: {SENTENCE}, {SENTENCE}" in page
    assert f"- `usual`: what it is. By default: {SENTENCE}, {SENTENCE}" in page


def test_code_is_not_parted() -> None:
    code = "`to: {queue: vip, priority: 10}`"
    assert all(code in line for line in wrapped(" ".join([code] * 9), "  ").splitlines())
