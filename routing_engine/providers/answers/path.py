"""Where things lie in an answer: `results`, `paging.next.after`, or a JSONPath (RFC 9535), which begins with `$`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from routing_engine.core.model import Json
from routing_engine.errors import ProviderMisread

if TYPE_CHECKING:
    from jsonpath import JSONPath

#: A JSONPath that looks for something (`..`, `*`, `[?...]`) is not tried on answers of more values.
MOST_VALUES = 20_000
#: What no member is called by a plain path: it is another language's way to say where something lies.
_NO_NAMES = re.compile(r"[\[\]*]|\A\.|\.\.|\.\Z")


class PathTooCostly(ProviderMisread):
    """An answer holds more than a path may look through."""


@dataclass(frozen=True, slots=True)
class Path:
    """A compiled path. A plain one names members, with `.` between; a member that has the dots in its name wins.

    On its way through a list a plain path goes on from each of its items.
    """

    text: str
    names: tuple[str, ...] = ()
    json: JSONPath | None = None
    #: The members that a JSONPath begins with: what must be there also when nothing lies below it.
    ground: tuple[str, ...] = ()
    #: Whether a JSONPath is made of such members alone: most are, and walking them takes a tenth of the time.
    walks: bool = False
    #: For a JSONPath, the paths to every node above the one that it points at.
    above: tuple[JSONPath, ...] = ()

    def nodes(self, tree: Json) -> list[Json]:
        """Return what lies there: nothing, one node, or several where a JSONPath says so."""
        if self.walks:
            return _walk(tree, self.ground)
        if self.json is not None:
            return _find_all(self.json, tree)
        # A member may have dots in its own name: the whole name goes before its parts.
        if len(self.names) > 1 and isinstance(tree, dict) and self.text in tree:
            return [tree[self.text]]
        found = [tree]
        for name in self.names:
            items = (item for node in found for item in (node if isinstance(node, list) else [node]))
            found = [item[name] for item in items if isinstance(item, dict) and name in item]
        return found

    def first(self, tree: Json) -> Json:
        """Return the first node; None when there is none."""
        nodes = self.nodes(tree)
        return nodes[0] if nodes else None

    def has_ground(self, tree: Json) -> bool:
        """Return whether an answer has the shape that the path expects, with something in it or not."""
        names = self.ground if self.json is not None else self.names
        return bool(Path(".".join(names), names).nodes(tree))

    def ends_empty(self, tree: Json) -> bool:
        """Return whether the path ends early, below the top, at something empty: `{"a": []}` of `a.b`."""
        for depth, name in enumerate(self.ground if self.json is not None else self.names):
            if not isinstance(tree, dict) or name not in tree:
                return depth > 0 and not tree
            tree = tree[name]
        return False

    def leads_to_nothing(self, tree: Json) -> bool:
        """Return whether a JSONPath leads through null, {} or []: `$.items[0].name` where `items` is empty."""
        found = (_find_all(path, tree) for path in self.above)
        return any(nodes and all(map(is_nothing, nodes)) for nodes in found)

    @property
    def root(self) -> str:
        """The member of a record that a request asks for, so that the path leads somewhere; "" when there is none."""
        if self.json is None:
            return self.text
        from routing_engine.providers.answers import json_path  # late: few maps have a JSONPath

        return json_path.root_of(self.json)


#: The whole answer.
WHOLE = Path("")


def read_path(text: str) -> Path:
    """Compile a path. Raises `ValueError` with a sentence."""
    if not text.startswith("$"):
        if _NO_NAMES.search(text):
            raise ValueError(f"'{text[:80]}' is not a plain path; with [ ] or * it is a JSONPath, which begins with $")
        return Path(text, tuple(text.split(".")) if text else ())
    from routing_engine.providers.answers import json_path  # late: few maps have a JSONPath

    found = json_path.compiled(text)
    # Worked out once: a call must not look at the syntax of a path again.
    ground = json_path.ground_of(found)
    return Path(text, (), found, ground, len(ground) == len(found.segments) > 0, json_path.above(found))


def is_nothing(value: Json) -> bool:
    """Return whether a value of JSON stands for "nobody": null, {} or []."""
    return value is None or (isinstance(value, (dict, list)) and not value)


def _walk(tree: Json, names: tuple[str, ...]) -> list[Json]:
    for name in names:
        if not isinstance(tree, dict) or name not in tree:
            return []
        tree = tree[name]
    return [tree]


def _holds_more(tree: Json, most: int) -> bool:
    """Return whether a tree of JSON has more values than `most`."""
    waiting, count = [tree], 0
    while waiting:
        node = waiting.pop()
        inner = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
        count += len(inner)
        if count > most:
            return True
        waiting.extend(one for one in inner if isinstance(one, (dict, list)))
    return False


def _find_all(path: JSONPath, tree: Json) -> list[Json]:
    if isinstance(tree, str):
        # The library would read a text as JSON, and raise where it is none: here it is an answer, without members.
        return [] if path.segments else [tree]
    # `$..name` looks at each of them, at 30 us: an answer of 1 MiB would hold up every call for seconds.
    if _holds_more(tree, MOST_VALUES):
        raise PathTooCostly(f"the answer has more than {MOST_VALUES:,} values, too many for a path that searches")
    from routing_engine.providers.answers import json_path  # late: few maps have a JSONPath

    return json_path.find_all(path, tree)
