"""What a call does, with its moments: the ports `Channel` and `Lookup` over others that do the work.

Stands there only while traces are made. Texts are left out on purpose: what was played, typed, searched for or found
may hold a number, a PIN or a name, and a trace leaves the house.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from routing_engine.core.asks import Collect, Find, Found, Play, SourceDown, Typed
from routing_engine.core.model import Caller, Filler, Operand, Value
from routing_engine.core.ports import Channel, Lookup
from routing_engine.errors import ChannelError

Attribute: TypeAlias = str | int | float | bool


@dataclass(slots=True)
class Moment:
    """Something that took time, in nanoseconds since 1970; `ended_ns` 0 goes on. `fault` "" is none."""

    name: str
    attributes: dict[str, Attribute]
    asks: bool = False
    fault: str = ""
    began_ns: int = field(default_factory=time.time_ns)
    ended_ns: int = 0

    def end(self, **attributes: Attribute) -> None:
        """Note that it is over."""
        self.ended_ns = time.time_ns()
        self.attributes.update(attributes)


class TracedLookup:
    """Keeps the port `Lookup`."""

    def __init__(self, lookup: Lookup, moments: list[Moment]) -> None:
        self._lookup, self._moments = lookup, moments

    async def find(self, ask: Find, left_s: float) -> Found | SourceDown:
        """Return what the other gives."""
        source = ask.source
        about: dict[str, Attribute] = {"source": source.name, "model": source.model, "early": ask.early}
        about["integration"] = source.integration
        moment = Moment(f"look up {source.integration}", about, asks=True)
        self._moments.append(moment)
        try:
            answer = await self._lookup.find(ask, left_s)
        except asyncio.CancelledError:
            # The caller has gone, or the look-up was begun ahead and its turn never came.
            moment.end(outcome="dropped")
            raise
        if isinstance(answer, SourceDown):
            moment.fault = answer.why
            moment.end(outcome="down" if answer.asked else "skipped")
        else:
            origin = answer.records[0].origin if answer.records else "live"
            moment.end(outcome="found" if answer.records else "none", records=len(answer.records), origin=origin)
        return answer


class TracedChannel:
    """Keeps the port `Channel`. What is done in a moment has no moment: one round trip to Asterisk."""

    def __init__(self, channel: Channel, moments: list[Moment]) -> None:
        self._channel, self._moments = channel, moments
        self._filling: Moment | None = None

    @property
    def caller(self) -> Caller:
        """The other's."""
        return self._channel.caller

    # The port has an attribute: who sets the caller's means the channel that knows him.
    @caller.setter
    def caller(self, caller: Caller) -> None:
        self._channel.caller = caller

    @property
    def lost(self) -> ChannelError | None:
        """The other's."""
        return self._channel.lost

    async def begin(self, longest_s: float, language: str, variables: Sequence[str]) -> Caller:
        """Do what the other does."""
        return await self._channel.begin(longest_s, language, variables)

    async def expect(self, longest_s: float) -> None:
        """Do what the other does."""
        await self._channel.expect(longest_s)

    async def answer(self, how: Literal["before_prompts", "early_media", "never"]) -> None:
        """Do what the other does."""
        await self._channel.answer(how)

    async def play(self, ask: Play) -> Typed:
        """Play, as a moment."""
        moment = self._begin("play", {"sounds": len(ask.sounds)})
        typed = await self._channel.play(ask)
        moment.end(missing=len(typed.missing), ended_by_key=bool(typed.digits))
        return typed

    async def collect(self, ask: Collect) -> Typed:
        """Ask for digits, as a moment."""
        moment = self._begin("collect", {"input": ask.input.name, "sounds": len(ask.prompt)})
        typed = await self._channel.collect(ask)
        moment.end(missing=len(typed.missing), typed=bool(typed.digits))
        return typed

    async def switch(self, language: str) -> None:
        """Do what the other does."""
        await self._channel.switch(language)

    async def observe(self, lefts: Sequence[Operand]) -> Mapping[Operand, Value]:
        """Ask for live state, as a moment."""
        moment = self._begin("observe", {"values": len(lefts)})
        values = await self._channel.observe(lefts)
        moment.end(known=len(values))
        return values

    async def fill(self, filler: Filler | None) -> bool:
        """Fill a look-up, as a moment from its begin to its end."""
        # The steps of a filler replace one another: keys are kept before anything is heard.
        if self._filling is not None:
            self._filling.end()
            self._filling = None
        if filler is not None and filler.kind != "none":
            self._filling = self._begin("fill", {"kind": filler.kind})
        return await self._channel.fill(filler)

    async def hand_back(self, variables: Sequence[tuple[str, str]]) -> None:
        """Hand back, as a moment."""
        moment = self._begin("hand back", {})
        await self._channel.hand_back(variables)
        moment.end()

    def _begin(self, name: str, attributes: dict[str, Attribute]) -> Moment:
        moment = Moment(name, attributes)
        self._moments.append(moment)
        return moment
