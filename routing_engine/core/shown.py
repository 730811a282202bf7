"""Whom and what a log or a trace names: numbers masked, unless the site wants them plain."""

from __future__ import annotations

from routing_engine.core.model import Caller
from routing_engine.core.phone import mask_number

#: A caller's number with fewer digits is an extension: it stands in too many other texts to be masked in them.
_SHORTEST = 7


def shown_caller(caller: Caller, plain: bool) -> str:
    """Return what stands for the caller."""
    if caller.number is None:
        return "anonymous"
    return caller.number.e164 if plain else mask_number(caller.number.e164)


def hide_number(text: str, caller: Caller, plain: bool) -> str:
    """Mask the caller's number wherever a text repeats it: a near miss, a refused target."""
    if plain or caller.number is None:
        return text
    number = caller.number
    spellings = {number.received, number.digits, number.e164, number.national, number.e164.lstrip("+")}
    for spelling in sorted(spellings, key=len, reverse=True):
        text = text.replace(spelling, mask_number(spelling)) if len(spelling) >= _SHORTEST else text
    return text
