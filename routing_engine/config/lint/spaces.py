"""All calls as a space: one dimension for each value that rules ask about, and in it every way that value can be.

A condition is a set of boxes in it. What is left of one condition's boxes, when those of others are taken away, are the
calls for which the one holds and none of the others does: nothing left is a proof, anything left an example.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from phonenumbers import SUPPORTED_REGIONS

from routing_engine.config.lint.atoms import KINDS, AllOf, Formula, Opposite, Question, questions_in
from routing_engine.config.lint.digits import CALLERS, KEYS, ways_of_digits
from routing_engine.config.lint.expressions import read as read_expression
from routing_engine.config.lint.languages import DIGIT, Texts, both, many, without_edges
from routing_engine.config.lint.moments import ways_of_moment
from routing_engine.config.lint.values import (
    TooMany,
    Way,
    is_partial,
    ways_among,
    ways_of_entries,
    ways_of_field,
    ways_of_joined,
    ways_of_number,
    ways_of_text,
)
from routing_engine.config.route.conditions import WORDS
from routing_engine.core.calendar import OpeningHours, no_holidays
from routing_engine.core.model import Input, Operand, Site, Template, Value

#: A box: for each dimension that matters, the ways that belong to it, one bit each.
Box: TypeAlias = Mapping[int, int]
#: A condition of more boxes, or a difference of more steps, is not looked at: nothing is said of it.
_MOST_BOXES, _MOST_STEPS = 400, 4000
_MOMENT = ("time", "weekday", "date")


@dataclass(frozen=True, slots=True)
class KnownValues:
    """What is known of the values that a route's rules ask about.

    `lists` are fields that are thought of as lists here, `texts` those whose values are made texts. `origins` is where
    a record may come from.
    """

    site: Site
    inputs: tuple[Input, ...] = ()
    lists: frozenset[str] = frozenset()
    texts: frozenset[str] = frozenset()
    origins: tuple[str, ...] = ("live", "cache", "snapshot")

    @property
    def first_input(self) -> str:
        """What `input` without a name means."""
        return self.inputs[0].name if self.inputs else ""


@dataclass(slots=True)
class Dimension:
    """One value: the questions about it, and its ways."""

    questions: list[Question]
    ways: list[Way] = field(default_factory=list)

    @property
    def full(self) -> int:
        """The box of all its ways."""
        return (1 << len(self.ways)) - 1

    def masks(self) -> Iterator[tuple[Question, int]]:
        """Yield each question with the ways in which it is answered with yes."""
        for place, question in enumerate(self.questions):
            yield question, sum((way.answers >> place & 1) << at for at, way in enumerate(self.ways))


class Space:
    """The calls that some conditions tell apart."""

    def __init__(self, formulas: Iterable[Formula], known: KnownValues) -> None:
        self.known = known
        self.dimensions: list[Dimension] = []
        self._masks: dict[Question, tuple[int, int]] = {}
        grouped: dict[str, list[Question]] = {}
        for question in {one: None for formula in formulas for one in questions_in(formula)}:
            grouped.setdefault(self._dimension_of(question), []).append(question)
        for name, questions in grouped.items():
            self._add(name, questions)

    def _dimension_of(self, question: Question) -> str:
        left = question.left
        # What is compared with another value of the call may hold or not, whatever else is known.
        if isinstance(question.expected, Template) or question.kind not in KINDS:
            return f"free {question}"
        if left.scope == "record" and left.name in self.known.lists:
            # `contains` looks for an entry of a list, as `is` does; the others look at it as one text.
            return f"entries {left}" if question.kind in ("is", "contains") else f"list {left}"
        if left.scope == "call" and left.name in _MOMENT:
            return "moment"
        return f"{left}{' as a line' if question.as_line else ''}"

    def _add(self, name: str, questions: list[Question]) -> None:
        try:
            ways = self._ways(name, questions)
        except TooMany:
            # What is asked of parts of the text is taken out; the rest can mostly be told.
            free = [one for one in questions if is_partial(one)] or questions
            for one in free:
                self._put([one], [Way(None, 0), Way(None, 1)])
            if rest := [one for one in questions if one not in free]:
                self._add(name, rest)
            return
        # Each dimension is asked once, and its answers are kept as one number.
        self._put(questions, ways)

    def _put(self, questions: list[Question], ways: list[Way]) -> None:
        made = Dimension(questions, ways)
        self.dimensions.append(made)
        for question, mask in made.masks():
            self._masks[question] = len(self.dimensions) - 1, mask

    def _ways(self, name: str, questions: list[Question]) -> list[Way]:
        if name.startswith("free "):
            return [Way(None, 0), Way(None, 1)]
        if name.startswith("entries "):
            return ways_of_entries(questions)
        if name.startswith("list "):
            return ways_of_joined(questions)
        left = questions[0].left
        if left.scope == "record":
            return ways_of_field(questions, left.name in self.known.texts)
        if left.scope == "input":
            return ways_of_digits(questions, self._digits_of(left.name), signed=False)
        if name == "moment":
            return ways_of_moment(questions)
        if left.scope == "queue":
            return ways_of_number(questions, 0, whole=True, unknown=True)
        if left == Operand("data", "age_s"):
            return ways_of_number(questions, 0, whole=False, unknown=False)
        if left.scope == "share":
            return _ways_of_share(questions)
        if left == Operand("call", "caller"):
            return ways_of_digits(questions, CALLERS, signed=True)
        values = self.values_of(left)
        return ways_of_text(questions) if values is None else ways_among(questions, values)

    def values_of(self, left: Operand) -> Sequence[Value] | None:
        """Return all values of a left side that has few; None for any other."""
        if left.scope == "data":
            return self.known.origins
        if left.scope == "list":
            return WORDS["list"]
        if left.scope == "device":
            return (None, *WORDS["device"])
        if left.scope != "call":
            return None
        if left.name == "country":
            return ("", "001", *sorted(SUPPORTED_REGIONS))
        if left.name == "attestation":
            return (None, *WORDS["attestation"])
        return self._states_of(left.name) if left.name.startswith("calendar") else None

    def _states_of(self, name: str) -> Sequence[Value]:
        # A switch may open or close it at any hour; holidays are only what it has.
        calendar = self.known.site.calendars.get(name.partition(".")[2])
        never = isinstance(calendar, OpeningHours) and calendar.holidays is no_holidays
        return tuple(one for one in WORDS["calendar"] if not (never and one == "holiday"))

    def _digits_of(self, name: str) -> Texts:
        one = next((one for one in self.known.inputs if one.name == name), None)
        if one is None:
            raise TooMany
        length = many(KEYS if one.pattern is not None else DIGIT, one.min, one.max)
        if one.pattern is None:
            return length
        shape = read_expression(one.pattern.pattern)
        return length if shape is None else both(length, without_edges(shape))

    # --------------------------------------------------------------------------------------- boxes

    def boxes(self, formula: Formula, wanted: bool = True) -> list[Box]:
        """Return the calls for which a formula holds, or with `wanted` false does not."""
        if isinstance(formula, Question):
            dimension, mask = self._masks[formula]
            found = mask if wanted else self.dimensions[dimension].full & ~mask
            return [{dimension: found}] if found else []
        if isinstance(formula, Opposite):
            return self.boxes(formula.part, not wanted)
        # The opposite of "all hold" is "one does not", and the other way round.
        joined = isinstance(formula, AllOf) is wanted
        return (_crossed if joined else _gathered)([self.boxes(part, wanted) for part in formula.parts])

    def left_of(self, box: Box, others: Sequence[Box]) -> Box | None:
        """Return a part of a box that none of the others covers; None when they cover it. Raises `TooMany`."""
        return _Difference(self).left_of(box, others, 0)

    def example(self, box: Box) -> dict[str, Value]:
        """Return a value for each left side of a box, by its name; those of which no single value is known are left
        out.
        """
        found: dict[str, Value] = {}
        for place, mask in box.items():
            # The lowest bit is the way that was found first, which is the most usual one.
            dimension = self.dimensions[place]
            way = dimension.ways[(mask & -mask).bit_length() - 1]
            name = str(dimension.questions[0].left)
            if way.value is not None:
                found["at" if dimension.questions[0].left.name in _MOMENT else name] = way.value
        return found


def _ways_of_share(questions: list[Question]) -> list[Way]:
    # A split has two decimals, so that between two neighbours lies nothing.
    hundredths = {0, 9999}
    for one in questions:
        if isinstance(one.expected, (int, float)):
            bound = int(one.expected * 100)
            hundredths |= {bound - 1, bound, bound + 1}
    if any(is_partial(one) for one in questions):
        raise TooMany
    return ways_among(questions, (one / 100 for one in sorted(hundredths) if 0 <= one <= 9999))


def _gathered(every: Sequence[list[Box]]) -> list[Box]:
    return _bounded([box for boxes in every for box in boxes])


def _crossed(every: Sequence[list[Box]]) -> list[Box]:
    found: list[Box] = [{}]
    for boxes in every:
        found = _bounded([met for one in found for other in boxes if (met := meet(one, other)) is not None])
    return found


def _bounded(boxes: list[Box]) -> list[Box]:
    if len(boxes) > _MOST_BOXES:
        raise TooMany
    return boxes


def meet(one: Box, other: Box) -> Box | None:
    """Return what two boxes have in common; None for nothing."""
    found = dict(one)
    for dimension, mask in other.items():
        found[dimension] = found.get(dimension, mask) & mask
        if not found[dimension]:
            return None
    return found


class _Difference:
    """One box minus others, in a bounded number of steps."""

    def __init__(self, space: Space) -> None:
        self.space, self.steps = space, 0

    def left_of(self, box: Box, others: Sequence[Box], first: int) -> Box | None:
        for place in range(first, len(others)):
            other = others[place]
            if meet(box, other) is None:
                continue
            parts = list(self._parts_outside(box, other))
            if len(parts) != 1:
                found = (self.left_of(part, others, place + 1) for part in parts)
                return next((left for left in found if left is not None), None)
            box = parts[0]  # mostly: no call into itself for each of a thousand rules
        return box

    def _parts_outside(self, box: Box, other: Box) -> Iterator[Box]:
        inside = dict(box)
        for dimension, mask in other.items():
            own = inside.get(dimension, self.space.dimensions[dimension].full)
            self.steps += 1
            if self.steps > _MOST_STEPS:
                raise TooMany
            if own & ~mask:
                yield {**inside, dimension: own & ~mask}
            inside[dimension] = own & mask


def covered_by(space: Space, boxes: Sequence[Box], others: Collection[Box]) -> bool:
    """Return whether others cover all of some boxes."""
    flat = list(others)
    return all(space.left_of(box, flat) is None for box in boxes)
