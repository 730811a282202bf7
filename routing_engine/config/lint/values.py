"""What a left side can be, as far as a set of questions tells: one value for every way in which they can be answered.

The answers come from the engine's own operators. What is proved here is only that no other way of answering exists: a
number lies on a bound, or between two; a text has some of the prefixes that are asked for, or none. Where that is not
known, a question counts as free: every answer is thought possible, so that nothing is called impossible that is not.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from itertools import pairwise

import re2

from routing_engine.config.lint.atoms import Question, holds
from routing_engine.config.lint.expressions import texts_of
from routing_engine.config.lint.languages import (
    ANYTHING,
    DIGIT,
    Chars,
    Texts,
    char,
    literal,
    many,
    seq,
    ways,
)
from routing_engine.core.compare import as_moment, as_number, is_time
from routing_engine.core.model import Pattern, Template, Value
from routing_engine.core.templates import as_text

#: A moment to hold dates against that are written in full.
NOW = datetime(2026, 6, 15, 12, 0)
SOME_TEXT = "some text"
ORDERS = ("more_than", "at_least", "less_than", "at_most")
_PARTIAL = ("starts_with", "ends_with", "contains", "matches")
_SPACE: Texts = many(char(" "))
TRUE_WORDS, FALSE_WORDS = ("true", "yes", "on", "1"), ("false", "no", "off", "0", "")
_RELATIVE = ("today", "now")
_MOST_ENTRIES = 6
#: How a number, a time of day and a date may be written.
_NUMBERS: Texts = seq(
    _SPACE, many(Chars(frozenset("+-")), 0, 1), many(DIGIT, 1), many(seq(char("."), many(DIGIT, 1)), 0, 1), _SPACE
)
_TIMES: Texts = seq(many(DIGIT, 2, 2), char(":"), many(DIGIT, 2, 2))
_DATES: Texts = seq(_SPACE, many(DIGIT, 4, 4), many(Chars(frozenset(":+-.TZWtz "), (("0", "9"),)), 4), _SPACE)


class TooMany(Exception):
    """There are more ways than anybody looks at: nothing is known of these questions."""


@dataclass(frozen=True, slots=True)
class Way:
    """One way in which a left side can be: a value that shows it, and the answers to all questions, one bit each."""

    value: Value
    answers: int


@lru_cache(maxsize=2048)
def _compiled(pattern: str) -> Pattern:
    found: Pattern = re2.compile(pattern)
    return found


def ask(question: Question, value: Value, now: datetime = NOW) -> bool:
    """Return what the engine answers for a value."""
    pattern = _compiled(str(question.expected)) if question.kind == "matches" else None
    return holds(question, value, pattern, now)


def is_partial(question: Question) -> bool:
    """Return whether a question is about a part of a text."""
    return question.kind in _PARTIAL


def _of_kinds(questions: Iterable[Question], *kinds: str) -> list[Question]:
    return [one for one in questions if one.kind in kinds]


class Finder:
    """The ways in which some questions about one value can be answered."""

    def __init__(self, questions: Sequence[Question]) -> None:
        self.questions = questions
        self._found: dict[int, Way] = {}
        self._parts: dict[Texts, list[int]] = {}

    @property
    def found(self) -> list[Way]:
        """All ways, the more usual ones first."""
        return list(self._found.values())

    def add(self, value: Value, now: datetime = NOW) -> None:
        """Add a value that stands for itself alone."""
        self.put(value, {one: ask(one, value, now) for one in self.questions})

    def put(self, value: Value, answers: Mapping[Question, bool]) -> None:
        """Add a value with its answers."""
        bits = sum(answers[one] << place for place, one in enumerate(self.questions))
        self._found.setdefault(bits, Way(value, bits))

    # Each number between two bounds may have any spelling that a number can have.
    def add_sort(self, value: str | int | float, texts: Texts, now: datetime = NOW) -> None:
        """Add a value that stands for many: what is asked of a part of its text may be as it is in any of `texts`."""
        answers = {one: ask(one, value, now) for one in self.questions}
        partial = [one for one in self.questions if is_partial(one)]
        for bits in self._ways_of_parts(texts, partial):
            self.put(value, {**answers, **{one: bool(bits >> place & 1) for place, one in enumerate(partial)}})

    def _ways_of_parts(self, texts: Texts, partial: Sequence[Question]) -> Collection[int]:
        if texts not in self._parts:
            languages = [one for one in map(language_of, partial) if one is not None]
            found = ways(texts, languages) if len(languages) == len(partial) else None
            if found is None:
                raise TooMany
            self._parts[texts] = list(found)
        return self._parts[texts]


def compared_with(question: Question) -> str | int | float | None:
    """Return what a question compares with; None for what depends on the call."""
    return None if isinstance(question.expected, Template) else question.expected


# ------------------------------------------------------------------------------------------- fields of records


def ways_of_field(questions: Sequence[Question], is_text: bool = False) -> list[Way]:
    """Return the ways of a record's field: missing, true or false, a number, a text. `is_text`: no number is left."""
    finder = Finder(questions)
    finder.add(None)
    _add_texts(finder)
    if not is_text:
        # JSON has them as they are; CRMs write them as texts too, which are below.
        for value in (True, False):
            finder.add(value)
        _add_numbers(finder)
    return finder.found


