"""The peers' configuration, read once, and its examples played so that all that was asked can be looked at."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from routing_engine.channels.dry import DryChannel
from routing_engine.config.examples import Example
from routing_engine.config.load import Configuration, read_configuration
from routing_engine.core.asks import Ask, Collect, Find, Found, Observe, Play, Prefetch, SourceDown, Switch, Typed
from routing_engine.core.model import Operand, Value
from routing_engine.core.ports import Lookup
from routing_engine.engine import new_call
from routing_engine.providers.registry import PROVIDERS, Readers
from routing_engine.rehearsal import CannedLookup, caller_of, example_call
from tests.core.build import Told

CONFIG = Path(__file__).parent / "config"


@cache
def configuration() -> Configuration:
    """The whole folder, as the engine reads it."""
    return read_configuration(CONFIG, Readers(PROVIDERS, CONFIG), {"ERP_KEY": "secret"}.get)


def example(route: str, name: str) -> Example:
    """One example of a route."""
    (found,) = (one for one in configuration().examples[route] if one.name == name)
    return found


def play(route: str, name: str, ahead: str = "") -> Told:
    """Play an example as every call is driven; `ahead` is typed while the instruction plays."""
    found, call, asks = configuration(), example_call(route, example(route, name)), list[Ask]()
    channel = Overheard(asks, ahead, caller_of(found.settings, call), call.inputs, call.variables, call.states)
    lookup = OverheardLookup(asks, CannedLookup(found, call.records or {}, call.origin, call.age_s))
    decision = asyncio.run(new_call(channel, lookup, found, _raise).run(route))
    return Told(decision, asks)


def _raise(error: Exception) -> None:
    raise error


class Overheard(DryChannel):
    """The channel of examples; it notes what it was asked, and a key may be pressed while the instruction plays."""

    def __init__(self, asks: list[Ask], ahead: str, *given: object) -> None:
        super().__init__(*given)  # type: ignore[arg-type]
        self._asks, self._ahead = asks, ahead

    async def play(self, ask: Play) -> Typed:
        await asyncio.sleep(0)  # as a sound does, which lasts: what was begun ahead of it is on its way
        self._asks.append(ask)
        await super().play(ask)
        digits, self._ahead = (self._ahead, "") if ask.barge_in else ("", self._ahead)
        return Typed(digits)

    async def collect(self, ask: Collect) -> Typed:
        self._asks.append(ask)
        return await super().collect(ask)

    async def switch(self, language: str) -> None:
        self._asks.append(Switch(language))
        await super().switch(language)

    async def observe(self, lefts: Sequence[Operand]) -> Mapping[Operand, Value]:
        self._asks.append(Observe(tuple(lefts)))
        return await super().observe(lefts)


class OverheardLookup:
    """Keeps the port `Lookup`: notes what is searched, and what is searched before its turn."""

    def __init__(self, asks: list[Ask], lookup: Lookup) -> None:
        self._asks, self._lookup = asks, lookup

    async def find(self, ask: Find, left_s: float) -> Found | SourceDown:
        self._asks.append(Prefetch((ask,)) if ask.early else ask)
        await asyncio.sleep(0)
        return await self._lookup.find(ask, left_s)
