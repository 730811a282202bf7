"""The lines of a YAML file by what stands there: for whoever has a finding, and no node of the file any more."""

from __future__ import annotations

from functools import cached_property

import yaml

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class YamlLines:
    """The places of a file's text; it is taken apart only when somebody asks."""

    def __init__(self, text: str = "") -> None:
        self._text = text

    @cached_property
    def _root(self) -> yaml.Node | None:
        return yaml.compose(self._text, Loader=_LOADER) if self._text else None

    def line(self, *path: str | int) -> int:
        """Return the line of the last key or entry of a path that is there, counted from 1; 0 for none."""
        node, line = self._root, 0
        for step in path:
            found = _step(node, step)
            if found is None:
                break
            mark, node = found
            line = mark.start_mark.line + 1
        return line

    def has(self, *path: str | int) -> bool:
        """Return whether a path is there."""
        node = self._root
        for step in path:
            found = _step(node, step)
            if found is None:
                return False
            node = found[1]
        return True


def _step(node: yaml.Node | None, step: str | int) -> tuple[yaml.Node, yaml.Node] | None:
    """Return where a step is marked, and what is there."""
    if isinstance(node, yaml.MappingNode):
        return next(((key, value) for key, value in node.value if key.value == step), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step], node.value[step]
    return None
