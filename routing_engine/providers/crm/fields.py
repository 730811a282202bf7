"""The fields that a system says a model has."""

from __future__ import annotations

from collections.abc import Iterator

from routing_engine.core.ports import RemoteField
from routing_engine.core.templates import as_text
from routing_engine.providers.crm.model import DescribeRequest
from routing_engine.providers.crm.paths import Path
from routing_engine.providers.values import clean_text


def fields_in(describing: DescribeRequest, tree: object) -> Iterator[RemoteField]:
    """Return the fields. They are a list, or members whose keys are the names."""
    nodes = describing.fields.nodes(tree)
    found = nodes[0] if len(nodes) == 1 else nodes
    if isinstance(found, dict):
        yield from (_field(describing, _word(describing.name, one) or key, one) for key, one in found.items())
    elif isinstance(found, list):
        yield from (_field(describing, _word(describing.name, one), one) for one in found)


def _field(describing: DescribeRequest, name: str, node: object) -> RemoteField:
    return RemoteField(clean_text(name), _word(describing.label, node), _word(describing.type, node))


def _word(path: Path | None, node: object) -> str:
    found = None if path is None else path.first(node)
    return clean_text(as_text(found)) if isinstance(found, (str, int, float)) else ""
