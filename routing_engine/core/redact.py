"""What of a text may be shown: numbers masked, sensitive digits taken out, nothing that a terminal or a log obeys.

This is the one place that decides it, for logs, traces, the trail, the journal, commands and synthesisers. What
Asterisk would evaluate is taken out in `destinations.clean_value`, which knows what that is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from routing_engine.core.model import Caller, Decision, Record, Sound, TrailStep
from routing_engine.core.phone import Number
from routing_engine.core.templates import as_text

_CONTROLS = r"\x00-\x1f\x7f-\x9f"
_HALVES = r"\ud800-\udfff"
#: Control characters (a terminal obeys them), line ends, what turns the direction of writing (a name could pass for
#: another), marks of byte order, halves of characters (which no encoding takes).
_UNSEEN = re.compile(rf"[{_CONTROLS}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff{_HALVES}]")
_BLANKS = re.compile(rf"[\s{_UNSEEN.pattern[1:-1]}]+")

# A record's text keeps the marks of Arabic and Hebrew: rules compare it, and people wrote them on purpose.
_BREAKS = re.compile(r"[\t\n\v\f\r\x1c-\x1f\x85\u2028\u2029]+")
_OTHER_CONTROLS = re.compile(rf"[{_CONTROLS}\u202a-\u202e\u2066-\u2069]+")
_HALF = re.compile(f"[{_HALVES}]")

MASK = "***"
#: Fewer digits of a secret than these say nothing about it.
_TELLING = 3
#: A caller's number with fewer digits is an extension: it stands in too many other texts to be masked in them.
_SHORTEST_NUMBER = 7


# ------------------------------------------------------------------------------------------------------- texts


def visible(text: str, longest: int = 0) -> str:
    """Return a text that cannot do anything to a terminal or a log: each character that could becomes a space.

    What is longer than `longest` ends in `...`; 0 leaves the length as it is.
    """
    if longest and len(text) > longest:
        text = text[: longest - 3] + "..."
    return text if text.isprintable() else _UNSEEN.sub(" ", text)


#: A line that is a number and nothing else, and the break behind it, before another one.
_NUMBER_LINE = r"(?:tel:)?[ \t]*[+(]?[0-9](?:[ \t]*[0-9()/.+\-]){4,40}[ \t]*"
_BETWEEN_NUMBERS = re.compile(
    rf"(?:(?<=\A)|(?<=[\r\n\v\f\x85\u2028\u2029]))({_NUMBER_LINE})[\r\n\v\f\x85\u2028\u2029]+(?={_NUMBER_LINE}(?:[\r\n\v\f\x85\u2028\u2029]|\Z))",
    re.ASCII,
)


def escaped(text: str) -> str:
    """Return JSON in which whatever a terminal would obey is written as its escape; line ends stay."""
    return _UNSEEN.sub(lambda found: found[0] if found[0] == "\n" else f"\\u{ord(found[0]):04x}", text)


def one_line(text: str) -> str:
    """Return a text as one line that can be said or shown: white space and what nobody sees become single spaces."""
    return _BLANKS.sub(" ", text).strip()


def clean_text(text: str) -> str:
    """Return a record's text as every log, terminal and protocol can carry it; spaces around it stay, for rules.

    Line breaks and tabs become one space, but `; ` between two numbers: one field may hold several, each on a line of
    its own, and they must not become one. Other control characters (NUL, and those that turn the direction of writing)
    vanish, half a surrogate pair becomes U+FFFD.
    """
    if text.isprintable():
        return text
    text = _BETWEEN_NUMBERS.sub(r"\1; ", text)
    return _HALF.sub("\ufffd", _OTHER_CONTROLS.sub("", _BREAKS.sub(" ", text)))


# ----------------------------------------------------------------------------------------------------- numbers


def mask_number(text: str) -> str:
    """Return a number for a log line: the last three digits stay, `...567`; short ones vanish whole."""
    return "..." + text[-3:] if len(text) > 5 else "..."


def mask_digits(text: str) -> str:
    """Return a text that may hold a number, its digits but the last three as `#`, so that its form shows."""
    hidden = max(0, sum(map(str.isdigit, text)) - 3)
    return re.sub(r"\d", "#", text, count=hidden) if hidden else text


def shown_caller(caller: Caller, plain: bool) -> str:
    """Return what stands for the caller; with `plain` the number itself."""
    if caller.number is None:
        return "anonymous"
    return caller.number.e164 if plain else mask_number(caller.number.e164)


def hide_number(text: str, caller: Caller, plain: bool) -> str:
    """Mask the caller's number wherever a text repeats it: a near miss, a refused target."""
    if plain or caller.number is None:
        return text
    for spelling in _spellings(caller.number):
        if spelling in text:
            text = text.replace(spelling, mask_number(spelling))
    return text


@lru_cache(maxsize=4096)
def _spellings(number: Number) -> Sequence[str]:
    """Return the spellings of a number that are long enough to be masked, the longest first."""
    every = {number.received, number.digits, number.e164, number.national, number.e164.lstrip("+")}
    return sorted([one for one in every if len(one) >= _SHORTEST_NUMBER], key=len, reverse=True)


# ------------------------------------------------------------------------------------------- sensitive digits


def mask_secrets(decision: Decision, trail: Sequence[TrailStep], secrets: Sequence[str]) -> Decision:
    """Return a decision with its trail, sensitive digits masked wherever trail, record or prompts repeat them."""
    if not secrets and len(trail) == len(decision.trail):  # a trail only grows: it is this one
        return decision
    steps, play, record = tuple(trail), decision.play, decision.record
    for secret in sorted(secrets, key=len, reverse=True):  # the longest first: a shorter one may be part of it
        steps = tuple(_mask_step(step, secret) for step in steps)
        play = tuple(_mask_sound(sound, secret) for sound in play)
        record = _mask_record(record, secret)
    return replace(decision, trail=steps, play=play, record=record)


def _mask_step(step: TrailStep, secret: str) -> TrailStep:
    return replace(step, step=_masked(step.step, secret), outcome=_masked(step.outcome, secret))


def _masked(text: str, secret: str) -> str:
    """Mask a secret, also where a long text was cut within it."""
    text = text.replace(secret, MASK)
    for shown in range(len(secret) - 1, _TELLING - 1, -1) if "..." in text else ():
        text = text.replace(secret[:shown] + "...", MASK + "...")
    return text


def _mask_sound(sound: Sound, secret: str) -> Sound:
    """What was played has been played; this is what a log or a dry run shows of it."""
    if isinstance(sound, str):
        return sound.replace(secret, MASK)
    return replace(sound, text=sound.text.replace(secret, MASK))


def _mask_record(record: Record | None, secret: str) -> Record | None:
    if record is None:
        return None
    fields = {name: MASK if secret in as_text(value) else value for name, value in record.fields.items()}
    url = "" if secret in record.url else record.url
    return replace(record, fields=fields, url=url, id=MASK if secret in record.id else record.id)
