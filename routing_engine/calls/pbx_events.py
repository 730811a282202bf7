"""What happens in a PBX, as far as it says what a call is. Whoever reads Asterisk's own words makes these of them.

`at` is the moment of the PBX's own clock, seconds since 1970. A number, a name or a place that the PBX does not know
is None (AMI writes `<unknown>`, or nothing). The same event may be handed in twice, late, and in another order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

#: What a bridge is for. Who is in `call` talks; a `conference` has calls of its own for each outside party; `holding`
#: is music: parked, or waiting in another way.
BridgeKind: TypeAlias = Literal["call", "conference", "holding"]


@dataclass(frozen=True, slots=True)
class PbxChannel:
    """A channel as an event shows it. Every event teaches what it says; a later event need not repeat it.

    `caller` and `connected` are CallerIDNum and ConnectedLineNum. `withheld`: the caller does not want the number to be
    shown. `did`, `route_call_id` and `recording` are variables of the channel: FROM_DID, ROUTE_CALL_ID and
    MIXMONITOR_FILENAME.
    """

    name: str
    uniqueid: str
    linkedid: str
    caller: str | None = None
    connected: str | None = None
    exten: str | None = None
    context: str | None = None
    withheld: bool = False
    did: str | None = None
    route_call_id: str | None = None
    recording: str | None = None


@dataclass(frozen=True, slots=True)
class PbxEvent:
    """Something that happened in a PBX, at a moment of its clock."""

    at: float


@dataclass(frozen=True, slots=True)
class ChannelEvent(PbxEvent):
    """Something that happened to one channel."""

    channel: PbxChannel


@dataclass(frozen=True, slots=True)
class ChannelBegan(ChannelEvent):
    """Newchannel. `incoming`: somebody called the PBX (state Ring); otherwise the PBX calls (state Down)."""

    incoming: bool


@dataclass(frozen=True, slots=True)
class ChannelSeen(ChannelEvent):
    """Any event that only says what a channel is now: Newstate, NewCallerid, NewConnectedLine, Newexten, Rename,
    VarSet of one of the variables, a UserEvent with the decision of a route."""


@dataclass(frozen=True, slots=True)
class ChannelRang(ChannelEvent):
    """The telephone rings: Newstate Ringing, DialState RINGING or PROGRESS (then `channel` is the one dialled)."""


@dataclass(frozen=True, slots=True)
class HangupRequested(ChannelEvent):
    """HangupRequest: the party behind this channel hung up, or gave up while it rang."""


@dataclass(frozen=True, slots=True)
class HungUp(ChannelEvent):
    """Hangup. `cause` is Asterisk's, `sip_status` the number in TechCause."""

    cause: int
    sip_status: int | None = None


@dataclass(frozen=True, slots=True)
class DialBegan(PbxEvent):
    """DialBegin. `caller` is None where the PBX dials by itself (Originate); `dialled` is DialString."""

    caller: PbxChannel | None
    called: PbxChannel
    dialled: str | None


@dataclass(frozen=True, slots=True)
class DialEnded(PbxEvent):
    """DialEnd. `status` is Asterisk's: ANSWER, BUSY, NOANSWER, CANCEL, CONGESTION, CHANUNAVAIL, ...

    `forwarded_to` is Forward: where the telephone itself sent the call.
    """

    caller: PbxChannel | None
    called: PbxChannel
    status: str
    forwarded_to: str | None = None


@dataclass(frozen=True, slots=True)
class Bridged(ChannelEvent):
    """BridgeEnter. `bridge` is BridgeUniqueid, `instead_of` SwapUniqueid: the channel that makes place.

    `kind` is `conference` where BridgeCreator is ConfBridge, `holding` where BridgeTechnology is holding_bridge.
    """

    bridge: str
    kind: BridgeKind = "call"
    instead_of: str | None = None


@dataclass(frozen=True, slots=True)
class Unbridged(ChannelEvent):
    """BridgeLeave."""

    bridge: str


@dataclass(frozen=True, slots=True)
class HoldBegan(ChannelEvent):
    """Hold: the party behind this channel pressed it."""


@dataclass(frozen=True, slots=True)
class HoldEnded(ChannelEvent):
    """Unhold."""


