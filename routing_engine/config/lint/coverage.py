"""Rules that can never fire, and conditions that always or never hold: proved, never guessed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from routing_engine.config.lint.atoms import AllOf, Formula, formula_of
from routing_engine.config.lint.spaces import Box, KnownValues, Space
from routing_engine.config.lint.values import TooMany
from routing_engine.config.route.walk import of_condition
from routing_engine.core.conditions import describe
from routing_engine.core.model import Comparison, Condition, Rule
from routing_engine.errors import Problem

#: So many conditions of one rule are held against one another to say which of them exclude each other.
_MOST_PARTS = 3


@dataclass(frozen=True, slots=True)
class Ladder:
    """The rules that a call comes to in their order, and what is known of what they ask.

    The first `before` of them are those of the route itself, which stand above a source's. `may_be_lists` are fields
    that something in the file shows to be lists.
    """

    file: str
    rules: tuple[Rule, ...]
    known: KnownValues
    before: int = 0
    may_be_lists: frozenset[str] = frozenset()


def hidden_rules(ladder: Ladder) -> Iterator[Problem]:
    """Yield a remark for every rule that can never fire, with what makes it so."""
    formulas = [formula_of(rule.when, ladder.known.first_input) for rule in ladder.rules]
    # One space for all rules: building it takes longer than what is asked of it.
    space = Space(formulas, ladder.known)
    taken, above = list[Box](), list[Rule]()
    for place, (rule, formula) in enumerate(zip(ladder.rules, formulas, strict=True)):
        boxes = _boxes(space, formula)
        if place >= ladder.before and not rule.disabled and boxes is not None and _covers(space, taken, boxes):
            found = _Proof(ladder, rule, above).finding()
            yield from [] if found is None else [found]
        # A rule that sleeps, or will one day, hides nothing for good.
        if not rule.disabled and rule.until is None and boxes is not None:
            taken, above = taken + boxes, [*above, rule]


def takes_all(rules: Sequence[Rule], known: KnownValues) -> list[Rule]:
    """Return the rules that together take every call; none where some call comes past them."""
    lasting = [rule for rule in rules if not rule.disabled and rule.until is None]
    formulas = [formula_of(rule.when, known.first_input) for rule in lasting]
    space, taken = Space(formulas, known), list[Box]()
    for place, formula in enumerate(formulas):
        taken += _boxes(space, formula) or []
        if _covers(space, taken, [{}]):
            return lasting[: place + 1]
    return []


def _boxes(space: Space, formula: Formula) -> list[Box] | None:
    try:
        return space.boxes(formula)
    except TooMany:
        return None


def _covers(space: Space, taken: Sequence[Box], boxes: Sequence[Box]) -> bool:
    try:
        return all(space.left_of(box, taken) is None for box in boxes)
    except TooMany:
        return False


class _Proof:
    """Whether one rule can fire below others."""

    def __init__(self, ladder: Ladder, rule: Rule, above: Sequence[Rule]) -> None:
        self.ladder, self.rule, self.above = ladder, rule, above
        self._modes: list[frozenset[str]] = []

    def finding(self) -> Problem | None:
        shown = _record_fields([self.rule, *self.above]) & self.ladder.may_be_lists
        self._modes = [frozenset[str](), *_subsets(shown)]
        if not self._is_hidden_by(self.above):
            return None
        hiding = self._fewest()
        others = sorted(_record_fields([self.rule, *hiding]) - shown)
        unless = [one for one in others if not self._is_covered(hiding, frozenset({one}))]
        premise = f" (unless {' or '.join(map(repr, unless))} is a list)" if unless else ""
        return self._hidden(hiding, premise) if hiding else self._contradiction(premise)

    def _is_hidden_by(self, above: Sequence[Rule]) -> bool:
        """Return whether rules take all calls of this one, whichever fields may be lists here."""
        return all(self._is_covered(above, lists) for lists in self._modes)

    def _hidden(self, hiding: Sequence[Rule], premise: str) -> Problem:
        names = " and ".join(f"'{one.name}' (line {one.line})" for one in hiding)
        takes = "takes" if len(hiding) == 1 else "together take"
        sentence = f"the rule '{self.rule.name}' can never fire: {names} {takes} all its calls{premise}"
        remedy = (
            "put it above that rule, or remove it" if len(hiding) == 1 else "put it above those rules, or remove it"
        )
        return Problem(self.ladder.file, self.rule.line, sentence, remedy)

    def _contradiction(self, premise: str) -> Problem | None:
        parts = _parts(self.rule.when)
        core = self._excluding(parts)
        last = max((line for part in core for line in _lines(part)), default=0)
        if len(core) == 1 and isinstance(core[0], Comparison):
            return None  # `fits.py` says why it never holds, and what would
        if len(core) == 1:
            sentence = f"the rule '{self.rule.name}' can never fire: {describe(core[0])} never holds{premise}"
        else:
            said = " and ".join(map(describe, core))
            sentence = f"the rule '{self.rule.name}' can never fire: {said} exclude one another{premise}"
        return Problem(self.ladder.file, last or self.rule.line, sentence, "correct the conditions, or remove the rule")

    def _excluding(self, parts: Sequence[Condition]) -> Sequence[Condition]:
        """Return the fewest of a rule's conditions that exclude one another."""
        for count in range(1, min(_MOST_PARTS, len(parts)) + 1):
            for some in combinations(parts, count):
                if self._never([self._formula_of(part) for part in some]):
                    return some
        return parts

    def _never(self, formulas: Sequence[Formula]) -> bool:
        return _boxes(Space(formulas, self.ladder.known), AllOf(tuple(formulas))) == []

    def _fewest(self) -> list[Rule]:
        """Return the rules above that are needed to take all calls of this one; the nearest to the top stay."""
        if self._is_hidden_by([]):
            return []
        # One rule says more than three that need one another.
        single = next((one for one in self.above if self._is_hidden_by([one])), None)
        if single is not None:
            return [single]
        needed = list(self.above)
        for one in reversed(self.above):
            rest = [other for other in needed if other is not one]
            if self._is_hidden_by(rest):
                needed = rest
        return needed

    def _formula_of(self, condition: Condition | None) -> Formula:
        return formula_of(condition, self.ladder.known.first_input)

    def _is_covered(self, above: Sequence[Rule], lists: frozenset[str]) -> bool:
        known = replace(self.ladder.known, lists=lists)
        own, others = self._formula_of(self.rule.when), [self._formula_of(one.when) for one in above]
        space = Space([own, *others], known)
        boxes = _boxes(space, own)
        taken = [box for one in others for box in _boxes(space, one) or []]
        return boxes is not None and _covers(space, taken, boxes)


def _record_fields(rules: Sequence[Rule]) -> frozenset[str]:
    return frozenset(left.name for rule in rules for left in of_condition(rule.when) if left.scope == "record")


def _subsets(names: frozenset[str]) -> Iterator[frozenset[str]]:
    every = sorted(names)[:_MOST_PARTS]
    for count in range(1, len(every) + 1):
        yield from map(frozenset, combinations(every, count))


def _parts(condition: Condition | None) -> list[Condition]:
    """Return the conditions of which all must hold."""
    if condition is None:
        return []
    if isinstance(condition, Comparison) or condition.join != "all":
        return [condition]
    return [part for one in condition.conditions for part in _parts(one)]


def _lines(condition: Condition) -> Iterator[int]:
    if isinstance(condition, Comparison):
        yield condition.line
    else:
        for part in condition.conditions:
            yield from _lines(part)
