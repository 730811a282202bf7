"""One value of a YAML file changed in its text: comments, order and everything else stay as people wrote them."""

from __future__ import annotations

from collections.abc import Sequence

import yaml

from routing_engine.errors import ConfigError, Problem

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_BY_HAND = "write it into the file by hand"


def with_value(text: str, path: Sequence[str], value: str, file: str) -> str:
    """Return the text of a YAML file with a text at a path of keys. Raises `ConfigError` where that is not possible.

    The first key must be there; below it what is missing is made.
    """
    root = yaml.compose(text, Loader=_LOADER)
    if not isinstance(root, yaml.MappingNode) or _found(root, path[0]) is None:
        raise ConfigError([Problem(file, 0, f"there is no '{path[0]}'", _BY_HAND)])
    changed = _changed(text, root, path, value)
    # Held against what was meant: a file that is written in an unforeseen way is left as it is.
    if changed is None or yaml.safe_load(changed) != _meant(text, path, value):
        raise ConfigError([Problem(file, root.start_mark.line + 1, f"'{'.'.join(path)}' cannot be added", _BY_HAND)])
    return changed


def _changed(text: str, node: yaml.MappingNode, path: Sequence[str], value: str) -> str | None:
    found = _found(node, path[0])
    if found is None:
        return _added(text, node, f"{path[0]}: {_written(path[1:], value)}")
    if isinstance(found, yaml.MappingNode) and len(path) > 1:
        return _changed(text, found, path[1:], value)
    if isinstance(found, yaml.ScalarNode) and len(path) == 1 and found.value:
        return text[: found.start_mark.index] + _quoted(value) + text[found.end_mark.index :]
    return None


def _added(text: str, node: yaml.MappingNode, entry: str) -> str | None:
    if node.flow_style:
        at = node.start_mark.index + 1
        return text[:at] + entry + (", " if node.value else "") + text[at:]
    key, value = node.value[0]
    indent = " " * key.start_mark.column
    end = text.find("\n", value.end_mark.index)
    one_line = isinstance(value, yaml.ScalarNode) and value.style not in ("|", ">")
    if one_line and end >= 0:
        # Behind the first line: the comments above the second key stay with it.
        return f"{text[: end + 1]}{indent}{entry}\n{text[end + 1 :]}"
    at = key.start_mark.index
    return f"{text[:at]}{entry}\n{indent}{text[at:]}"


def _found(node: yaml.MappingNode, name: str) -> yaml.Node | None:
    return next((value for key, value in node.value if key.value == name), None)


def _written(path: Sequence[str], value: str) -> str:
    return f"{{{path[0]}: {_written(path[1:], value)}}}" if path else _quoted(value)


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _meant(text: str, path: Sequence[str], value: str) -> object:
    whole = yaml.safe_load(text)
    place = whole
    for key in path[:-1]:
        place[key] = place.get(key) or {}
        place = place[key]
    place[path[-1]] = value
    return whole
