"""Whom and what a log or a trace names: numbers masked, unless the site wants them plain."""

from __future__ import annotations

from routing_engine.core.model import Caller, Destination
from routing_engine.core.numbers import mask_number


def shown_caller(caller: Caller, plain: bool) -> str:
    """Give what stands for the caller."""
    if caller.number is None:
        return "anonymous"
    return caller.number.e164 if plain else mask_number(caller.number.e164)


def shown_destination(found: Destination | None, plain: bool) -> str:
    """Give kind, target and priority; a number outside is masked like a caller's. "" where there is none."""
    if found is None:
        return ""
    outside = found.kind in ("external", "callback") and not plain
    priority = f", priority {found.priority}" if found.priority is not None else ""
    return f"{found.kind} {mask_number(found.target) if outside else found.target}{priority}"
