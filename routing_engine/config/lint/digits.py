"""What a caller's number and typed digits can be, as far as questions tell."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from routing_engine.config.lint.atoms import Question
from routing_engine.config.lint.languages import (
    DIGIT,
    Chars,
    Texts,
    above,
    after,
    below,
    char,
    either,
    ends,
    equal_to,
    literal,
    many,
    seq,
    ways,
)
from routing_engine.config.lint.values import (
    FALSE_WORDS,
    NOW,
    ORDERS,
    SOME_TEXT,
    TRUE_WORDS,
    Finder,
    TooMany,
    Way,
    compared_with,
    is_number,
    language_of,
)
from routing_engine.core.compare import as_moment, as_number


def ways_of_digits(questions: Sequence[Question], domain: Texts, signed: bool) -> list[Way]:
    """Return the ways of a text of `domain`, which are digits, `signed` perhaps with a + in front."""
    languages = [_of_digits(one, signed) for one in questions]
    known = [one for one in languages if one is not None]
    # Dates among digits, as 20261118, are no digits that anybody types.
    if len(known) < len(languages):
        raise TooMany
    if all(one.kind == "is" and isinstance(one.expected, str) and not one.loosely for one in questions):
        return _ways_of_few(questions, domain)
    found = ways(domain, known)
    if found is None:
        raise TooMany
    return [Way(text, bits) for bits, text in found.items()]


def _ways_of_few(questions: Sequence[Question], domain: Texts) -> list[Way]:
    """Return the ways where only whole texts are asked for: one of them, or none."""
    finder = Finder(questions)
    wanted = {str(one.expected) for one in questions}
    for text in sorted(wanted):
        if contains(domain, text):
            finder.add(text)
    # Any text but those: of many, that there is another one is taken for granted.
    other = ways(domain, [either(*map(literal, wanted))]) if len(wanted) < 20 else {0: SOME_TEXT}
    if other is None or 0 in other:
        finder.put(SOME_TEXT if other is None else other[0], dict.fromkeys(questions, False))
    return finder.found


def contains(domain: Texts, text: str) -> bool:
    """Return whether a text belongs to a language."""
    for one in text:
        domain = after(domain, one)
    return ends(domain)


def _of_digits(question: Question, signed: bool) -> Texts | None:
    """Return the digits for which a question holds; None where that is not known."""
    number = as_number(compared_with(question))
    if question.kind == "is_true" or isinstance(question.expected, bool):
        words = FALSE_WORDS if question.expected is False else TRUE_WORDS
        return either(*map(literal, words))
    if question.kind in ORDERS or (question.kind == "is" and is_number(question)):
        return None if number is None else _numbers(question, number, signed)
    if question.kind == "is" and as_moment(question.expected, NOW) is not None:
        return None
    return language_of(question)


def _numbers(question: Question, number: Decimal, signed: bool) -> Texts:
    floor = int(number.to_integral_value(rounding="ROUND_FLOOR"))
    exact = number == floor
    same = equal_to(floor) if exact and floor >= 0 else either()
    less, more = below(floor if exact else floor + 1), above(floor)
    found = {
        "is": same,
        "less_than": less,
        "at_most": either(less, same),
        "more_than": more,
        "at_least": either(more, same),
    }[question.kind]
    return seq(many(char("+"), 0, 1), found) if signed else found


_PLUS = char("+")
#: `call.caller`: empty, a line in E.164, or what cannot be read as one and has stayed as it was dialled.
CALLERS: Texts = either(literal(""), seq(many(_PLUS, 0, 1), many(DIGIT, 1, 20)))
KEYS: Texts = Chars(frozenset("*#"), (("0", "9"),))
