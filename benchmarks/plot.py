"""Bars as SVG, for the documentation: no library, as a picture of ten rectangles needs none."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

_ROW, _LEFT, _RIGHT, _WIDTH = 26, 230, 110, 760
_TEXT = 'font-family="sans-serif" font-size="13"'


def bars(title: str, rows: Sequence[tuple[str, float]], unit: str, ours: str = "") -> str:
    """Return a picture of one bar for each row; those whose name begins with `ours` stand out."""
    most = max(value for _, value in rows) or 1.0
    height = _ROW * (len(rows) + 1) + 16
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" role="img">',
        f"<title>{escape(title)}</title>",
        # A page may be dark: the picture brings its own ground.
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="8" y="20" {_TEXT} font-weight="bold">{escape(title)}</text>',
    ]
    for number, (name, value) in enumerate(rows, start=1):
        y, wide = number * _ROW + 8, value / most * (_WIDTH - _LEFT - _RIGHT)
        colour = "#1f6feb" if ours and name.startswith(ours) else "#8b949e"
        lines += [
            f'<text x="{_LEFT - 8}" y="{y + 15}" {_TEXT} text-anchor="end">{escape(name)}</text>',
            f'<rect x="{_LEFT}" y="{y + 2}" width="{wide:.1f}" height="{_ROW - 8}" fill="{colour}"/>',
            f'<text x="{_LEFT + wide + 6:.1f}" y="{y + 15}" {_TEXT}>{value:,.0f} {escape(unit)}</text>',
        ]
    return "\n".join([*lines, "</svg>", ""])
