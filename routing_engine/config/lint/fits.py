"""Comparisons that never hold, or always: their type or form does not fit what stands on their left."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from routing_engine.config.lint.atoms import formula_of
from routing_engine.config.lint.spaces import Box, KnownValues, Space
from routing_engine.config.lint.subject import RouteSubject
from routing_engine.config.lint.values import TooMany
from routing_engine.config.route.walk import comparisons_in
from routing_engine.core.compare import as_number, as_truth, is_day
from routing_engine.core.conditions import describe, why_not
from routing_engine.core.model import Caller, Comparison, Condition, Input, Operand, Prefer, Record, Source, Template
from routing_engine.core.phone import read_line, read_number
from routing_engine.core.templates import Facts
from routing_engine.errors import Problem

CALLER = Operand("call", "caller")
#: Put behind what a number begins with, to see how such a number arrives.
_REST = ("1234567", "12345678", "123456789", "123456", "12345")
#: What a field's `type` makes of its values, in words.
_TYPES = {"number": "a number", "boolean": "true or false", "date": "a day, YYYY-MM-DD"}


def unfitting(subject: RouteSubject) -> Iterator[Problem]:
    """Yield a remark for every comparison of a route that never holds, or always does."""
    for source, rules in subject.rules_by_source():
        known = subject.known(source)
        for rule in rules:
            yield from _of_condition(subject, known, source, rule.when, f"the rule '{rule.name}'")
        if source is not None and isinstance(source.when_many, Prefer):
            yield from _of_condition(subject, known, source, source.when_many.when, "'prefer'")


def _of_condition(
    subject: RouteSubject,
    known: KnownValues,
    source: Source | None,
    condition: Condition | None,
    where: str,
) -> Iterator[Problem]:
    for test in comparisons_in(condition):
        if isinstance(test.expected, Template):
            continue
        if test.left == CALLER and (misread := _misread(subject, test)):
            yield subject.problem(test.line, *misread)
            continue
        answer = _answer(test, known)
        if answer is None and test.left.scope == "record" and source is not None:
            yield from _of_type(subject, source, test)
        elif answer is not None and not _waits_for_input(test):
            said = f"in {where}, {describe(test)} {'always' if answer else 'never'} holds{_why(subject, test, known)}"
            remedy = "remove it, or correct it: it makes no difference" if answer else _remedy(subject, test)
            yield subject.problem(test.line, said, remedy)


def _waits_for_input(test: Comparison) -> bool:
    """Return whether a comparison is there so that its rule runs after the input: it always holds then."""
    return test.left.scope == "input" and test.operator == "is_empty"


def _answer(test: Comparison, known: KnownValues) -> bool | None:
    """Return whether a comparison always holds, or never; None where it may or may not."""
    lists = frozenset({test.left.name}) if test.left.scope == "record" else frozenset[str]()
    found = {_holds(test, replace(known, lists=one)) for one in {frozenset[str](), lists}}
    return found.pop() if len(found) == 1 else None


def _holds(test: Comparison, known: KnownValues) -> bool | None:
    formula = formula_of(test, known.first_input)
    try:
        space = Space([formula], known)
        yes, no = space.boxes(formula), space.boxes(formula, wanted=False)
    except TooMany:
        return None
    return _sure(yes, no)


def _sure(yes: list[Box], no: list[Box]) -> bool | None:
    if yes and no:
        return None
    return bool(yes)


# ------------------------------------------------------------------------------------------- why, and what to do


def _why(subject: RouteSubject, test: Comparison, known: KnownValues) -> str:
    left = test.left
    if left.scope == "input":
        one = _input_of(subject, left)
        return f": '{one.name}' has {_lengths(one)}" if one is not None else ""
    values = Space((), known).values_of(left)
    if left.scope == "call" and left.name == "country":
        return ": it is two capital letters, such as AT, or empty"
    if values is not None and len(values) < 12:
        return f": it is {', '.join(str(one) for one in values if one is not None)}"
    return _FORMS.get(left.name, "") if left.scope in ("call", "data") else ""


_FORMS = {
    "time": ": it is HH:MM, from 00:00 to 23:59",
    "date": ": it is YYYY-MM-DD",
    "weekday": ": it is monday to sunday",
    "caller": ": it is a number such as +436641234567, or empty",
    "age_s": ": it is a number of seconds",
}


def _input_of(subject: RouteSubject, left: Operand) -> Input | None:
    inputs = subject.route.inputs
    return next((one for one in inputs if left.name in ("", one.name)), None)


def _lengths(one: Input) -> str:
    count = f"{one.min} digits" if one.min == one.max else f"{one.min} to {one.max} digits"
    return f"{count}, and fits {one.pattern.pattern}" if one.pattern is not None else count


def _remedy(subject: RouteSubject, test: Comparison) -> str:
    if test.left.scope == "input":
        return "remove the condition, or correct 'digits' and 'pattern' of the input"
    if test.left == CALLER:
        line = read_line(str(test.expected), subject.route.site.region)
        return f"write '{line}'" if line else "write it as +43664..., with the country code, or remove it"
    if test.left == Operand("call", "country"):
        upper = str(test.expected).upper()
        found = Space((), subject.known()).values_of(test.left) or ()
        return f"write {upper}" if upper in found else "write the country's two letters (ISO 3166), such as AT"
    return "correct the value or the operator, or remove the condition"


def _misread(subject: RouteSubject, test: Comparison) -> tuple[str, str] | None:
    """Say of a caller's number that is written as nobody's arrives, how it arrives."""
    region, every = subject.route.site.region, test.expected if isinstance(test.expected, tuple) else (test.expected,)
    if test.operator not in ("is", "is_not", "one_of", "none_of", "starts_with"):
        return None
    for text in map(str, every):
        begins = test.operator == "starts_with"
        arrives = _arrives(text, region, begins)
        if arrives:
            kind = "a number that begins with" if begins else "the number"
            return f"'call.caller' compares with '{text}', but {kind} '{text}' arrives as '{arrives}'", (
                f"write '{arrives}'"
            )
    return None


def _arrives(text: str, region: str, begins: bool) -> str:
    """Return how a number arrives that is written in another way; "" where it arrives as it is written."""
    # An extension may begin with any other digit.
    if begins and not text.startswith("0"):
        return ""
    for rest in _REST if begins else ("",):
        number = read_number(text + rest, region)
        if number is not None and number.e164.startswith("+"):
            found = number.e164[: len(number.e164) - len(rest)]
            return "" if found == text else found
    return ""


def _of_type(subject: RouteSubject, source: Source, test: Comparison) -> Iterator[Problem]:
    """Yield a remark for a comparison that does not fit the type of a field."""
    model = subject.model_of(source)
    named = model.about.get(test.left.name) if model is not None else None
    if model is None or named is None or named.type not in _TYPES or test.operator == "is_empty":
        return
    fits = [_holds_for(test, one) for one in _SAMPLES[named.type]]
    if not any(fits) and test.operator not in ("is_not", "none_of") and not _may_match(test, named.type):
        sentence = f"{describe(test)} never holds: '{test.left.name}' is {_TYPES[named.type]} (its type in the model"
        remedy = "correct the value or the operator, or the type"
        yield subject.problem(test.line, f"{sentence} '{model.name}')", remedy)


_SAMPLES: dict[str, tuple[bool | int | float | str, ...]] = {
    "number": (0, -1, 1, 10.5, 1_000_000),
    "boolean": (True, False),
    "date": ("1990-01-01", "2026-06-15", "2090-01-01"),
}


def _holds_for(test: Comparison, value: bool | int | float | str) -> bool:
    return not why_not(test, Facts(Caller(None), {}, Record({test.left.name: value})))


def _may_match(test: Comparison, kind: str) -> bool:
    """Return whether some value of a type may be what is expected, though none of the samples is."""
    every = test.expected if isinstance(test.expected, tuple) else (test.expected,)
    if test.operator in ("starts_with", "ends_with", "contains", "matches", "within_days", "older_than_days"):
        return kind != "boolean" and not (kind == "number" and test.operator.endswith("_days"))
    if kind == "number":
        return any(as_number(one) is not None for one in every)
    if kind == "boolean":
        return any(as_truth(one) is not None for one in every if not isinstance(one, float)) and test.operator == "is"
    return any(is_day(one) for one in every)
