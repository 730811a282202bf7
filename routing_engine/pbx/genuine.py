"""Which events Asterisk wrote itself: whoever calls may write some, too.

A SIP address may hold line breaks (`sip:+43%0D%0AEvent...@host`). Asterisk 22 writes the number of a caller, and an
extension, into its events as they are: whole events of a stranger come over the connection, and fields within others
(tests/pbx/test_genuine.py has one). So the engine gives each PBX a mark that nobody outside can know: a global variable
with a random value, which `channelvars` of manager.conf names first. Asterisk then writes it behind the ids of every
channel. An event without it is not believed, and the ids are read from where they stand: right before it. Where the
last of `channelvars` is the mark once more, nothing can be written behind a variable either (a dialplan may set
FROM_DID from whatever was dialled): between the two marks of a channel only variables count.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import TypeAlias

from routing_engine.asterisk.ami import AmiClient
from routing_engine.asterisk.ami_wire import AmiMessage
from routing_engine.pbx.ami_events import EVENTS, MARK

_VARIABLE = "ChanVariable"
#: Ids that stand without the channel, which is another one's or none.
_OF_NO_CHANNEL = ("BridgeUniqueid", "SwapUniqueid")
#: What Asterisk writes of a channel before its ids, in this order (main/manager_channels.c, since Asterisk 13).
_BEFORE_IDS = (
    *("Channel", "ChannelState", "ChannelStateDesc", "CallerIDNum", "CallerIDName", "ConnectedLineNum"),
    *("ConnectedLineName", "Language", "AccountCode", "Context", "Exten", "Priority"),
)
_ENTRIES = frozenset({"CoreShowChannel", "Status"})
_Lines: TypeAlias = Sequence[tuple[str, str]]


class GenuineEvents:
    """Tells what Asterisk wrote from what was written into it. `armed` once a marked event has come."""

    def __init__(self) -> None:
        self._written = ""
        self.armed = False
        #: Whether the mark stands at the end as well: then an event that has been cut off in between is known.
        self.closed = False
        #: Channels of before the mark: events may show them as they were.
        self.older: frozenset[str] = frozenset()

    async def agree(self, client: AmiClient) -> bool:
        """Ask the PBX for its mark, and give it one where it has none; return whether it is another one than before.

        Raises what `AmiClient.action` raises: without the right to do so all events are believed.
        """
        value = (await client.action("Getvar", Variable=MARK))[0].get("Value", "")
        if not value:
            value = secrets.token_hex(8)
            await client.action("Setvar", Variable=MARK, Value=value)
        written = f"{MARK}={value}"
        changed, self._written = written != self._written, written
        # Its place is learnt anew: `channelvars` may have been written otherwise.
        self.armed, self.closed = self.armed and not changed, False
        return changed

    def read(self, message: AmiMessage) -> AmiMessage | None:
        """Return an event as Asterisk wrote it; None for one that it did not write.

        Before a marked event came nothing is known of the PBX's `channelvars`, and everything is believed.
        """
        return message if message.get("Event") not in EVENTS else self._read(message, self.older)

    def entry(self, message: AmiMessage, listed_anew: bool) -> AmiMessage | None:
        """Return an entry of a list of channels as Asterisk wrote it; None for one that somebody has written into.

        Right after a new mark, `listed_anew`, there are channels of before it, and nobody knows yet which.
        """
        if message.get("Event") not in _ENTRIES or listed_anew:
            return message
        return self._read(message, self.older)

    def _read(self, message: AmiMessage, older: frozenset[str]) -> AmiMessage | None:
        if not self._written:
            return message
        lines = message.lines
        # From the last to the first: what is taken out of one channel moves nothing of those before it.
        for first, last in reversed(self._runs(lines)):
            between = [line for line in lines[first:last] if line[0] == lines[first][0]]
            lines = lines if len(between) == last - first else [*lines[:first], *between, *lines[last:]]
        runs = self._runs(lines)
        self.armed = self.armed or bool(runs)
        self.closed = self.closed or any(first != last for first, last in runs)
        if not self.armed:
            return message
        ids = (name for name, _ in lines if name.endswith("Uniqueid") and not name.endswith(_OF_NO_CHANNEL))
        shown = {name.removesuffix("Uniqueid") for name in ids}
        well = {lines[first][0].removesuffix(_VARIABLE) for first, last in runs if first != last or not self.closed}
        if any(message.get(f"{of}Uniqueid") not in older for of in shown - well):
            return None
        for after, (first, _) in reversed([*zip([-1, *(last for _, last in runs)], runs, strict=False)]):
            whole = _whole(lines, after + 1, first)
            if whole is None:
                return None
            lines = whole
        return message if lines is message.lines else AmiMessage(lines)

    def _runs(self, lines: _Lines) -> list[tuple[int, int]]:
        """Return where the first and the last mark of each channel stand; the same place where there is one alone."""
        found: dict[str, tuple[int, int]] = {}
        for at, (name, value) in enumerate(lines):
            if value == self._written and name.endswith(_VARIABLE):
                found[name] = found.get(name, (at, at))[0], at
        return sorted(found.values())


def _whole(lines: _Lines, begin: int, mark_at: int) -> _Lines | None:
    """Return the lines without what somebody wrote between those of a channel; None when its ids are not there."""
    of, ids_at = lines[mark_at][0].removesuffix(_VARIABLE), mark_at - 2
    if ids_at < begin or [name for name, _ in lines[ids_at:mark_at]] != [f"{of}Uniqueid", f"{of}Linkedid"]:
        return None
    start = next((at for at in range(begin, ids_at) if lines[at][0] == f"{of}Channel"), ids_at)
    if ids_at - start == len(_BEFORE_IDS):
        return lines
    wanted = {of + name for name in _BEFORE_IDS}
    return [*lines[:start], *(line for line in lines[start:ids_at] if line[0] in wanted), *lines[ids_at:]]
