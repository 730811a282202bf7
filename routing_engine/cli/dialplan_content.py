"""Whether the dialplan in Asterisk is, step by step, the one that ships with this engine."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from importlib.resources import files
from typing import TypeAlias

from routing_engine.asterisk.ami_wire import AmiMessage

#: By context and extension: what each step does, in order, as `App(data)`.
Steps: TypeAlias = Mapping[tuple[str, str], list[str]]

_CONTEXT = re.compile(r"\[([^\]]+)\]")
_STEP = re.compile(r"(?:exten\s*=>?\s*(?P<exten>[^,]+),|same\s*=>?\s*)\s*(?:n|\d+)(?:\([^)]*\))?,(?P<does>.+)\Z")
_SHOWN_CONTEXT = re.compile(r"\[ Context '([^']+)' created by ")
#: `  's' =>  1. NoOp(x)  [file:12]`, and a further step with or without its label.
_SHOWN_STEP = re.compile(r"\s+(?:'(?P<exten>[^']+)'[^=]*=>|\[[^\]]+\])?\s*\d+\. (?P<does>.*?)(?:\s+\[[^\[\]]*\])?\s*\Z")


def shipped_steps() -> Steps:
    """Return what the dialplan that ships does."""
    return steps_of_file((files("routing_engine") / "starter/dialplan/routing-engine.conf").read_text(encoding="utf-8"))


def steps_of_file(text: str) -> Steps:
    """Read a file of Asterisk's dialplan, as far as ours uses its language."""
    found: dict[tuple[str, str], list[str]] = {}
    context = extension = ""
    for line in text.splitlines():
        # A comment begins with `;`, wherever; one that is meant is written `\\;`.
        line = re.split(r"(?<!\\);", line)[0].replace("\\;", ";").strip()
        if (heading := _CONTEXT.match(line)) is not None:
            context = heading[1]
        elif (step := _STEP.match(line)) is not None:
            extension = (step["exten"] or extension).strip()
            found.setdefault((context, extension), []).append(_plain(step["does"]))
    return found


def steps_shown(text: str) -> Steps:
    """Read what `dialplan show` prints."""
    found: dict[tuple[str, str], list[str]] = {}
    context = extension = ""
    for line in text.splitlines():
        if (heading := _SHOWN_CONTEXT.match(line)) is not None:
            context = heading[1]
        elif context and (step := _SHOWN_STEP.match(line)) is not None:
            extension = step["exten"] or extension
            found.setdefault((context, extension), []).append(_plain(step["does"]))
    return found


def steps_listed(events: Iterable[AmiMessage]) -> Steps:
    """Read the events that the manager interface answers `ShowDialPlan` with."""
    found: dict[tuple[str, str], list[str]] = {}
    for event in events:
        if "Application" in event:
            does = f"{event['Application']}({event.get('AppData', '')})"
            found.setdefault((event.get("Context", ""), event.get("Extension", "")), []).append(_plain(does))
    return found


def differences(ships: Steps, runs: Steps) -> Iterator[str]:
    """Yield what is not as it ships, a sentence for each extension; what is there beside it is the operator's own."""
    for (context, extension), wanted in ships.items():
        there = runs.get((context, extension))
        if there is None:
            yield f"[{context}] has no extension '{extension}'"
            continue
        wrong = next((place for place, does in enumerate(wanted) if there[place : place + 1] != [does]), None)
        if wrong is not None:
            runs_there = f"is {there[wrong]}" if wrong < len(there) else "is missing"
            yield f"[{context}] '{extension}', step {wrong + 1} {runs_there}, and ships as {wanted[wrong]}"
        elif len(there) > len(wanted):
            yield f"[{context}] '{extension}' has {len(there) - len(wanted)} more steps than ship"


def _plain(does: str) -> str:
    """Return a step as it is compared: `Hangup` and `Hangup()` are one, and spaces around do not count."""
    does = does.strip()
    return does if "(" in does else f"{does}()"
