"""What is to be written to one target for one call, what came of a try, and the two ports: `Target` and `Queue`.

Moments are seconds since 1970. Everything is at least once, and in order for each call and lane.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

from routing_engine.calls.as_json import JsonObject, moment
from routing_engine.calls.call import Call, CallContact, CallDelivery, CallRecording

if TYPE_CHECKING:  # late: SQLAlchemy
    from sqlalchemy import Connection

JobKind: TypeAlias = Literal["log", "update", "recording", "webhook"]
JobState: TypeAlias = Literal["waiting", "dead"]
_RECORDINGS = "/recordings"
#: The error of a job that was given up by hand: whoever takes it sends nothing, and tells the call.
DROPPED = "dropped by hand"
#: How long a job belongs to who took it, unless he says that he is still at it; less where he is known to be gone.
LEASE_S = 30.0


def recordings_lane(target: str) -> str:
    """Return the lane of a target's recordings."""
    return f"{target}{_RECORDINGS}"


def lane_target(lane: str) -> str:
    """Return the target of a lane."""
    return lane.removesuffix(_RECORDINGS)


def pbx_target(pbx: str) -> str:
    """Return the target under which the recordings of a PBX are waited for; no integration can have this name."""
    return f"pbx:{pbx}"


@dataclass(frozen=True, slots=True)
class NewJob:
    """One thing for one target and one call. `body` is the text to be sent; "" sends the call as it is then."""

    target: str
    call_id: str
    kind: JobKind
    body: str = ""

    @property
    def lane(self) -> str:
        """The line in which the job stands: recordings have one of their own, as they may wait for a day."""
        return recordings_lane(self.target) if self.kind == "recording" else self.target

    @property
    def joins(self) -> bool:
        """Whether one that waits already does for this one, too: both write what the call is by then."""
        return not self.body


@dataclass(frozen=True, slots=True)
class Job(NewJob):
    """A job in a queue. `taken` is the token of who has it, "" of nobody; `tries` counts those that were begun."""

    id: int = 0
    made_at: float = 0.0
    due: float = 0.0
    tries: int = 0
    state: JobState = "waiting"
    error: str = ""
    taken: str = ""


@dataclass(frozen=True, slots=True)
class Delivered:
    """It is there. `id` and `url` are the target's own; `record` is what the entry stands with, None as before."""

    id: str | None = None
    url: str | None = None
    record: str | None = None


@dataclass(frozen=True, slots=True)
class Skipped:
    """It is not wanted there, as `why` says: nothing went wrong. `record` is as with `Delivered`."""

    why: str
    record: str | None = None


@dataclass(frozen=True, slots=True)
class TryAgain:
    """It is not there yet. `after_s` is how long the target wants to be left alone, None as the plan of pauses says.

    `alone` says that only this job has to wait: the target is well.
    """

    why: str
    after_s: float | None = None
    alone: bool = False


@dataclass(frozen=True, slots=True)
class Dead:
    """It will never be there, unless somebody acts on `why` and sends it again. `gone`: so is all of the target."""

    why: str
    gone: bool = False


SendOutcome: TypeAlias = Delivered | Skipped | TryAgain | Dead


class Target(Protocol):
    """Where things are written: a CRM, a webhook."""

    async def send(self, job: Job, call: Call) -> SendOutcome:
        """Write one thing, once; takes at most a minute, or a recording's length. Raises nothing on purpose."""


class DeliveryBook(Protocol):
    """What deliveries need of the book of calls. What sets raises `UnknownCall` for one that was forgotten."""

    async def call(self, call_id: str) -> Call | None:
        """Return a call as it is now, or the one that it has become a part of; None when it was forgotten."""

    async def set_delivery(self, call_id: str, target: str, delivery: CallDelivery) -> Call:
        """Write down how far the writing to a target is."""

    async def set_recording(self, call_id: str, recording: CallRecording) -> Call:
        """Write down how far a recording is."""

    async def set_contact(self, call_id: str, contact: CallContact | None) -> Call:
        """Write down who the other party is."""


class Queue(Protocol):
    """Where jobs wait. Raises `StorageError` where it does not work now; what was put is not lost by that."""

    def put(self, connection: Connection, jobs: Sequence[NewJob], now: float) -> None:
        """Add jobs within the transaction that saves their call, so that neither is there without the other."""

    def forget(self, connection: Connection, call_ids: Sequence[str]) -> None:
        """Remove all jobs of calls within the transaction that removes the calls."""

    async def claim(self, lane: str, now: float) -> Job | None:
        """Take the job that is due the longest, for `LEASE_S`; None when none is due.

        While a job of a call waits or is taken, no later one of the same call and lane is given. Its `tries` count
        this one, too.
        """

    async def keep(self, jobs: Sequence[Job], now: float) -> None:
        """Say that these jobs are still under way, for another `LEASE_S`; called all the time, also without any."""

    async def take_back(self, now: float) -> bool:
        """Let jobs be due whose engine is known to be gone; return whether there were any. Called all the time."""

    async def finish(self, job: Job, now: float) -> bool:
        """Remove a job that is done; return whether another one of its call and lane is left."""

    async def put_off(self, job: Job, due: float, error: str) -> None:
        """Let a job wait until `due`: this try was in vain."""

    async def bury(self, job: Job, error: str, now: float) -> None:
        """Keep a job as dead: it is listed, and holds up no other."""

    async def release(self, lane: str, now: float) -> None:
        """Make everything that waits in a lane due now: its target is back."""

    async def next_due(self, lane: str) -> float | None:
        """Return when the next job of a lane is due; None when none waits."""

    async def listed(self, state: JobState | None = None, limit: int = 1000, after: int = 0) -> Sequence[Job]:
        """Return the jobs that wait and those that are dead, the oldest first, behind the id `after`."""

    async def retry(self, job_id: int, now: float) -> Job | None:
        """Make a job due now, also a dead one; return it as it was, None when there is none."""

    async def drop(self, job_id: int, now: float) -> Job | None:
        """Drop a job by hand; return it as it was, None when there is none.

        It is due at once with the error `DROPPED`: whoever takes it tells its call, and finishes it.
        """

    async def close(self) -> None:
        """Let go of what is open; the database that a queue was given is not its own."""

    async def counts(self) -> Mapping[tuple[str, JobState], int]:
        """Return how many jobs there are, by lane and state."""


def delivery_json(job: Job) -> JsonObject:
    """Return a job as the API and the command line list it; contract, section 5."""
    return {
        "id": job.id,
        "call": job.call_id,
        "target": job.target,
        "kind": job.kind,
        "state": job.state,
        "tries": job.tries,
        "next_try_at": None if job.state == "dead" else moment(job.due),
        "error": job.error or None,
    }
