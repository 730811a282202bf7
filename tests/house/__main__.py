"""Prints the bars of the house, or those of some folders or files with every place that breaks them.

python -m tests.house
python -m tests.house routing_engine/core rig
"""

from __future__ import annotations

import sys
from pathlib import Path

from .bars import Bar, Room, bars_of
from .source import TOP

ALL = ("routing_engine", "rig", "tests", ".")


def show(under: str, every_place: bool) -> int:
    """Print the bars of a folder, with every place that breaks one if wanted; return how many are broken."""
    room = Room.at(under)
    print(f"\n{under}: {len(room.files)} Python files")
    return sum(_show_bar(bar, room, every_place) for bar in bars_of(under))


def _show_bar(bar: Bar, room: Room, every_place: bool) -> bool:
    found = bar.measure(room)
    number = f"{found:.1f}" if isinstance(found, float) else str(found)
    broken = not bar.allows(found)
    sign = ">=" if bar.least else "<="
    print(f"{'BROKEN' if broken else 'kept  '}  {bar.name:48} {number:>6}  {sign} {bar.limit}")
    if broken and every_place:
        print(*(f"      {place}" for place in bar.places(room)), sep="\n")
    return broken


def main(wanted: list[str]) -> int:
    """Print what was asked for; return 1 when a bar is broken."""
    if any(not (TOP / under).exists() for under in wanted):
        print(__doc__)
        return 2
    names = [str(Path(under).resolve().relative_to(TOP)) if under != "." else under for under in wanted]
    return 1 if sum(show(under, bool(names)) for under in names or ALL) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
