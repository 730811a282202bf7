"""What a caller hears while a system is asked, over FastAGI; the keys that he presses meanwhile are kept.

Asterisk loses keys that are pressed while no command runs, so one always does. The next command line cuts it in the
same moment, and what was cut may answer or not: its end is found by the answer of a command that we know.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from routing_engine.channels.agi.wire import Reply, command, key_of
from routing_engine.core.check_digits import KEYS
from routing_engine.core.model import RINGS, Filler
from routing_engine.errors import ChannelError

#: A sound that is over sooner is not played again: it is empty, or whoever answers is not Asterisk.
_SHORTEST_S = 0.1
#: Asterisk may have read two lines at once; it then sees the second only when a third one comes.
_NUDGE_S = 0.1


class FillerSession(Protocol):
    """The connection of one call, as far as a filler needs it."""

    def send(self, line: bytes) -> None:
        """Send one command line."""

    async def reply(self) -> Reply:
        """Return the next reply."""

    def hurry(self) -> None:
        """Let two replies to come arrive one behind the other at once."""


class AgiFiller:
    """One filled wait, from `begin` to `end`. `names` are those of a sound, to be tried in turn.

    On a call that is not `audible` nobody hears us or presses keys: it just rings.
    """

    def __init__(
        self,
        session: FillerSession,
        ask: Callable[..., Awaitable[Reply]],
        filler: Filler,
        names: Sequence[str],
        audible: bool,
    ) -> None:
        self._session, self._ask, self._filler, self._names, self._audible = session, ask, filler, names, audible
        self._keys = ""
        self._task: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        """Let the caller hear it, and listen for keys."""
        if self._filler.kind == "music":
            await self._ask("SET MUSIC", "ON", self._filler.name)
        elif self._filler.kind == "ringing" or (self._filler.name == RINGS and not self._audible):
            # On a call that is not up this is the signalling's own ringing, otherwise a tone like Playtones'.
            await self._ask("EXEC", *(("Playtones", "ring") if self._audible else ("Ringing", "")))
        if self._audible:
            self._task = asyncio.get_running_loop().create_task(self._listen())
            await asyncio.sleep(0)  # its first command goes out now

    async def end(self) -> str:
        """Stop it at once; give the keys that were pressed."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            await self._cut()
        if self._filler.kind == "music":
            await self._ask("SET MUSIC", "OFF")
        elif self._filler.kind == "ringing" and self._audible:
            await self._ask("EXEC", "StopPlaytones", "")
        return self._keys

    async def _listen(self) -> None:
        with contextlib.suppress(ChannelError):  # whoever ends this meets it too
            for name in self._names if self._filler.kind == "sound" else ():
                await self._repeat(name)
            while key := key_of((await self._ask("WAIT FOR DIGIT", "-1")).result):
                self._keys += key

    async def _repeat(self, name: str) -> None:
        """Play a sound over and over, after a key from where that has cut it. Returns when there is no such sound."""
        loop, offset = asyncio.get_running_loop(), "0"
        while True:
            began = loop.time()
            reply = await self._ask("STREAM FILE", name, KEYS, *([offset] if offset != "0" else []))
            key = key_of(reply.result)
            self._keys += key
            if not key and (reply.result == "-1" or (offset == "0" and loop.time() - began < _SHORTEST_S)):
                return
            offset = reply.rest.removeprefix("endpos=") if key else "0"

    async def _cut(self) -> None:
        """Cut the command that runs, and read on to the answer of one that we know."""
        for number in range(1, 1000):  # the call's time limit ends it sooner
            last = f"CUT-{number}"
            self._session.send(command("GET FULL VARIABLE", last))
            self._session.hurry()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_NUDGE_S * number):
                    while (reply := await self._session.reply()).value != last:
                        self._keys += key_of(reply.result)
                return
