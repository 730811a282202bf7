"""One call as people mean it: from the first ring to the last hang-up, over queues, forwards, transfers and pick-ups.

Moments are seconds since 1970 with a fraction (UTC); durations are seconds; numbers are E.164 where they can be read.
What is not known is None. Source: the contract for calls, section 3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Direction: TypeAlias = Literal["inbound", "outbound", "internal"]
CallState: TypeAlias = Literal["ringing", "talking", "held", "ended"]
#: What came of it. `missed`, `abandoned` and `voicemail` are inbound, `unanswered`, `busy` and `failed` outbound.
CallOutcome: TypeAlias = Literal[
    "answered", "missed", "abandoned", "voicemail", "unanswered", "busy", "failed", "unknown"
]
LegResult: TypeAlias = Literal["answered", "elsewhere", "no_answer", "cancelled", "busy", "declined", "transferred"]
TransferWay: TypeAlias = Literal["blind", "attended", "pickup", "park", "forward"]
HangupBy: TypeAlias = Literal["other", "user", "system"]
RecordingState: TypeAlias = Literal["none", "recording", "pending", "attached", "linked", "absent"]
ContactMatch: TypeAlias = Literal["routed", "found", "linked", "created", "ambiguous"]
Sentiment: TypeAlias = Literal["positive", "neutral", "negative"]
DeliveryState: TypeAlias = Literal["waiting", "done", "dead", "skipped"]


@dataclass(frozen=True, slots=True)
class Leg:
    """One phone that rang or talked in a call. `phone` is PBX and extension, `main/201`; `user` a key of users.yaml."""

    phone: str
    user: str | None = None
    ringing_at: float | None = None
    answered_at: float | None = None
    left_at: float | None = None
    result: LegResult | None = None


@dataclass(frozen=True, slots=True)
class CallTransfer:
    """Who passed a call on, to whom. `by` and `to` are phones, or numbers of the outside."""

    at: float
    by: str | None
    to: str | None
    how: TransferWay


@dataclass(frozen=True, slots=True)
class Candidate:
    """One of several contacts that have the number of the other party."""

    integration: str
    model: str
    id: str
    name: str | None = None
    url: str | None = None
    # As of a contact: they stay inside, and are what whoever chooses sees of each.
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CallContact:
    """The record of the other party; with `ambiguous` nobody was chosen, and `candidates` has them all.

    `fields` are the record's fields as the data model names them; they stay inside (`{contact.*}` of texts).
    """

    matched: ContactMatch
    integration: str | None = None
    model: str | None = None
    id: str | None = None
    name: str | None = None
    url: str | None = None
    candidates: tuple[Candidate, ...] = ()
    # Texts only: what a subject or a page shows has been brought into words by the record's data model.
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CallRoute:
    """The decision that sent the call on. `call_id` is what `explain` takes."""

    name: str
    rule: str | None
    reason: str
    revision: str
    call_id: str


@dataclass(frozen=True, slots=True)
class CallRecording:
    """How far the recording of a call is. `name` is what the PBX calls the file; it stays inside."""

    state: RecordingState = "none"
    seconds: float | None = None
    url: str | None = None
    name: str | None = None

    @property
    def final(self) -> bool:
        """Whether it is there as a whole."""
        return self.seconds is not None and self.state in ("pending", "attached", "linked")


@dataclass(frozen=True, slots=True)
class Note:
    """What a person or a workflow wrote about a call, and when."""

    at: float
    by: str
    text: str


@dataclass(frozen=True, slots=True)
class CallDelivery:
    """How far the writing to one target is. `id` and `url` are the target's own: the entry in the CRM."""

    state: DeliveryState
    tries: int = 0
    next_try_at: float | None = None
    id: str | None = None
    url: str | None = None
    error: str | None = None
    # `contact_key` of the record that the entry stands with, "" for none of the target's; it stays inside.
    record: str | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """A call. `version` grows with every change, so that a late message never overwrites a newer one.

    `from_` and `to` are numbers or extensions (see the contract); a withheld number is None. `linkedids` are all that
    the PBX has named this call by, the first one first. `answered_at` is by a person: menus do not answer a call.
    """

    id: str
    pbx: str
    # The PBX's ids come again after a restore of its disk, so nothing outside may know a call by them.
    pbx_call_id: str
    direction: Direction
    started_at: float
    version: int = 1
    from_: str | None = None
    to: str | None = None
    did: str | None = None
    state: CallState = "ringing"
    outcome: CallOutcome | None = None
    ringing_at: float | None = None
    answered_at: float | None = None
    ended_at: float | None = None
    duration_s: float | None = None
    wait_s: float | None = None
    talk_s: float | None = None
    hold_s: float | None = None
    user: str | None = None
    queue: str | None = None
    hangup_by: HangupBy | None = None
    cause: int | None = None
    legs: tuple[Leg, ...] = ()
    transfers: tuple[CallTransfer, ...] = ()
    contact: CallContact | None = None
    route: CallRoute | None = None
    recording: CallRecording = CallRecording()
    notes: tuple[Note, ...] = ()
    tags: tuple[str, ...] = ()
    sentiment: Sentiment | None = None
    disposition: str | None = None
    deliveries: Mapping[str, CallDelivery] = field(default_factory=dict)
    merged_into: str | None = None
    # A transfer, a pick-up and an unpark change the Linkedid of a living leg: one is not enough to know a call by.
    linkedids: tuple[str, ...] = ()
    # What joins the decision of a route to this call: ROUTE_CALL_ID of its channels.
    route_call_id: str | None = None
    # The dialplan's emergency prompt ended it: its ROUTE_STATUS, or "" where that is not known.
    stranded: str | None = None
    # Under which number the engine beside its PBX told of it last (`edges/`): what comes again after a cut is known.
    told: int = 0
