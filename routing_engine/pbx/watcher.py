"""One PBX, followed: events as they come, a list of its channels when some are missing, its history for what is over.

Reading never waits for anybody: who hears must not take longer than a note. A client that stops reading is thrown out
by Asterisk without a word.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

from routing_engine.asterisk.ami import AmiClient, AmiGap, AmiServer
from routing_engine.asterisk.ami_wire import AmiMessage
from routing_engine.calls.pbx_events import HistoryRead, HistoryRow, PbxEvent, Tick
from routing_engine.core.events import Reading
from routing_engine.errors import AmiRefused, ProviderError, ProviderUnreachable, traceback_frames
from routing_engine.logger import Logger
from routing_engine.pbx.ami_events import CLASSES, events_of, restarted
from routing_engine.pbx.call_records import PbxHistory
from routing_engine.pbx.commands import LocalCommands
from routing_engine.pbx.genuine import GenuineEvents
from routing_engine.pbx.history import history_of
from routing_engine.pbx.snapshot import take_snapshot
from routing_engine.settings.pbx import Pbx

#: How often all channels are listed without a reason: a hang-up that got lost is healed by that.
LIST_S = 60.0
TICK_S = 1.0
#: How often at most an event that is not believed makes us ask whether the mark is still there.
DOUBT_S = 1.0
#: What ended while the engine was away for longer is left to others.
LONGEST_GAP_S = 7 * 86_400.0
#: How long is waited before a database with call records is asked once more.
HISTORY_AGAIN_S = (1.0, 2.0, 5.0, 10.0)
#: After so many events in one go others get their turn: calls are routed in the same loop.
_TURN = 20
#: Behind by so much is worth a line in the log.
_BEHIND_S = 5.0

#: Takes an event, in microseconds.
Hear: TypeAlias = Callable[[PbxEvent], None]

_log = Logger()


async def nobody_heard() -> float | None:
    """Return None: nobody has listened before."""
    return None


class PbxWatcher:
    """Follows one PBX between `start` and `close`, and tells `hear` what happens there, in order.

    `folder` is the configuration's. `missing` says whether calls are gone of which nobody heard the end, `heard_until`
    when somebody listened last before this start. All channels are listed every `list_s` seconds. `reached` is told
    when there is a new connection.
    """

    def __init__(
        self,
        pbx: Pbx,
        folder: Path,
        hear: Hear,
        wall: Callable[[], float] = time.time,
        missing: Callable[[], bool] = lambda: False,
        heard_until: Callable[[], Awaitable[float | None]] = nobody_heard,
        list_s: float = LIST_S,
        reached: Callable[[], None] = lambda: None,
    ) -> None:
        self._reached = reached
        self.pbx, self._hear, self._wall, self._missing = pbx, hear, wall, missing
        self._heard_until = heard_until
        self._history = history_of(pbx.keys.history, folder)
        self._list_s = list_s
        self._client = AmiClient(server_of(pbx, CLASSES))
        self._genuine = GenuineEvents()
        #: Tells the PBX what to do, on the connection on which it is followed.
        self.commands = LocalCommands(self._client, pbx.keys.ari)
        self._doubted_at = 0.0
        self._tasks: list[asyncio.Task[None]] = []
        self._listing: asyncio.Task[None] | None = None
        #: What the PBX's clock is ahead of ours.
        self._ahead_s = 0.0
        self._least_s: float | None = None
        self._lag_s = 0.0
        self._last_at = 0.0
        self._booted: AmiMessage | None = None
        self._behind = self._failed = self._refused = self._listed = self._forged = self._doubted = False

    @property
    def connected(self) -> bool:
        """Whether its events come now."""
        return self._listed and self._client.connected

    def start(self) -> None:
        """Begin to follow it; a PBX that does not answer is tried until `close`."""
        self._tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._tick())]

    async def close(self) -> None:
        """End the connection."""
        await self.commands.close()
        await self._client.close()
        tasks = [*self._tasks, *([self._listing] if self._listing is not None else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._history is not None:
            await self._history.close()

    def readings(self) -> Iterator[Reading]:
        """Yield whether it is connected, and how late its events come, in seconds; the worst since the last reading."""
        yield Reading("pbx_up", self.connected, (self.pbx.name,))
        yield Reading("pbx_lag_seconds", self._lag_s, (self.pbx.name,))
        self._lag_s = 0.0

    # ------------------------------------------------------------------------------------- events

    async def _read(self) -> None:
        read = 0
        async for event in self._client.events():
            if isinstance(event, AmiGap):
                self._genuine.armed = self._genuine.closed = False  # a restarted PBX has no mark yet
                self._list_again(after_gap=True)
                continue
            if (genuine := self._genuine.read(event)) is None:
                self._doubt()
                continue
            self.commands.hear(genuine)
            self._take(genuine)
            read += 1
            if read % _TURN == 0:
                await asyncio.sleep(0)

    def _take(self, message: AmiMessage) -> None:
        try:
            if message.get("Event") == "FullyBooted" and not self._genuine.armed:
                self._booted = message  # it stands at the beginning of each connection, before its clock is known
            for event in events_of(message, self._wall() + self._ahead_s):
                self._measure(event.at)
                self._tell(event)
        except Exception as error:
            # One that we stumble over must not end the following of all calls; the next ones are well.
            if not self._failed:
                self._failed = True
                name = message.get("Event", "")[:80]
                _log.error(
                    "pbx.event_failed",
                    pbx=self.pbx.name,
                    name=name,
                    error=type(error).__name__,
                    traceback=traceback_frames(error),
                )

    def _doubt(self) -> None:
        """Note an event that Asterisk did not write, unless somebody has wiped the mark: then begin anew."""
        self._doubted = True
        if self._wall() - self._doubted_at >= DOUBT_S:
            self._doubted_at = self._wall()
            self._list_again(after_gap=False)

    def _tell(self, event: PbxEvent) -> None:
        self._last_at = max(self._last_at, event.at)
        self._hear(event)

    def _measure(self, at: float) -> None:
        """Note how late an event came. The clocks may differ: the quickest event says by how much."""
        late_s = self._wall() - at
        self._least_s = late_s if self._least_s is None else min(self._least_s, late_s)
        lag_s = late_s - self._least_s
        self._lag_s = max(self._lag_s, lag_s)
        if lag_s > _BEHIND_S and not self._behind:
            _log.warning("pbx.behind", pbx=self.pbx.name, late_s=round(lag_s, 1))
        self._behind = lag_s > _BEHIND_S

    async def _tick(self) -> None:
        passed = 0.0
        while True:
            await asyncio.sleep(TICK_S)
            passed += TICK_S
            # Only while it is connected: what cannot be heard must not end by the clock.
            if self.connected:
                self._hear(Tick(self._wall() + self._ahead_s))
            if passed >= self._list_s and self.connected:
                passed = 0.0
                self._list_again(after_gap=False)

    # ------------------------------------------------------------------------------------- what is there now

    def _list_again(self, after_gap: bool) -> None:
        if self._listing is not None and not self._listing.done():
            if not after_gap:
                return
            # The connection that it was asked over is gone, and its answer with it.
            self._listing.cancel()
        self._listing = asyncio.create_task(self._list(after_gap))

    async def _list(self, after_gap: bool) -> None:
        """Tell which channels there are, and then what the history says of those that are gone."""
        try:
            changed, after_gap = await self._agree(after_gap)
            snapshot = await take_snapshot(self._client, lambda entry: self._genuine.entry(entry, changed))
        except (AmiRefused, OSError, ValueError) as error:
            # The connection is made anew, and then there is another gap; a refusal is said once.
            if isinstance(error, AmiRefused) and not self._refused:
                self._refused = True
                _log.error("pbx.refused", pbx=self.pbx.name, why=str(error))
            return
        if changed:
            self._genuine.older = frozenset(one.channel.uniqueid for one in snapshot.channels)
        known, booted, self._booted = self._last_at, self._booted, None
        # Before the channels that are there now: those of before have ended with the Asterisk that had them.
        if booted is not None and (restart := restarted(booted, snapshot.at)) is not None:
            self._hear(restart)
        self._tell(snapshot)
        if not after_gap:
            if self._missing():
                await self._tell_history(snapshot.at - self._list_s)
                self._tell(HistoryRead(snapshot.at))
            return
        self._listed, self._least_s = True, None
        self._ahead_s = snapshot.at - self._wall()
        await self._tell_history(known or await self._before_start(snapshot.at))
        self._tell(HistoryRead(snapshot.at))
        _log.info("pbx.up", pbx=self.pbx.name, channels=len(snapshot.channels))
        self._reached()

    async def _before_start(self, at: float) -> float:
        """Return when somebody listened last before this start: what ended since then stands in the history alone."""
        heard = await self._heard_until()
        return at if heard is None else max(heard, at - LONGEST_GAP_S)

    async def _agree(self, after_gap: bool) -> tuple[bool, bool]:
        """Agree on the mark of genuine events; return whether it is a new one, and whether events are missing."""
        was_armed = self._genuine.armed
        try:
            changed = await self._genuine.agree(self._client)
        except AmiRefused:
            return False, after_gap  # an account without `write = call`: `pbx check` says so
        # A mark that was wiped explains every doubt until now; a later list must not take one up again.
        doubted, self._doubted = self._doubted, False
        if doubted and was_armed and not changed and not self._forged:
            self._forged = True
            _log.warning("pbx.forged", pbx=self.pbx.name)
        return changed, after_gap or (was_armed and changed)

    async def _tell_history(self, since: float) -> None:
        if self._history is None:
            return
        try:
            rows = await self._read_history(self._history, since)
        except (OSError, ProviderError) as error:
            why = error.strerror if isinstance(error, OSError) else str(error)
            _log.warning("pbx.no_history", pbx=self.pbx.name, file=self._history.name, why=why)
            return
        for row in rows:
            self._hear(row)

    async def _read_history(self, history: PbxHistory, since: float) -> Sequence[HistoryRow]:
        """Return the rows. A database may have gone with the PBX, and come back a little later: it is asked again."""
        for pause_s in HISTORY_AGAIN_S:
            try:
                return await history.rows(since)
            except ProviderUnreachable:
                await asyncio.sleep(pause_s)
        return await history.rows(since)


def server_of(pbx: Pbx, hears: str = "off") -> AmiServer:
    """Return where the manager interface of a PBX is."""
    ami = pbx.keys.ami
    if ami is None:  # a file without it was refused when it was read
        raise ValueError(f"the PBX '{pbx.name}' has no 'ami'")
    return AmiServer(ami.address.host, ami.address.port, ami.user, ami.secret, hears=hears)
