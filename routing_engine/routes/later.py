"""What the route language promises and this version cannot do yet: refused honestly, not as unknown."""

from __future__ import annotations

from collections.abc import Mapping

from routing_engine.marked import Section

#: `place: word` -> what to do meanwhile. What a version learns to do loses its row here.
LATER: Mapping[str, str] = {
    "engine: calendars": "compare call.weekday and call.time meanwhile",
    "engine: lists": "compare call.caller with one_of meanwhile",
    "engine: look_ahead": "leave it out: sources that are sure to be asked start early",
    "defaults: look_ahead": "leave it out: sources that are sure to be asked start early",
    "listeners: ari": "let the dialplan call the engine over fastagi",
    "listeners: http": "let the dialplan call the engine over fastagi",
    "listeners: metrics": "read the log meanwhile: one line for each call",
    "route: inputs": "ask for one 'input'",
    "route: look_ahead": "leave it out: sources that are sure to be asked start early",
    "route: until": "remove it",
    "source: look_ahead": "leave it out: sources that are sure to be asked start early",
    "source: until": "remove it",
    "rule: until": "compare call.date in 'when' meanwhile",
    "when_many: ask": "write first, newest by FIELD, or {play, to}",
    "to: a list": "write one destination, with 'else' for a target that is empty or refused",
    "to: ring_s": "set the ringing time in the dialplan",
    "left: list.": "compare call.caller with one_of meanwhile",
    "left: data.": "remove the condition",
    "left: device.": "let the dialplan look at the device's state",
    "left: queue.": "let the dialplan look at the queue",
    "left: share": "remove the condition",
    "left: call.calendar": "compare call.weekday and call.time meanwhile",
    "left: call.attestation": "let the dialplan set a variable and compare call.variable.NAME",
}


def later(place: str, word: str) -> tuple[str, str] | None:
    """Give sentence and remedy for a word of the contract that is not done yet; None for any other."""
    remedy = LATER.get(f"{place}: {word}")
    if remedy is None:
        return None
    return f"'{word}' is part of the route language, but this version cannot do it yet", remedy


def later_left(text: str) -> tuple[str, str] | None:
    """Give sentence and remedy for a left side that is not done yet: `list.NAME`, `share`, `call.calendar`."""
    room, dot, rest = text.partition(".")
    word = ".".join((room, rest.split(".")[0])) if room == "call" else room + dot
    found = later("left", word)
    return found and (found[0].replace(f"'{word}'", f"'{text}'"), found[1])


def refuse_later(section: Section, place: str) -> None:
    """Take every key of a section that is not done yet, and note it."""
    for name in section.names():
        found = later(place, name)
        if found:
            section.take(name)
            section.note(name, *found)
