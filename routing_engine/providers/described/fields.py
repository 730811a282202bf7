"""The fields that a system says a model has."""

from __future__ import annotations

from collections.abc import Iterator

from routing_engine.core.templates import as_text
from routing_engine.providers.described.description import Describing
from routing_engine.providers.described.paths import Path


def fields_in(describing: Describing, tree: object) -> Iterator[tuple[str, str, str]]:
    """Give name, label and type of each field. They are a list, or members whose keys are the names."""
    nodes = describing.fields.nodes(tree)
    found = nodes[0] if len(nodes) == 1 else nodes
    if isinstance(found, dict):
        yield from ((_word(describing.name, one) or key, *_about(describing, one)) for key, one in found.items())
    elif isinstance(found, list):
        yield from ((_word(describing.name, one), *_about(describing, one)) for one in found)


def _about(describing: Describing, node: object) -> tuple[str, str]:
    return _word(describing.label, node), _word(describing.type, node)


def _word(path: Path | None, node: object) -> str:
    found = None if path is None else path.first(node)
    return as_text(found) if isinstance(found, (str, int, float)) else ""