def ways_of_entries(questions: Sequence[Question]) -> list[Way]:
    """Return the ways of a list, as far as its entries are asked for one by one: any of them may be in it together."""
    if len(questions) > _MOST_ENTRIES:
        raise TooMany
    # First what one entry answers, then every way of putting such entries together.
    alone = Finder(questions)
    as_entries = [replace(one, kind="is") for one in questions]
    for way in ways_of_field(as_entries):
        if not isinstance(way.value, tuple):
            alone.add((way.value,))
    finder = Finder(questions)
    finder.add(())
    for one in alone.found:
        for other in finder.found:
            finder.add((*_entries(other), *_entries(one)))
    return finder.found


def ways_of_joined(questions: Sequence[Question]) -> list[Way]:
    """Return the ways of a list, as far as it is looked at as one text. It has no order, and is no date."""
    never = [one for one in questions if one.kind in (*ORDERS, "within_days", "older_than_days")]
    asked = [one for one in questions if one not in never]
    finder = Finder(questions)
    for way in ways_of_text(asked):
        answers = {one: bool(way.answers >> place & 1) for place, one in enumerate(asked)}
        finder.put((way.value,) if isinstance(way.value, str) else (), {**answers, **dict.fromkeys(never, False)})
    return finder.found


def _entries(way: Way) -> tuple[str | int | float | bool | None, ...]:
    return way.value if isinstance(way.value, tuple) else ()


def ways_of_text(questions: Sequence[Question]) -> list[Way]:
    """Return the ways of what is always a text."""
    finder = Finder(questions)
    _add_texts(finder)
    return finder.found


def ways_of_number(questions: Sequence[Question], least: int, whole: bool, unknown: bool) -> list[Way]:
    """Return the ways of what is a number from `least` on, or, when `unknown`, nothing."""
    finder = Finder(questions)
    if unknown:
        finder.add(None)
    for value, is_bound in _points(_bounds(questions) | {Decimal(least)}, whole):
        if value >= least:
            finder.add(value) if is_bound else finder.add_sort(value, _NUMBERS)
    return finder.found


def ways_among(questions: Sequence[Question], values: Iterable[Value]) -> list[Way]:
    """Return the ways of what can be these values only."""
    finder = Finder(questions)
    for value in values:
        finder.add(value)
    return finder.found


def _bounds(questions: Iterable[Question]) -> set[Decimal]:
    every = (as_number(compared_with(one)) for one in questions if one.kind in ("is", *ORDERS))
    found = {one for one in every if one is not None}
    return found | {Decimal(0), Decimal(1)} if any(map(_is_truth, questions)) else found


def _is_truth(question: Question) -> bool:
    return question.kind == "is_true" or isinstance(question.expected, bool)


