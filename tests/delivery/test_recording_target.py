"""Waiting for a recording: when it is looked for, when it is ready, and when it is given up."""

from __future__ import annotations

from routing_engine.calls.call import CallRecording
from routing_engine.calls.ports import SoundFile
from routing_engine.delivery.jobs import Dead, Delivered, Job, SendOutcome, Skipped, TryAgain
from routing_engine.delivery.recording_target import RecordingTarget
from routing_engine.errors import ProviderUnreachable

from .fakes import NOON, FakeBook, FakeClock, a_call


class Shelf:
    """Has the recording or not, as it is told."""

    def __init__(self) -> None:
        self.sound: SoundFile | None = None
        self.fault: Exception | None = None

    async def find(self, name: str) -> SoundFile | None:
        if self.fault is not None:
            raise self.fault
        return self.sound


async def nothing():  # type: ignore[no-untyped-def]
    """A sound without a byte."""
    for piece in ():
        yield piece


def sound(seconds: float, size: int = 160044) -> SoundFile:
    return SoundFile("x.wav", seconds, nothing, size)


class Waiting:
    """A call that ended at noon with a recording, and the target that waits for it."""

    def __init__(self) -> None:
        self.clock, self.book, self.shelf = FakeClock(), FakeBook(), Shelf()
        self.book.add(a_call(ended_at=NOON, recording=CallRecording("pending", name="x.wav")))
        self.target = RecordingTarget(self.shelf.find, self.book, self.clock, chance=lambda: 0.5)

    async def look(self, tries: int = 1) -> SendOutcome:
        job = Job("pbx:main", "call-1", "recording", id=1, made_at=NOON, tries=tries)
        return await self.target.send(job, self.book.calls["call-1"])

    @property
    def recording(self) -> CallRecording:
        return self.book.calls["call-1"].recording


async def test_a_recording_that_is_final_is_ready() -> None:
    waiting = Waiting()
    waiting.shelf.sound = sound(10)
    assert await waiting.look() == Delivered()
    assert (waiting.recording.state, waiting.recording.seconds) == ("pending", 10)


async def test_it_is_looked_for_quickly_at_first_then_every_two_minutes_then_hourly_for_a_day() -> None:
    waiting, looked = Waiting(), []
    while isinstance(outcome := await waiting.look(len(looked) + 1), TryAgain):
        looked.append(round(waiting.clock.at - NOON))
        assert (outcome.alone, outcome.after_s is not None) == (True, True)
        waiting.clock.at += outcome.after_s or 0.0
    assert looked[:9] == [0, 1, 3, 8, 18, 38, 78, 198, 318]
    assert len([at for at in looked if at < 1800]) == 21
    assert len([at for at in looked if at >= 1800]) == 24
    assert isinstance(outcome, Dead)
    assert waiting.recording.state == "absent"


async def test_a_pbx_that_is_away_keeps_the_recording_waiting() -> None:
    waiting = Waiting()
    waiting.shelf.fault = ProviderUnreachable("ARI does not answer")
    assert await waiting.look() == TryAgain("ARI does not answer", 1.0, alone=True)
    assert waiting.recording.state == "pending"


async def test_a_file_without_a_sound_is_no_recording() -> None:
    waiting = Waiting()
    waiting.shelf.sound = sound(0, 44)
    assert await waiting.look() == Delivered()
    assert waiting.recording.state == "absent"


async def test_a_recording_that_is_attached_is_not_waited_for() -> None:
    waiting = Waiting()
    await waiting.book.set_recording("call-1", CallRecording("attached", 10, name="x.wav"))
    assert isinstance(await waiting.look(), Skipped)
