"""Sets of texts as regular languages: what a text may still be after each character (Brzozowski's derivatives).

Prefixes, suffixes, numbers in digits and the expressions of routes are all such sets. Walking through several of them
side by side finds every way in which a text can be in some and not in the others, and the shortest text for each.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, reduce
from typing import TypeAlias

#: So many states are walked through; a product with more is not looked at.
MOST_STATES = 3000


@dataclass(frozen=True, slots=True)
class Chars:
    """One character: of `some`, within one of `ranges`, or, `negated`, any other."""

    some: frozenset[str] = frozenset()
    ranges: tuple[tuple[str, str], ...] = ()
    negated: bool = False

    def holds(self, char: str) -> bool:
        """Return whether a character belongs to it."""
        return self.negated is not (char in self.some or any(low <= char <= high for low, high in self.ranges))


@dataclass(frozen=True, slots=True)
class Seq:
    """One text, then another."""

    first: Texts
    then: Texts


@dataclass(frozen=True, slots=True)
class Either:
    """A text of one of these."""

    parts: frozenset[Texts]


@dataclass(frozen=True, slots=True)
class Both:
    """A text that belongs to all of these."""

    parts: frozenset[Texts]


@dataclass(frozen=True, slots=True)
class Many:
    """A text from `least` to `most` times; None is for ever."""

    part: Texts
    least: int = 0
    most: int | None = None


@dataclass(frozen=True, slots=True)
class Edge:
    """Nothing, where the text begins or, `at_end`, ends."""

    at_end: bool


Texts: TypeAlias = "Chars | Seq | Either | Both | Many | Edge"

NEVER: Texts = Either(frozenset())
NOTHING: Texts = Many(NEVER, 0, 0)
ANY_CHAR: Texts = Chars(negated=True)
ANYTHING: Texts = Many(ANY_CHAR)
DIGIT: Texts = Chars(ranges=(("0", "9"),))


def char(one: str) -> Texts:
    """Return the text of one character."""
    return Chars(frozenset({one}))


def seq(*parts: Texts) -> Texts:
    """Return what is one text after the other."""
    return reduce(lambda then, first: _seq(first, then), reversed(parts), NOTHING)


def _seq(first: Texts, then: Texts) -> Texts:
    if NEVER in (first, then):
        return NEVER
    if first == NOTHING:
        return then
    return first if then == NOTHING else Seq(first, then)


def either(*parts: Texts) -> Texts:
    """Return what belongs to one of these."""
    found: set[Texts] = set()
    for part in parts:
        found.update(part.parts if isinstance(part, Either) else (part,))
    return next(iter(found)) if len(found) == 1 else Either(frozenset(found))


def both(*parts: Texts) -> Texts:
    """Return what belongs to all of these."""
    found = frozenset(parts)
    if NEVER in found:
        return NEVER
    return next(iter(found)) if len(found) == 1 else Both(found)


def many(part: Texts, least: int = 0, most: int | None = None) -> Texts:
    """Return what is a text from `least` to `most` times."""
    if most == 0:
        return NOTHING
    if part == NEVER:
        return NOTHING if least == 0 else NEVER
    return part if (least, most) == (1, 1) else Many(part, least, most)


def literal(text: str, folded: bool = False) -> Texts:
    """Return one text; `folded` in capitals and small letters alike."""
    return seq(*(Chars(frozenset({one, one.lower(), one.upper()})) if folded else char(one) for one in text))


@lru_cache(maxsize=20_000)
def ends(texts: Texts) -> bool:
    """Return whether the text may end here."""
    match texts:
        case Seq(first, then):
            return ends(first) and ends(then)
        case Either(parts):
            return any(map(ends, parts))
        case Both(parts):
            return all(map(ends, parts))
        case Many(part, least, _):
            return least == 0 or ends(part)
        case _:
            return False


@lru_cache(maxsize=100_000)
def after(texts: Texts, one: str) -> Texts:
    """Return what may follow a character."""
    match texts:
        case Chars():
            return NOTHING if texts.holds(one) else NEVER
        case Seq(first, then):
            on = _seq(after(first, one), then)
            return either(on, after(then, one)) if ends(first) else on
        case Either(parts):
            return either(*(after(part, one) for part in parts))
        case Both(parts):
            return both(*(after(part, one) for part in parts))
        case Many(part, least, most):
            rest = many(part, max(0, least - 1), None if most is None else most - 1)
            return _seq(after(part, one), rest)
        case _:
            return NEVER


def anchored(texts: Texts) -> Texts:
    """Return the texts in which an expression with `^` and `$` is found."""
    # RE2 searches: the match may begin at the start of the text, or anywhere later.
    first = _at_end(_at_start(texts, here=True))
    later = _at_end(_at_start(texts, here=False))
    return either(first, seq(ANY_CHAR, ANYTHING, later))


def without_edges(texts: Texts) -> Texts:
    """Return the texts that an expression describes from end to end: `^` and `$` are where they must be, or never."""
    return _ended(_at_start(texts, here=True), last=True)


def _at_start(texts: Texts, here: bool) -> Texts:
    """Return texts without `^`: nothing where the text begins `here`, never elsewhere."""
    match texts:
        case Edge(at_end):
            return texts if at_end else NOTHING if here else NEVER
        case Either(parts):
            return either(*(_at_start(part, here) for part in parts))
        case Seq(first, then):
            begun, on = _at_start(first, here), seq(_at_start(first, here), _at_start(then, here=False))
            return either(on, seq(_bare_of(begun), _at_start(then, here))) if here else on
        case _:
            return texts


def _at_end(texts: Texts) -> Texts:
    """Return texts without `$`, followed by anything: `$` is nothing where nothing follows."""
    return either(_ended(texts, last=True), seq(_ended(texts, last=False), ANYTHING))


def _ended(texts: Texts, last: bool) -> Texts:
    match texts:
        case Edge():
            return NOTHING if last else NEVER
        case Either(parts):
            return either(*(_ended(part, last) for part in parts))
        case Seq(first, then):
            done, on = _ended(then, last), seq(_ended(first, last=False), _ended(then, last))
            return either(on, seq(_ended(first, last), _bare_of(done))) if last else on
        case _:
            return texts


def _bare_of(texts: Texts) -> Texts:
    """Return what of these texts takes no character: nothing, perhaps where the text begins or ends."""
    match texts:
        case Edge():
            return texts
        case Seq(first, then):
            return seq(_bare_of(first), _bare_of(then))
        case Either(parts):
            return either(*map(_bare_of, parts))
        case _:
            return NOTHING if ends(texts) else NEVER


def has_edge(texts: Texts) -> bool:
    """Return whether there is a `^` or `$` in it."""
    match texts:
        case Edge():
            return True
        case Seq(first, then):
            return has_edge(first) or has_edge(then)
        case Either(parts):
            return any(map(has_edge, parts))
        case Many(part):
            return has_edge(part)
        case _:
            return False


# ------------------------------------------------------------------------------------------- numbers in digits


def equal_to(number: int) -> Texts:
    """Return the digits of a number, with zeros in front or not."""
    return seq(many(char("0")), literal(str(number)))


def below(number: int) -> Texts:
    """Return the digits of every number below one, 0 included."""
    # Digit by digit: the same up to a place, smaller there, anything behind.
    digits = str(number)
    if number <= 0:
        return NEVER
    smaller = [
        seq(literal(digits[:place]), Chars(ranges=(("0", chr(ord(one) - 1)),)), many(DIGIT, rest, rest))
        for place, one in enumerate(digits)
        for rest in (len(digits) - place - 1,)
        if one > "0"
    ]
    shorter = [many(DIGIT, 1, len(digits) - 1)] if len(digits) > 1 else []
    return seq(many(char("0")), either(*smaller, *shorter))


def above(number: int) -> Texts:
    """Return the digits of every number above one."""
    if number < 0:
        return many(DIGIT, 1)
    digits = str(number)
    larger = [
        seq(literal(digits[:place]), Chars(ranges=((chr(ord(one) + 1), "9"),)), many(DIGIT, rest, rest))
        for place, one in enumerate(digits)
        for rest in (len(digits) - place - 1,)
        if one < "9"
    ]
    longer = seq(Chars(ranges=(("1", "9"),)), many(DIGIT, len(digits)))
    return seq(many(char("0")), either(*larger, longer))


# ------------------------------------------------------------------------------------------- walking side by side


@dataclass(slots=True)
class Alphabet:
    """The characters that make a difference to some languages, and one of every other sort."""

    chars: set[str] = field(default_factory=set)

    def add(self, texts: Texts) -> None:
        """Take the characters that a language names, and the neighbours of its ranges."""
        match texts:
            case Chars(some, ranges):
                self.chars.update(some)
                for low, high in ranges:
                    self.chars.update({low, high, chr(max(0, ord(low) - 1)), chr(min(0x10FFFF, ord(high) + 1))})
            case Seq(first, then):
                self.add(first)
                self.add(then)
            case Either(parts) | Both(parts):
                for part in parts:
                    self.add(part)
            case Many(part):
                self.add(part)
            case _:
                pass

    def complete(self) -> list[str]:
        """Return them in an order, with a fresh one of every sort; those that people write come first."""
        for sort in (
            "abcdefghijklmnopqrstuvwxyz",
            "XYZABCDEFGHIJKLMNOPQRSTUVW",
            "5678901234",
            "~%=!",
            " ",
            "\u00e9\u00e8",
        ):
            fresh = next((one for one in sort if one not in self.chars), None)
            self.chars.update({fresh} if fresh else set())
        return sorted(self.chars, key=lambda one: (not one.isalnum(), not one.isprintable(), one))


def alphabet_of(every: Iterable[Texts]) -> list[str]:
    """Return characters enough to tell all texts of some languages apart."""
    found = Alphabet()
    for texts in every:
        found.add(texts)
    return found.complete()


def ways(domain: Texts, every: Sequence[Texts]) -> dict[int, str] | None:
    """Return every way in which a text of `domain` can be in some of these, bit by bit, and the shortest such text.

    None where they are too many to look at.
    """
    alphabet = alphabet_of((domain, *every))
    start = (domain, *every)
    seen, layer, found = {start}, [("", start)], dict[int, str]()
    # Breadth first: the shortest text of each way comes first.
    while layer:
        for text, state in layer:
            if ends(state[0]):
                found.setdefault(sum(ends(one) << place for place, one in enumerate(state[1:])), text)
        layer = list(_next_layer(layer, alphabet, seen))
        if len(seen) > MOST_STATES:
            return None
    return found


def _next_layer(
    layer: Sequence[tuple[str, tuple[Texts, ...]]], alphabet: Sequence[str], seen: set[tuple[Texts, ...]]
) -> Iterator[tuple[str, tuple[Texts, ...]]]:
    for text, state in layer:
        for one in alphabet:
            on = tuple(after(part, one) for part in state)
            if on[0] != NEVER and on not in seen and len(seen) <= MOST_STATES:
                seen.add(on)
                yield text + one, on