def _points(bounds: Collection[Decimal], whole: bool = False) -> Iterator[tuple[int | float, bool]]:
    """Return the bounds themselves, and a number before, between and behind them."""
    every = sorted(bounds) or [Decimal(0)]
    yield from ((_plain(one), True) for one in every)
    middle = [(low + high) / 2 for low, high in pairwise(every)]
    if whole:
        middle = [Decimal(int(low) + 1) for low in every]
    between = [every[0] - 1, *middle, every[-1] + 1]
    yield from ((_plain(one), False) for one in between if one not in every)


def _plain(number: Decimal) -> int | float:
    return int(number) if number == number.to_integral_value() else float(number)


def _add_numbers(finder: Finder) -> None:
    for value, is_bound in _points(_bounds(finder.questions)):
        finder.add(value) if is_bound else finder.add_sort(value, _NUMBERS)


# ------------------------------------------------------------------------------------------- texts


def _add_texts(finder: Finder) -> None:
    questions = finder.questions
    written = {str(one.expected) for one in questions if one.kind == "is" and isinstance(one.expected, str)}
    for text in sorted(written):
        _add_written(finder, text)
    _add_plain(finder)
    if _bounds(_of_kinds(questions, *ORDERS)) or any(is_number(one) for one in _of_kinds(questions, "is")):
        _add_numbers_as_texts(finder, written)
    if any(map(_is_truth, questions)):
        for word in (*TRUE_WORDS, *FALSE_WORDS):
            finder.add(word)
            finder.add_sort(f" {word.title()} ", seq(_SPACE, literal(word, folded=True), _SPACE))
    _add_times(finder)
    _add_dates(finder)


def is_number(question: Question) -> bool:
    """Return whether a question compares with a number."""
    return isinstance(question.expected, (int, float)) and not isinstance(question.expected, bool)


def _add_written(finder: Finder, text: str) -> None:
    """Add a text that is asked for, and what `loosely` takes for the same."""
    finder.add(text)
    if any(one.loosely and one.kind == "is" for one in finder.questions):
        for other in (text.strip().swapcase(), f" {text.strip()} ", f" {text.strip().swapcase()} "):
            if not any(map(is_partial, finder.questions)):
                finder.add(other)


def _add_plain(finder: Finder) -> None:
    """Add texts that are no number, no date and no time."""
    textual = {one: texts for one in finder.questions if (texts := language_of(one)) is not None}
    if not any(is_partial(one) for one in finder.questions):
        for text in ("", " ", SOME_TEXT):
            finder.add(text)
        return
    if any(is_partial(one) and one not in textual for one in finder.questions):
        raise TooMany
    found = ways(ANYTHING, list(textual.values()))
    if found is None:
        raise TooMany
    # What is not asked of the letters is answered as for any text.
    rest = {one: ask(one, SOME_TEXT) for one in finder.questions if one not in textual}
    for bits, text in found.items():
        said = [one for place, one in enumerate(textual) if bits >> place & 1]
        if any(one.kind in ("is", "is_empty") for one in said):
            finder.add(text)  # it is this one text, whatever else is asked of it
            continue
        finder.put(text, {**rest, **{one: bool(bits >> place & 1) for place, one in enumerate(textual)}})


@lru_cache(maxsize=8192)
def language_of(question: Question) -> Texts | None:
    """Return the texts for which a question about their letters holds; None for another question."""
    expected = question.expected
    if question.kind == "matches":
        return texts_of(str(expected))
    if question.kind == "is_empty":
        return _SPACE
    if isinstance(expected, Template) or (question.kind == "is" and not isinstance(expected, str)):
        return None
    text = as_text(expected)
    if question.loosely and not text.isascii():
        return None
    written = literal(text.strip(), folded=True) if question.loosely else literal(text)
    before = _SPACE if question.loosely else literal("")
    shapes = {
        "is": seq(before, written, before),
        "starts_with": seq(before, written, ANYTHING),
        "ends_with": seq(ANYTHING, written, before),
        "contains": seq(ANYTHING, written, ANYTHING),
    }
    return shapes.get(question.kind)


