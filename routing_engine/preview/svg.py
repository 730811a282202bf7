"""A route as a picture: the steps in a column, the ways out of each beside it. No script, nothing from outside."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from textwrap import wrap

from routing_engine.core.redact import visible
from routing_engine.preview.steps import PreviewStep, RoutePreview, WayOut

_LEFT, _STEP_W, _WAY_X, _WAY_W, _TO_W, _WIDTH = 16, 300, 372, 330, 270, 1010
_LINE, _PAD, _GAP, _LONGEST = 18, 9, 14, 400
#: Characters that go into a box: of a usual sans-serif face at 13 px.
_STEP_CHARS, _WAY_CHARS, _TO_CHARS = 42, 46, 37
_STYLE = (
    "text{font:13px sans-serif;fill:#1c2733}.b{font-weight:bold}.step{fill:#e8f0fa;stroke:#3b6ea5}"
    ".way{fill:#fff;stroke:#9aa7b4}.to{fill:#e7f5ea;stroke:#3d8b54}.off{stroke-dasharray:4 3}"
    ".line{stroke:#5b6875;fill:none}"
)


@dataclass(frozen=True, slots=True)
class _Box:
    x: int
    width: int
    lines: Sequence[str]
    look: str

    @property
    def height(self) -> int:
        return len(self.lines) * _LINE + 2 * _PAD if self.lines else 0

    def at(self, y: int, height: int = 0) -> Iterator[str]:
        size = f'width="{self.width}" height="{height or self.height}"'
        yield f'<rect x="{self.x}" y="{y}" {size} rx="6" class="{self.look}"/>'
        for number, line in enumerate(self.lines, start=1):
            yield f'<text x="{self.x + 10}" y="{y + _PAD + number * _LINE - 5}">{escape(line)}</text>'


def as_svg(preview: RoutePreview) -> str:
    """Return the picture, a document of its own."""
    head = f"{preview.name}: {preview.description}" if preview.description else preview.name
    parts, y = [f'<text x="{_LEFT}" y="26" class="b">{escape(visible(head, _LONGEST))}</text>'], 44
    for step in preview.steps:
        drawn, height = _drawn(step, y)
        parts += drawn
        y += height + _GAP
        if step is not preview.steps[-1]:
            parts.append(_line(_LEFT + 40, y - _GAP, _LEFT + 40, y))
    size = f'width="{_WIDTH}" height="{y}" viewBox="0 0 {_WIDTH} {y}"'
    marker = '<marker id="a" markerWidth="8" markerHeight="8" refX="7" refY="4" orient="auto">'
    start = (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img"><title>{escape(visible(head, _LONGEST))}</title>'
        f'<style>{_STYLE}</style><defs>{marker}<path d="M0 0L8 4L0 8z" fill="#5b6875"/></marker></defs>'
        f'<rect width="{_WIDTH}" height="{y}" fill="#fff"/>'
    )
    return "\n".join([start, *parts, "</svg>"])


def _drawn(step: PreviewStep, y: int) -> tuple[list[str], int]:
    """Return a step with its ways, and how high that is."""
    parts, below = [], y
    for way in step.ways:
        when, to = _way_boxes(way)
        middle, end = below + _PAD + 5, _LEFT + _STEP_W
        if when.lines:
            parts += [*when.at(below), _line(end, middle, _WAY_X, middle)]
            end = _WAY_X + _WAY_W
        parts += [*to.at(below), _line(end, middle, to.x, middle)]
        below += max(when.height, to.height) + 6
    box = _Box(_LEFT, _STEP_W, _wrapped(step.title, _STEP_CHARS), "step")
    height = max(box.height, below - 6 - y)
    return [*box.at(y, height), *parts], height


def _way_boxes(way: WayOut) -> tuple[_Box, _Box]:
    name = f"{way.rule}: " if way.rule and way.rule != way.when else ""
    asleep = f"({way.asleep}) " if way.asleep else ""
    look = "way off" if way.asleep else "way"
    when = _wrapped(f"{asleep}{name}{way.when}", _WAY_CHARS) if way.when else []
    return _Box(_WAY_X, _WAY_W, when, look), _Box(_WAY_X + _WAY_W + 24, _TO_W, _wrapped(way.leads, _TO_CHARS), "to")


def _wrapped(text: str, width: int) -> list[str]:
    return wrap(visible(text, _LONGEST), width) or [""]


def _line(*ends: int) -> str:
    return '<path d="M{} {}L{} {}" class="line" marker-end="url(#a)"/>'.format(*ends)