@dataclass(frozen=True, slots=True)
class BlindTransferred(PbxEvent):
    """BlindTransfer with Result Success. `by` is Transferer, `exten` the extension that it goes to."""

    by: PbxChannel
    transferee: PbxChannel | None
    exten: str


@dataclass(frozen=True, slots=True)
class AttendedTransferred(PbxEvent):
    """AttendedTransfer with Result Success: OrigTransferer, SecondTransferer, Transferee, TransferTarget."""

    by: PbxChannel
    second: PbxChannel
    transferee: PbxChannel | None = None
    target: PbxChannel | None = None


@dataclass(frozen=True, slots=True)
class PickedUp(PbxEvent):
    """Pickup. `picker` is Channel, `target` the channel that rang (Target)."""

    picker: PbxChannel
    target: PbxChannel


@dataclass(frozen=True, slots=True)
class CallParked(PbxEvent):
    """ParkedCall."""

    parkee: PbxChannel
    parker: PbxChannel | None
    space: str | None = None


@dataclass(frozen=True, slots=True)
class ParkTimedOut(PbxEvent):
    """ParkedCallTimeOut: nobody fetched the call, so it rings where it came from."""

    parkee: PbxChannel


@dataclass(frozen=True, slots=True)
class CallUnparked(PbxEvent):
    """UnParkedCall."""

    parkee: PbxChannel
    retriever: PbxChannel


@dataclass(frozen=True, slots=True)
class QueueJoined(ChannelEvent):
    """QueueCallerJoin."""

    queue: str


@dataclass(frozen=True, slots=True)
class QueueAbandoned(ChannelEvent):
    """QueueCallerAbandon. It also comes when the time was up and the caller goes on."""

    queue: str


@dataclass(frozen=True, slots=True)
class QueueLeft(ChannelEvent):
    """QueueCallerLeave."""

    queue: str


@dataclass(frozen=True, slots=True)
class ApplicationBegan(ChannelEvent):
    """The dialplan began an application on a channel: CEL APP_START, or Newexten. Only VoiceMail counts by now."""

    application: str


@dataclass(frozen=True, slots=True)
class CallStranded(ChannelEvent):
    """The dialplan gave up: the emergency prompt of dialplan/routing-engine.conf. `status` is its ROUTE_STATUS."""

    status: str | None = None


@dataclass(frozen=True, slots=True)
class LiveChannel:
    """A channel that is up now, as CoreShowChannels and Status show it.

    `began_at` is the moment of the list without its Duration (or CDR(start)), `answered_at` CDR(answer), `bridge` its
    BridgeId, `kind` as in Bridged where it is known.
    """

    channel: PbxChannel
    began_at: float
    ringing: bool = False
    answered_at: float | None = None
    bridge: str | None = None
    kind: BridgeKind = "call"
    application: str | None = None


@dataclass(frozen=True, slots=True)
class Snapshot(PbxEvent):
    """All channels that the PBX has. `at` is when it was asked: what began later need not be in it.

    A channel that is not in it is gone. What became of it, the history says; after `HistoryRead` nobody waits for that.
    """

    channels: tuple[LiveChannel, ...]


@dataclass(frozen=True, slots=True)
class PbxRestarted(PbxEvent):
    """FullyBooted. `at` is when the PBX began to run: if it is another than before, no channel of then is left."""


@dataclass(frozen=True, slots=True)
class HistoryRow(PbxEvent):
    """A row of the call records (CDR) of a PBX: one pair of channels. `at` is the end; all moments are UTC.

    `called_name` is dstchannel, `disposition` ANSWERED, NO ANSWER, BUSY, FAILED or CONGESTION, `application` lastapp
    and `application_data` lastdata.
    """

    channel: PbxChannel
    called_name: str | None
    began_at: float
    answered_at: float | None
    disposition: str
    application: str | None = None
    application_data: str | None = None


@dataclass(frozen=True, slots=True)
class HistoryRead(PbxEvent):
    """The history was read to its end, or there is none: calls of which nothing is known now close as `unknown`."""


@dataclass(frozen=True, slots=True)
class Tick(PbxEvent):
    """Time passes. Once a second is enough, and when nothing comes, once a minute does no harm."""