def _add_numbers_as_texts(finder: Finder, written: Collection[str]) -> None:
    # A number as a text is in no list of texts: one more zero than all that are written.
    longest = max(map(len, written), default=0)
    for value, _ in _points(_bounds(finder.questions)):
        digits = f"{abs(value):f}" if isinstance(value, float) else str(abs(value))
        sign = "-" if value < 0 else ""
        # A spelling that nobody has written; zeros in front make no other number of it.
        finder.add_sort(f"{sign}{'0' * max(1, longest + 1 - len(digits))}{digits}", _NUMBERS)


def _add_times(finder: Finder) -> None:
    bounds = {str(one.expected) for one in _of_kinds(finder.questions, *ORDERS) if is_time(one.expected)}
    for text in minutes_around(bounds) if bounds else ():
        finder.add_sort(text, _TIMES)


def minutes_around(times: Iterable[str]) -> list[str]:
    """Return some times of day, each with its neighbours, and the ends of a day."""
    minutes = {0, 1439}
    for text in times:
        minute = int(text[:2]) * 60 + int(text[3:])
        minutes |= {max(0, minute - 1), minute, min(1439, minute + 1)}
    return [f"{minute // 60:02}:{minute % 60:02}" for minute in sorted(minutes)]


# ------------------------------------------------------------------------------------------- dates


def _add_dates(finder: Finder) -> None:
    fixed, relative = _dated(finder.questions)
    if not fixed and not relative:
        return
    # Whether 2026-03-01 is within seven days is a question of the day on which it is asked.
    if fixed and relative:
        raise TooMany  # how the two stand to one another is a question of the day
    for text, now in _moments(fixed, relative):
        finder.add_sort(text, _DATES, now)


def _dated(questions: Iterable[Question]) -> tuple[list[Question], list[Question]]:
    """Return the questions about dates that are written in full, and those about dates beside today."""
    fixed, relative = list[Question](), list[Question]()
    for one in questions:
        if one.kind in ("within_days", "older_than_days"):
            relative.append(one)
        elif one.kind in ("is", *ORDERS) and as_moment(one.expected, NOW) is not None:
            (relative if str(one.expected).strip() in _RELATIVE else fixed).append(one)
    return fixed, relative


def _moments(fixed: Sequence[Question], relative: Sequence[Question]) -> Iterator[tuple[str, datetime]]:
    days = {as_number(compared_with(one)) for one in relative if one.kind in ("within_days", "older_than_days")}
    if any(one is not None and one != int(one) for one in days):
        raise TooMany
    for now in (NOW,) if not relative else (NOW.replace(hour=0), NOW, NOW.replace(hour=23, minute=59, second=59)):
        bounds = {moment for one in fixed if (moment := _naive(one, now)) is not None}
        if relative:
            bounds |= {now, now.replace(hour=0, minute=0, second=0)}
            bounds |= {moment for one in days if one for sign in (1, -1) if (moment := _shifted(now, sign * int(one)))}
        for moment in sorted({near for bound in bounds for near in _near(bound)}):
            yield moment.isoformat(), now
            if moment.time() == datetime.min.time():
                yield moment.date().isoformat(), now


def _naive(question: Question, now: datetime) -> datetime | None:
    moment = as_moment(question.expected, now)
    if moment is not None and moment.tzinfo is not None:
        raise TooMany
    return moment


def _shifted(moment: datetime, days: int) -> datetime | None:
    try:
        return moment + timedelta(days=days)
    except OverflowError:
        return None


def _near(moment: datetime) -> Iterator[datetime]:
    day = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    shifts = (timedelta(seconds=-1), timedelta(), timedelta(seconds=1))
    for bound in (moment, day, day + timedelta(days=1)):
        yield from (bound + shift for shift in shifts if 3 < bound.year < 9990)
    if 3 < moment.year < 9990:
        yield from (moment - timedelta(days=400), day + timedelta(hours=12), moment + timedelta(days=400))
