"""Where things lie in an answer: `results`, `paging.next.after`, or a JSONPath that begins with `$`."""

from __future__ import annotations

import re
from dataclasses import dataclass

import jsonpath
from jsonpath import JSONPath

#: What no member is called by a plain path: it is another language's way to say where something lies.
_NO_NAMES = re.compile(r"[\[\]*]|\A\.|\.\.|\.\Z")


@dataclass(frozen=True, slots=True)
class Path:
    """A compiled path. A plain one names members, with `.` between; a member that has the dots in its name wins.

    On its way through a list it goes on from each of its items.
    """

    text: str
    names: tuple[str, ...] = ()
    json: JSONPath | None = None
    #: The plain members that a JSONPath begins with: what must be there also when nothing lies below it.
    ground: tuple[str, ...] = ()
    #: Whether a JSONPath is made of such members alone: most are, and walking them takes a tenth of the time.
    walks: bool = False

    def nodes(self, tree: object) -> list[object]:
        """Return what lies there: nothing, one node, or several where a JSONPath says so."""
        if self.walks:
            return _walk(tree, self.ground)
        if self.json is not None:
            return self.json.findall(tree)  # type: ignore[arg-type]
        if len(self.names) > 1 and isinstance(tree, dict) and self.text in tree:
            return [tree[self.text]]
        found = [tree]
        for name in self.names:
            items = (item for node in found for item in (node if isinstance(node, list) else [node]))
            found = [item[name] for item in items if isinstance(item, dict) and name in item]
        return found

    def first(self, tree: object) -> object:
        """Return the first node; None when there is none."""
        nodes = self.nodes(tree)
        return nodes[0] if nodes else None

    def has_ground(self, tree: object) -> bool:
        """Return whether an answer has the shape that the path expects, with something in it or not."""
        names = self.ground if self.json is not None else self.names
        return bool(Path(".".join(names), names).nodes(tree))

    def ends_empty(self, tree: object) -> bool:
        """Return whether the path ends early, below the top, at something empty: `{"a": []}` of `a.b`."""
        for depth, name in enumerate(self.ground if self.json is not None else self.names):
            if not isinstance(tree, dict) or name not in tree:
                return depth > 0 and not tree
            tree = tree[name]
        return False

    @property
    def root(self) -> str:
        """The member of a record that a request asks for, so that the path leads somewhere; "" when there is none."""
        if self.json is None:
            return self.text
        for segment in self.json.segments[:1]:
            for selector in segment.selectors:
                name = getattr(selector, "name", None)
                return name.partition("@")[0] if isinstance(name, str) else ""
        return ""


#: The whole answer.
WHOLE = Path("")


def read_path(text: str) -> Path:
    """Compile a path. Raises `ValueError` with a sentence."""
    if not text.startswith("$"):
        if _NO_NAMES.search(text):
            raise ValueError(f"'{text[:80]}' is no plain path; with [ ] or * it is a JSONPath, which begins with $")
        return Path(text, tuple(text.split(".")) if text else ())
    try:
        found = jsonpath.compile(text, strict=True)
    except (jsonpath.JSONPathError, RecursionError):
        raise ValueError(f"this is no JSONPath: '{text[:80]}'") from None
    if not isinstance(found, JSONPath):
        raise ValueError(f"this is more than one path: '{text[:80]}'")
    ground = _ground(found)
    return Path(text, json=found, ground=ground, walks=len(ground) == len(found.segments) > 0)


def _walk(tree: object, names: tuple[str, ...]) -> list[object]:
    for name in names:
        if not isinstance(tree, dict) or name not in tree:
            return []
        tree = tree[name]
    return [tree]


def _ground(path: JSONPath) -> tuple[str, ...]:
    names = []
    for segment in path.segments:
        found = [getattr(selector, "name", None) for selector in segment.selectors]
        if len(found) != 1 or not isinstance(found[0], str):
            break
        names.append(found[0])
    return tuple(names)
