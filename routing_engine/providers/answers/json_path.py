"""JSONPath (RFC 9535), as far as a path of a description or a field map may go. Imported with the first such path."""

from __future__ import annotations

from functools import cache
from typing import ClassVar

import jsonpath
import re2
from jsonpath import JSONPath, JSONPathEnvironment
from jsonpath.function_extensions import ExpressionType, FilterFunction
from jsonpath.segments import JSONPathChildSegment
from jsonpath.selectors import NameSelector

from routing_engine.core.model import Json

_LONGEST_PATTERN = 1000


def compiled(text: str) -> JSONPath:
    """Compile a path. Raises `ValueError` with a sentence."""
    try:
        found = _environment().compile(text)
    except (jsonpath.JSONPathError, RecursionError):
        raise ValueError(f"this is not a JSONPath: '{text[:80]}'") from None
    if not isinstance(found, JSONPath):
        raise ValueError(f"this is more than one path: '{text[:80]}'")
    if "$" in text[1:] and ".." in text:
        raise ValueError(f"this path would look through the whole answer again and again: '{text[:80]}'")
    return found


def find_all(path: JSONPath, tree: Json) -> list[Json]:
    """Return what lies there. Raises `RecursionError` for an answer that is nested too deeply."""
    try:
        found: list[Json] = path.findall(tree)  # type: ignore[arg-type, assignment]  # of objects it says
    except jsonpath.JSONPathError:
        # The library has a bound of its own, far below Python's: for us it is the same.
        raise RecursionError from None
    return found


def ground_of(path: JSONPath) -> tuple[str, ...]:
    """Return the members that a path begins with."""
    names = []
    for segment in path.segments:
        selectors = segment.selectors
        # `$..name` has one name as well, and looks for it at every depth: nobody may walk that.
        if not isinstance(segment, JSONPathChildSegment) or len(selectors) != 1:
            break
        if not isinstance(selectors[0], NameSelector):
            break
        names.append(selectors[0].name)
    return tuple(names)


def above(path: JSONPath) -> tuple[JSONPath, ...]:
    """Return the paths to every node above the one that a path points at."""
    return tuple(JSONPath(env=path.env, segments=path.segments[:end]) for end in range(1, len(path.segments)))


def root_of(path: JSONPath) -> str:
    """Return the member of a record that a request asks for; "" when there is none."""
    selectors = path.segments[0].selectors if path.segments else ()
    return next((one.name.partition("@")[0] for one in selectors[:1] if isinstance(one, NameSelector)), "")


class _LinearMatch(FilterFunction):
    """`match()` of RFC 9535 with RE2: the library's would go back and forth over an answer for minutes."""

    arg_types: ClassVar[list[ExpressionType]] = [ExpressionType.VALUE, ExpressionType.VALUE]
    return_type: ClassVar[ExpressionType] = ExpressionType.LOGICAL
    whole: ClassVar[bool] = True

    def __call__(self, value: Json, pattern: Json) -> bool:
        """Return whether a text matches; False for everything that is no text, and no expression."""
        if not isinstance(value, str) or not isinstance(pattern, str) or len(pattern) > _LONGEST_PATTERN:
            return False
        try:
            found = re2.compile(pattern, _quiet())
        except re2.error:
            return False
        return (found.fullmatch(value) if self.whole else found.search(value)) is not None


class _LinearSearch(_LinearMatch):
    """`search()` of RFC 9535."""

    whole = False


@cache
def _quiet() -> re2.Options:
    options = re2.Options()
    options.log_errors, options.max_mem = False, 1_000_000
    return options


@cache
def _environment() -> JSONPathEnvironment:
    found = JSONPathEnvironment(strict=True)
    found.function_extensions.update({"match": _LinearMatch(), "search": _LinearSearch()})
    return found
