"""Ranges of one value, rule by rule: a hole between two of them, or what two of them both hold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import pairwise

from routing_engine.config.lint.subject import RouteSubject
from routing_engine.core.compare import as_number, is_time
from routing_engine.core.conditions import why_not
from routing_engine.core.model import Caller, Comparison, Condition, Operand, Record, Rule, Scalar, Value
from routing_engine.core.templates import Facts
from routing_engine.errors import Problem

_LOW = {"at_least": True, "more_than": False, "after": False}
_HIGH = {"at_most": True, "less_than": False, "before": False}


@dataclass(frozen=True, slots=True)
class Span:
    """The numbers for which a rule holds, None where it has no end; whether the ends belong to it."""

    rule: Rule
    left: Operand
    low: Decimal | None
    high: Decimal | None
    with_low: bool = False
    with_high: bool = False
    is_time: bool = False


def holes_and_overlaps(subject: RouteSubject) -> Iterator[Problem]:
    """Yield a remark for holes between the ranges of rules, and for ranges that reach into one another."""
    for _, rules in subject.rules_by_source():
        lasting = [rule for rule in rules if not rule.disabled and rule.until is None]
        spans = [span for rule in lasting if (span := _span_of(rule)) is not None]
        for left in dict.fromkeys(span.left for span in spans):
            own = [span for span in spans if span.left == left]
            if len({span.is_time for span in own}) == 1:
                yield from _holes(subject, lasting, own)
                yield from _overlaps(subject, own)


def _span_of(rule: Rule) -> Span | None:
    """Return the range of a rule that asks for nothing but one; None for any other rule."""
    tests = _ordered(rule.when)
    if not tests or len({test.left for test in tests}) > 1:
        return None
    span = Span(rule, tests[0].left, None, None)
    for test in tests:
        narrowed = _narrowed(span, test)
        if narrowed is None:
            return None
        span = narrowed
    return span


def _ordered(when: Condition | None) -> list[Comparison]:
    if isinstance(when, Comparison):
        return [when]
    if when is None or when.join != "all":
        return []
    return [one for one in when.conditions if isinstance(one, Comparison)] if _is_flat(when.conditions) else []


def _is_flat(parts: Sequence[Condition]) -> bool:
    return all(isinstance(one, Comparison) for one in parts)


def _narrowed(span: Span, test: Comparison) -> Span | None:
    every = test.expected if isinstance(test.expected, tuple) else (test.expected,)
    bounds = [_number(one) for one in every if isinstance(one, (str, int, float))]
    of_time = any(is_time(one) for one in every)
    if len(bounds) != len(every) or any(one is None for one in bounds):
        return None
    if test.operator == "between":
        low, high = bounds
        return (
            None
            if low is None or high is None or low > high
            else Span(span.rule, span.left, low, high, True, True, of_time)
        )
    if test.operator in _LOW and span.low is None:
        return Span(span.rule, span.left, bounds[0], span.high, _LOW[test.operator], span.with_high, of_time)
    if test.operator in _HIGH and span.high is None:
        return Span(span.rule, span.left, span.low, bounds[0], span.with_low, _HIGH[test.operator], of_time)
    return None


def _number(value: Scalar) -> Decimal | None:
    if isinstance(value, str) and is_time(value):
        return Decimal(int(value[:2]) * 60 + int(value[3:]))
    return as_number(value)


def _holes(subject: RouteSubject, rules: Sequence[Rule], spans: Sequence[Span]) -> Iterator[Problem]:
    ordered = sorted(spans, key=lambda span: (span.low is not None, span.low or 0))
    wide = len(spans) > 2 and _is_whole_line(ordered)
    # What only looks like a hole is asked of the rules themselves, with a value that lies in it.
    for below, above in pairwise(ordered):
        inside = _inside(below, above, wide)
        if inside is None or any(_takes(rule, below.left, inside) for rule in rules):
            continue
        first, last = sorted((below.rule, above.rule), key=lambda rule: rule.line)
        sentence = f"between the rules '{first.name}' (line {first.line}) and '{last.name}' is a hole: "
        sentence += f"a call with {below.left} {inside} comes to no rule, and goes on to the default"
        yield subject.problem(last.line, sentence, f"let one of the two hold for {inside} as well")


def _is_whole_line(ordered: Sequence[Span]) -> bool:
    return ordered[0].low is None and any(span.high is None for span in ordered)


def _inside(below: Span, above: Span, wide: bool) -> Value:
    """Return what lies in a hole between two ranges; None where there is none, or one that may well be meant."""
    low, high = below.high, above.low
    if low is None or high is None or low > high:
        return None
    step = Decimal(1)
    if low == high:
        return None if below.with_high or above.with_low else _shown(low, below)
    # Whole numbers only: between 99 and 100 lies nothing for most fields.
    first, last = (low + step if below.with_high else low), (high - step if above.with_low else high)
    if low != low.to_integral_value() or high != high.to_integral_value() or first > last:
        return None
    return _shown(first, below) if wide or first == last else None


def _shown(number: Decimal, span: Span) -> Value:
    if span.is_time:
        return f"{int(number) // 60:02}:{int(number) % 60:02}"
    return int(number) if number == number.to_integral_value() else float(number)


def _takes(rule: Rule, left: Operand, value: Value) -> bool:
    """Return whether a rule takes a call of which nothing is known but this value."""
    return not why_not(rule.when, _facts(left, value))


def _facts(left: Operand, value: Value) -> Facts:
    if left.scope == "record":
        return Facts(Caller(None), {}, Record({left.name: value}))
    at = datetime.fromisoformat(f"2026-06-15T{value}") if left == Operand("call", "time") else datetime(2026, 6, 15)
    return Facts(Caller(None, at=at), {left.name: str(value)}, seen={left: value})


def _overlaps(subject: RouteSubject, spans: Sequence[Span]) -> Iterator[Problem]:
    for place, span in enumerate(spans):
        for other in spans[:place]:
            shared = _shared(other, span)
            if shared is not None and other.rule.act != span.rule.act:
                sentence = f"the rules '{other.rule.name}' (line {other.rule.line}) and '{span.rule.name}' overlap: "
                sentence += f"both hold for {span.left} {shared[0]} to {shared[1]}, and the first takes these calls"
                yield subject.problem(span.rule.line, sentence, "let the one begin where the other ends")


def _shared(one: Span, other: Span) -> tuple[Value, Value] | None:
    """Return what two ranges with both ends share, where neither lies within the other."""
    if one.low is None or one.high is None or other.low is None or other.high is None:
        return None
    # Where the one lies within the other, the stricter rule above the looser one is how people write it.
    low, high = max(one.low, other.low), min(one.high, other.high)
    crosswise = (one.low < other.low) is (one.high < other.high) and one.low != other.low and one.high != other.high
    return (_shown(low, one), _shown(high, one)) if crosswise and low < high else None
