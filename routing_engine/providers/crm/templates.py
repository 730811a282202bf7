"""The texts of a description: `SELECT Id FROM Contact WHERE Phone = '{number.e164 | soql}'`, compiled once.

A text that is one value alone keeps that value's type; everything else is a text. `{{` and `}}` are braces themselves.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from routing_engine.core.model import Json
from routing_engine.core.templates import split_braces
from routing_engine.providers.crm.filters import FILTERS, Apply, as_words
from routing_engine.settings.yaml_reader import suggest

#: What the values of a request come from, by the first word of their paths.
Scope: TypeAlias = Mapping[str, Json]

#: Rooms whose values are written by the operator, the description or the system's own log-in.
TRUSTED = frozenset({"settings", "auth", "model", "fields", "limit", "page", "offset", "since"})

_PATH = re.compile(r"[a-z_]+(\.[A-Za-z_][A-Za-z0-9_]*)*\Z", re.ASCII)
#: Other languages' ways to name a value: `${name}`, and `{{ name }}` where it would be two braces around a word.
_DOLLAR = re.compile(r"\$\{")
_DOUBLE = re.compile(r"(?<!\{)\{\{ *\w+ *(?:[.|][^{}]*)\}\}(?!\})|\A\{\{ *\w+ *\}\}\Z", re.ASCII)
#: What people call a value, and how it is called here.
_INSTEAD = dict.fromkeys(("phone", "caller", "tel", "callerid", "phone_number"), "number.e164") | dict.fromkeys(
    ("query", "term", "search", "input"), "value"
)
_WORD = re.compile(r"'([^']*)'|(\S+)")


@dataclass(frozen=True, slots=True)
class TextSlot:
    """One `{path | filter}`: where its value comes from, and what is done to it."""

    path: tuple[str, ...]
    filters: tuple[tuple[Apply, tuple[str | TextSlot, ...]], ...] = ()
    escaped: bool = False

    def value(self, scope: Scope) -> Json:
        """Return the value; None when there is none. Raises `Unsearchable` when it cannot be carried."""
        found: Json = scope
        for name in self.path:
            if isinstance(found, list):  # a path that goes on behind a list goes on from its first item
                found = found[0] if found else None
            found = found.get(name) if isinstance(found, Mapping) else None
        # A missing value stays missing through every filter: `append` would make a key of nothing.
        for apply, arguments in self.filters:
            if found is None and apply is not _DEFAULT:
                return None
            found = apply(found, *(one.value(scope) if isinstance(one, TextSlot) else one for one in arguments))
        return found


_DEFAULT = FILTERS["default"].apply


@dataclass(frozen=True, slots=True)
class TextTemplate:
    """A compiled text."""

    parts: tuple[str | TextSlot, ...]

    @property
    def slots(self) -> Iterator[TextSlot]:
        """Every value in it."""
        return (part for part in self.parts if isinstance(part, TextSlot))

    @property
    def alone(self) -> bool:
        """Whether it is one value and nothing else."""
        return len(self.parts) == 1 and isinstance(self.parts[0], TextSlot)

    def value(self, scope: Scope) -> Json:
        """Return the one value with its type, or the text."""
        first = self.parts[0] if self.parts else ""
        return first.value(scope) if len(self.parts) == 1 and isinstance(first, TextSlot) else self.text(scope)

    def text(self, scope: Scope, encode: Callable[[str], str] = str) -> str:
        """Return the text, each value through `encode`; a missing one is empty."""
        if len(self.parts) == 1 and isinstance(self.parts[0], str):
            return self.parts[0]
        return "".join(part if isinstance(part, str) else encode(as_words(part.value(scope))) for part in self.parts)


def read_text(text: str, known: Mapping[str, frozenset[str] | None]) -> TextTemplate:
    """Compile a text. `known` are the rooms that may be named, each with its names (None: any name, or none).

    Raises `ValueError` with a sentence, and `LookupError` with a sentence and a remedy.
    """
    # Before anything is compiled: `${name}` would be sent as it stands.
    _check_foreign(text)
    try:
        pieces = split_braces(text)
    except ValueError:
        raise LookupError("a brace stands alone", "write {{ and }} for braces themselves") from None
    return TextTemplate(tuple(_slot(piece, known) if braced else piece for piece, braced in pieces))


def _check_foreign(text: str) -> None:
    """Refuse what would be sent as it stands, and find nobody."""
    if _DOLLAR.search(text):
        remedy = "write {number.e164} without the $; what an operator gives is {settings.NAME} or {auth.NAME}"
        raise LookupError("a description fills no ${...}: it is the same for everybody", remedy)
    if found := _DOUBLE.search(text):
        word = found[0].strip("{} ")
        raise LookupError(f"'{{{{ {word[:80]} }}}}' would be sent as it stands, in braces", f"write '{{{word[:80]}}}'")


def _slot(inside: str, known: Mapping[str, frozenset[str] | None]) -> TextSlot:
    first, *steps = (part.strip() for part in inside.split("|"))
    filters = tuple(_filter(step, known) for step in steps)
    # The last filter decides: what follows an escape would undo it.
    escaped = bool(steps) and FILTERS[steps[-1].split()[0]].escapes
    return TextSlot(_path(first, known), filters, escaped)


def _path(text: str, known: Mapping[str, frozenset[str] | None]) -> tuple[str, ...]:
    room, *names = text.split(".")
    if not _PATH.match(text) or room not in known:
        shown = _shown(known)
        instead = _INSTEAD.get(room, "")
        wanted = instead if instead in shown else text
        remedy = suggest(wanted, shown) if shown else "nothing is known here; write the text itself"
        raise LookupError(f"there is no value '{text[:80]}' here", remedy)
    allowed = known[room]
    if allowed is not None and (len(names) != 1 or names[0] not in allowed) and (names or allowed):
        raise LookupError(f"there is no value '{text[:80]}' here", suggest(text, [f"{room}.{one}" for one in allowed]))
    return (room, *names)


def _shown(known: Mapping[str, frozenset[str] | None]) -> list[str]:
    return [f"{room}.{name}" for room, names in known.items() for name in names or ()] + [
        room for room, names in known.items() if not names
    ]


def _filter(step: str, known: Mapping[str, frozenset[str] | None]) -> tuple[Apply, tuple[str | TextSlot, ...]]:
    words = [(found[1] if found[2] is None else found[2], found[2] is not None) for found in _WORD.finditer(step)]
    if not words:
        raise ValueError("a filter is missing behind '|'")
    (name, _), *rest = words
    found = FILTERS.get(name)
    if found is None:
        raise LookupError(f"there is no filter '{name}'", suggest(name, FILTERS))
    fewest, most = found.arguments
    if not fewest <= len(rest) <= most or not found.fits([word for word, _ in rest]):
        raise LookupError(f"the filter '{name}' cannot be used so", f"it gives {found.gives}")
    return found.apply, tuple(
        TextSlot(_path(word, known)) if bare and word.split(".")[0] in known and "." in word else word
        for word, bare in rest
    )
