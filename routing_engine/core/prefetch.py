"""What may be asked before its turn, so that a look-up hides behind a greeting.

By default only what is sure to be asked: then no request is ever sent that the strict order would not send.
"""

from __future__ import annotations

from collections.abc import Iterator

from routing_engine.core.asks import Find, Prefetch
from routing_engine.core.model import Source
from routing_engine.core.state import CallState, Conversation
from routing_engine.core.templates import render

#: However many sources a route has: no more requests than that are sent before their turn at one moment.
MAX_AHEAD = 4


def find_of(state: CallState, source: Source) -> Find | None:
    """Return the look-up of a source; None when it cannot be asked with what is known now."""
    if source.by_caller and state.caller.number is None:
        return None
    look = state.facts().value_of
    if any(operand.scope == "input" and not look(operand) for operand in source.by.operands):
        return None
    value = render(source.by, look)
    return Find(source, value, state.caller.number) if value else None


def prefetch_before_prompts(state: CallState) -> Conversation[None]:
    """Begin look-ups before the first prompt.

    Certain is only the first source, and only where nothing can end the call before it.
    """
    route = state.route
    if not route.sources or not (route.instruction or route.inputs):
        return
    sources: tuple[Source, ...] = route.sources if route.look_ahead == "all" else route.sources[:1]
    if route.look_ahead == "certain" and (route.inputs or len(route.rules) > route.early):
        return
    yield from _begin(state, sources)


def prefetch_before_turn(state: CallState, turn: int) -> Conversation[None]:
    """Begin look-ups beside the source whose turn it is."""
    route = state.route
    if route.look_ahead == "next":
        yield from _begin(state, route.sources[turn + 1 : turn + 2])
    elif route.look_ahead == "all" and turn == 0:
        yield from _begin(state, route.sources[1:])


def _begin(state: CallState, sources: tuple[Source, ...]) -> Conversation[None]:
    finds = tuple(_finds(state, sources))[:MAX_AHEAD]
    if finds:
        yield Prefetch(finds)


def _finds(state: CallState, sources: tuple[Source, ...]) -> Iterator[Find]:
    return (find for source in sources if (find := find_of(state, source)) is not None)
