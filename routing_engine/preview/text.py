"""A route as a tree of lines, for a terminal and for differences in words."""

from __future__ import annotations

from collections.abc import Iterator

from routing_engine.core.redact import visible
from routing_engine.preview.steps import PreviewStep, RoutePreview, WayOut

_LONGEST = 400


def as_text(preview: RoutePreview) -> str:
    """Return the tree, without a line end behind the last line."""
    head = f"{preview.name}: {preview.description}" if preview.description else preview.name
    return "\n".join([visible(head, _LONGEST), "", *_lines(preview)])


def _lines(preview: RoutePreview) -> Iterator[str]:
    for step in preview.steps:
        yield from _of_step(step)


def _of_step(step: PreviewStep) -> Iterator[str]:
    if step.kind == "default":
        [way] = step.ways
        yield f"└─ {step.title} ──▶ {visible(way.leads, _LONGEST)}"
        return
    yield f"├─ {visible(step.title, _LONGEST)}"
    for number, way in enumerate(step.ways, start=1):
        yield f"│   {'└' if number == len(step.ways) else '├'}─ {visible(_said(way), _LONGEST)}"
    yield "│"


def _said(way: WayOut) -> str:
    name = f"{way.rule}: " if way.rule and way.rule != way.when else ""
    asleep = f"({way.asleep}) " if way.asleep else ""
    return f"{asleep}{name}{way.when} ──▶ {way.leads}"
