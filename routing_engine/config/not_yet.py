"""What the route language promises and this version cannot do yet: refused honestly, not as unknown."""

from __future__ import annotations

from collections.abc import Mapping

from routing_engine.settings.yaml_reader import Section

#: `place: word` -> what to do meanwhile. What a version learns to do loses its row here.
LATER: Mapping[str, str] = {
    "listeners: ari": "let the dialplan call the engine over fastagi",
    "listeners: http": "let the dialplan call the engine over fastagi",
}


def later(place: str, word: str) -> tuple[str, str] | None:
    """Return sentence and remedy for a word of the contract that is not done yet; None for any other."""
    remedy = LATER.get(f"{place}: {word}")
    if remedy is None:
        return None
    return f"'{word}' is part of the route language, but this version cannot do it yet", remedy


def refuse_later(section: Section, place: str) -> None:
    """Take every key of a section that is not done yet, and note it."""
    for name in section.names():
        found = later(place, name)
        if found:
            section.take(name)
            section.note(name, *found)
