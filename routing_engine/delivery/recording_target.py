"""Waits for the recordings of a PBX: the job that says when one is final, and when it will never be.

What then happens with it, an upload into a CRM or a webhook, are jobs of their own: `recording.ready` begets them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeAlias

from routing_engine.calls.call import Call
from routing_engine.calls.ports import SoundFile
from routing_engine.delivery.jobs import Dead, Delivered, DeliveryBook, Job, SendOutcome, Skipped, TryAgain
from routing_engine.delivery.pauses import Chance, recording_pause_s
from routing_engine.errors import ProviderError

#: Finds a recording by its name; None while it is not final, or not there.
FindSound: TypeAlias = Callable[[str], Awaitable[SoundFile | None]]
WAIT_S = 24 * 3600.0
#: An empty .wav: nobody talked, or nobody took the call.
_NOTHING_SAID_S = 0.0


class RecordingTarget:
    """A `Target`: one PBX. `wait_s` is how long after its call a recording is tried."""

    def __init__(
        self, find: FindSound, book: DeliveryBook, now: Callable[[], float], chance: Chance, wait_s: float = WAIT_S
    ) -> None:
        self._find, self._book, self._now, self._chance, self._wait_s = find, book, now, chance, wait_s

    async def send(self, job: Job, call: Call) -> SendOutcome:
        """Look whether a recording is final, and tell the book."""
        name = call.recording.name
        if call.id != job.call_id or name is None or call.recording.state not in ("recording", "pending"):
            return Skipped("the call has no recording that is waited for")
        waited = self._now() - (call.ended_at or job.made_at)
        try:
            sound = await self._find(name)
        except ProviderError as error:
            return await self._later(job, call, str(error), waited)
        if sound is None:
            return await self._later(job, call, "the recording is not there yet", waited)
        if sound.size == 44 and sound.seconds == _NOTHING_SAID_S:
            # What Asterisk leaves of a call that nobody took: there is nothing to hear.
            await self._book.set_recording(call.id, replace(call.recording, state="absent", seconds=0.0))
            return Delivered()
        await self._book.set_recording(call.id, replace(call.recording, state="pending", seconds=sound.seconds))
        return Delivered()

    async def _later(self, job: Job, call: Call, why: str, waited_s: float) -> SendOutcome:
        if waited_s >= self._wait_s:
            await self._book.set_recording(call.id, replace(call.recording, state="absent"))
            return Dead(f"given up after {waited_s / 3600:.0f} h: {why}")
        # Alone: that this one is not there says nothing of the others.
        return TryAgain(why, recording_pause_s(job.tries, waited_s, self._chance), alone=True)
