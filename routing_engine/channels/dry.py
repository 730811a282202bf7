"""A call that nobody hears: the channel of `run-test` and of examples. Inputs are given beforehand, what is played is
remembered.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Literal, TypeAlias

from routing_engine.core.asks import Collect, Play, Typed
from routing_engine.core.check_digits import keys_of, why_invalid
from routing_engine.core.model import Caller, Filler, Input, Operand, Sound, Value
from routing_engine.errors import ChannelError

#: Tells whether a sound, by its name, lies on this machine in a language.
IsHere: TypeAlias = Callable[[str, str], bool]


class DryChannel:
    """Keeps the port `core.ports.Channel`.

    `inputs` are the keys that are pressed at each try, "" is silence, and so is every try behind the last of them.
    `states` are what is live; of `variables` the route gets those that it reads. `is_here`
    tells which sounds there are; without it nobody asks.
    """

    def __init__(
        self,
        caller: Caller,
        inputs: Sequence[str],
        variables: Mapping[str, str],
        states: Mapping[Operand, Value] | None = None,
        is_here: IsHere | None = None,
    ) -> None:
        self.caller = caller
        self.played: list[str] = []
        self.handed_back: list[tuple[str, str]] = []
        self._inputs = iter(inputs)  # one for each try, of whatever input: the next input takes the next of them
        self._stray = ""
        self._variables = variables
        self._states = states or {}
        self._is_here = is_here

    @property
    def lost(self) -> ChannelError | None:
        """A dry run cannot break off."""
        return None

    async def begin(self, longest_s: float, language: str, variables: Sequence[str]) -> Caller:
        """Return the caller with the variables that the test names. The route's language goes before the channel's."""
        found = {name: self._variables.get(name, "") for name in variables}
        self.caller = replace(self.caller, language=language or self.caller.language, variables=found)
        return self.caller

    async def expect(self, longest_s: float) -> None:
        """Nobody waits for us."""

    async def answer(self, how: Literal["before_prompts", "early_media", "never"]) -> None:
        """Nobody is there to hear."""

    async def play(self, ask: Play) -> Typed:
        """Remember what would be played."""
        self.played += map(str, ask.sounds)
        return Typed(unsure=self._unsure(ask.sounds))

    async def collect(self, ask: Collect) -> Typed:
        """Return the next input, up to its terminator, or as soon as it is valid where the input says so."""
        one, typed = ask.input, ask.typed + self._press(ask)
        if one.terminator:
            typed = typed.split(one.terminator, 1)[0]  # keys behind it are of no try
        typed = _earliest(one, typed) if one.accept_early else typed
        full = len(typed) >= one.max or (one.accept_early and not why_invalid(one, typed))
        self._stray = one.terminator if full else ""
        return Typed(typed, unsure=self._unsure(ask.prompt))

    def _unsure(self, sounds: Sequence[Sound]) -> tuple[str, ...]:
        names = (one for one in sounds if isinstance(one, str))
        return tuple(one for one in names if self._is_here is not None and not self._is_here(one, self.caller.language))

    def _press(self, ask: Collect) -> str:
        self.played += map(str, ask.prompt)
        keys = keys_of(next(self._inputs, ""))
        # The terminator of an input that did not wait for it has cut this prompt, which is played again: as in AGI.
        stray, self._stray = self._stray, ""
        return self._press(ask) if stray and keys[:1] == stray else keys

    async def switch(self, language: str) -> None:
        """Remember the language."""
        self.caller = replace(self.caller, language=language)

    async def observe(self, lefts: Sequence[Operand]) -> Mapping[Operand, Value]:
        """Return the states that the test names, of those that Asterisk could tell."""
        return {left: self._states[left] for left in lefts if left in self._states and self._can_be_told(left)}

    def _can_be_told(self, left: Operand) -> bool:
        # Whom somebody spoke to is kept by number: of a hidden caller nothing is known.
        return left.scope != "last_agent" or self.caller.number is not None

    async def fill(self, filler: Filler | None) -> bool:
        """Return False: nobody is there to hear."""
        return False

    async def hand_back(self, variables: Sequence[tuple[str, str]]) -> None:
        """Remember the variables that the dialplan would get."""
        self.handed_back = list(variables)


def _earliest(one: Input, typed: str) -> str:
    """Return the digits after which a live call would go on."""
    starts = (typed[:count] for count in range(1, len(typed) + 1))
    return next((start for start in starts if not why_invalid(one, start)), typed)
