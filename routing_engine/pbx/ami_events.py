"""Asterisk's manager events as events of `calls/`: messages in, events out; no socket, no clock.

Source: the events of Asterisk 22 as they were recorded (`tests/calls/streams`), and main/manager_channels.c,
manager_bridges.c, res_parking and app_queue for what stands in them. The PBX needs `timestampevents=yes`, and in
`channelvars` of manager.conf what `CHANNEL_VARIABLES` has.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

from routing_engine.asterisk.ami_wire import AmiMessage
from routing_engine.calls.pbx_events import (
    ApplicationBegan,
    AttendedTransferred,
    BlindTransferred,
    Bridged,
    BridgeKind,
    CallParked,
    CallStranded,
    CallUnparked,
    ChannelBegan,
    ChannelRang,
    ChannelSeen,
    DialBegan,
    DialEnded,
    HangupRequested,
    HoldBegan,
    HoldEnded,
    HungUp,
    LiveChannel,
    ParkTimedOut,
    PbxChannel,
    PbxEvent,
    PbxRestarted,
    PickedUp,
    QueueAbandoned,
    QueueJoined,
    QueueLeft,
    Snapshot,
    Unbridged,
)

#: The classes of events that have all of this, for `hears` of an `AmiServer`.
CLASSES = "system,call,agent,user"
#: A global variable of the PBX, by which genuine events are known (`genuine`).
MARK = "ROUTING_ENGINE_MARK"
#: A withheld number stands in the events like any other: only these say that nobody may see it. FreePBX's inbound
#: routes let every number be shown, and keep in the second one what the caller wanted.
_PRESENTATIONS = ("CALLERID(num-pres)", "CALLINGNUMPRES_SV")
#: What manager.conf names in `channelvars`. The mark stands first, and last as well: a FreePBX fills FROM_DID out of
#: what was dialled.
CHANNEL_VARIABLES = (
    *(MARK, "ROUTE_CALL_ID", "ROUTE_STATUS", "MIXMONITOR_FILENAME", _PRESENTATIONS[0]),
    *("FROM_DID", _PRESENTATIONS[1], MARK),
)
#: The question that `snapshot` reads beside CoreShowChannels: `Status` with these `Variables`. `u` is seconds since
#: 1970; without it Asterisk writes its local time, and no zone.
STATUS_VARIABLES = "CDR(start,u),CDR(answer,u)"

_DECIMAL = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,9})?")
_RING, _RINGING = "4", "5"
_EMERGENCY = "routing-engine-emergency"
_NOBODY = frozenset({"", "<unknown>", "<none>"})
Events: TypeAlias = tuple[PbxEvent, ...]
_Handler: TypeAlias = Callable[[AmiMessage], PbxEvent | None]


def events_of(message: AmiMessage, heard_at: float = 0.0) -> Events:
    """Return what an event of the manager interface says of calls; most say nothing.

    `heard_at` counts where the PBX does not say when it was (it lacks `timestampevents`).
    """
    handler = _HANDLERS.get(message.get("Event", ""))
    if handler is None:
        return ()
    message.setdefault("Timestamp", f"{heard_at:.6f}")
    try:
        event = handler(message)
    except KeyError:  # it does not name its channel: nothing can be said of any
        return ()
    if event is None:
        return ()
    # The class `dialplan`, in which a context is entered, is heard by few: most PBXs would send hundreds of its events
    # for a call. Whatever comes from the emergency context tells as much.
    if message.get("Context") == _EMERGENCY and "Uniqueid" in message:
        return event, CallStranded(event.at, _channel(message), _variables(message, "").get("ROUTE_STATUS"))
    return (event,)


def restarted(booted: AmiMessage, heard_at: float) -> PbxRestarted | None:
    """Return when Asterisk began to run, out of the FullyBooted that stands at the beginning of every connection.

    It has no time of its own when a connection begins, and whole seconds; so the moment is a second early at most.
    """
    uptime = booted.get("Uptime", "")
    return PbxRestarted(heard_at - int(uptime) - 1) if uptime.isdecimal() else None


# ------------------------------------------------------------------------------------------- one event


def _at(message: AmiMessage) -> float:
    return _seconds(message.get("Timestamp", "")) or 0.0


def _seconds(text: str) -> float | None:
    return float(text) if _DECIMAL.fullmatch(text) else None


def _known(text: str | None) -> str | None:
    return None if text is None or text in _NOBODY else text


def _variables(message: AmiMessage, of: str) -> dict[str, str]:
    pairs = (line.partition("=") for line in message.every(f"{of}ChanVariable"))
    return {name: value for name, _, value in pairs if value}


def _channel(message: AmiMessage, of: str = "") -> PbxChannel:
    """Return a channel of an event; `of` is what its fields begin with: Dest, Transferer, Parkee, ..."""
    variables = _variables(message, of)
    caller = _known(message.get(of + "CallerIDNum"))
    return PbxChannel(
        name=message.get(of + "Channel", ""),
        uniqueid=message[of + "Uniqueid"],
        linkedid=message.get(of + "Linkedid", ""),
        caller=caller,
        connected=_known(message.get(of + "ConnectedLineNum")),
        exten=_known(message.get(of + "Exten")),
        context=_known(message.get(of + "Context")),
        withheld=_is_withheld(message, variables),
        did=variables.get("FROM_DID"),
        route_call_id=variables.get("ROUTE_CALL_ID"),
        # A FreePBX names a file (CALLFILENAME) for every call; this one is set where a recording has begun.
        recording=variables.get("MIXMONITOR_FILENAME"),
    )


def _is_withheld(message: AmiMessage, variables: Mapping[str, str]) -> bool:
    shown = [variables.get(one, "") for one in _PRESENTATIONS]
    return any(one.startswith("prohib") for one in shown) or "Prohibited" in message.get("CID-CallingPres", "")


def _optional(message: AmiMessage, of: str) -> PbxChannel | None:
    return _channel(message, of) if of + "Uniqueid" in message else None


def _began(message: AmiMessage) -> PbxEvent:
    return ChannelBegan(_at(message), _channel(message), message.get("ChannelState") == _RING)


def _changed(message: AmiMessage) -> PbxEvent:
    # chan_sip, which Asterisk 20 still has, begins a call from outside as Down as well, and says so here.
    if message.get("ChannelState") == _RING:
        return ChannelBegan(_at(message), _channel(message), incoming=True)
    if message.get("ChannelState") == _RINGING:
        return ChannelRang(_at(message), _channel(message))
    return ChannelSeen(_at(message), _channel(message))


def _seen(message: AmiMessage) -> PbxEvent:
    return ChannelSeen(_at(message), _channel(message))


def _extension_entered(message: AmiMessage) -> PbxEvent:
    if message.get("Application", "").lower() == "voicemail":
        return ApplicationBegan(_at(message), _channel(message), "VoiceMail")
    return _seen(message)


def _variable_set(message: AmiMessage) -> PbxEvent | None:
    # The event has the variables of the channel as well, the new value among them.
    return _seen(message) if message.get("Variable", "") in CHANNEL_VARIABLES and "Uniqueid" in message else None


def _application(message: AmiMessage) -> PbxEvent | None:
    """Read a CEL event. It spells the ids of a channel in its own way."""
    if message.get("EventName") != "APP_START":
        return None
    channel = PbxChannel(
        name=message.get("Channel", ""),
        uniqueid=message.get("UniqueID", ""),
        linkedid=message.get("LinkedID", ""),
        caller=_known(message.get("CallerIDnum")),
        exten=_known(message.get("Exten")),
        context=_known(message.get("Context")),
    )
    return ApplicationBegan(_at(message), channel, message.get("Application", ""))


def _dial_began(message: AmiMessage) -> PbxEvent:
    return DialBegan(_at(message), _optional(message, ""), _channel(message, "Dest"), _known(message.get("DialString")))


def _dial_state(message: AmiMessage) -> PbxEvent | None:
    rings = message.get("DialStatus") in ("RINGING", "PROGRESS")
    return ChannelRang(_at(message), _channel(message, "Dest")) if rings else None


def _dial_ended(message: AmiMessage) -> PbxEvent:
    caller, called = _optional(message, ""), _channel(message, "Dest")
    return DialEnded(_at(message), caller, called, message.get("DialStatus", ""), _known(message.get("Forward")))


def _bridged(message: AmiMessage) -> PbxEvent:
    bridge, instead_of = message.get("BridgeUniqueid", ""), _known(message.get("SwapUniqueid"))
    return Bridged(_at(message), _channel(message), bridge, _bridge_kind(message), instead_of)


def _bridge_kind(message: AmiMessage) -> BridgeKind:
    if message.get("BridgeCreator") == "ConfBridge":
        return "conference"
    return "holding" if message.get("BridgeTechnology") == "holding_bridge" else "call"


def _unbridged(message: AmiMessage) -> PbxEvent:
    return Unbridged(_at(message), _channel(message), message.get("BridgeUniqueid", ""))


def _hangup_requested(message: AmiMessage) -> PbxEvent:
    return HangupRequested(_at(message), _channel(message))


def _hung_up(message: AmiMessage) -> PbxEvent:
    cause, status = message.get("Cause", ""), message.get("TechCause", "")
    return HungUp(
        _at(message),
        _channel(message),
        int(cause) if cause.isdecimal() else 0,
        int(status) if status.isdecimal() else None,
    )


def _hold_began(message: AmiMessage) -> PbxEvent:
    return HoldBegan(_at(message), _channel(message))


def _hold_ended(message: AmiMessage) -> PbxEvent:
    return HoldEnded(_at(message), _channel(message))


def _transferred_blind(message: AmiMessage) -> PbxEvent | None:
    if message.get("Result") != "Success":
        return None
    by, passed_on = _channel(message, "Transferer"), _optional(message, "Transferee")
    return BlindTransferred(_at(message), by, passed_on, message.get("Extension", ""))


def _transferred_attended(message: AmiMessage) -> PbxEvent | None:
    if message.get("Result") != "Success":
        return None
    by, second = _channel(message, "OrigTransferer"), _channel(message, "SecondTransferer")
    transferee, target = _optional(message, "Transferee"), _optional(message, "TransferTarget")
    return AttendedTransferred(_at(message), by, second, transferee, target)


def _picked_up(message: AmiMessage) -> PbxEvent:
    return PickedUp(_at(message), _channel(message), _channel(message, "Target"))


def _parked(message: AmiMessage) -> PbxEvent:
    parkee, parker = _channel(message, "Parkee"), _optional(message, "Parker")
    return CallParked(_at(message), parkee, parker, _known(message.get("ParkingSpace")))


def _park_timed_out(message: AmiMessage) -> PbxEvent:
    return ParkTimedOut(_at(message), _channel(message, "Parkee"))


def _unparked(message: AmiMessage) -> PbxEvent:
    return CallUnparked(_at(message), _channel(message, "Parkee"), _channel(message, "Retriever"))


def _queue_joined(message: AmiMessage) -> PbxEvent:
    return QueueJoined(_at(message), _channel(message), message.get("Queue", ""))


def _queue_abandoned(message: AmiMessage) -> PbxEvent:
    return QueueAbandoned(_at(message), _channel(message), message.get("Queue", ""))


def _queue_left(message: AmiMessage) -> PbxEvent:
    return QueueLeft(_at(message), _channel(message), message.get("Queue", ""))


# What stands here is read. Any other event costs one look into this table.
_HANDLERS: Mapping[str, _Handler] = {
    "Newchannel": _began,
    "Newstate": _changed,
    "NewCallerid": _seen,
    "NewConnectedLine": _seen,
    "Rename": _seen,
    "Newexten": _extension_entered,
    "VarSet": _variable_set,
    "CEL": _application,
    "DialBegin": _dial_began,
    "DialState": _dial_state,
    "DialEnd": _dial_ended,
    "BridgeEnter": _bridged,
    "BridgeLeave": _unbridged,
    "HangupRequest": _hangup_requested,
    "Hangup": _hung_up,
    "Hold": _hold_began,
    "Unhold": _hold_ended,
    "BlindTransfer": _transferred_blind,
    "AttendedTransfer": _transferred_attended,
    "Pickup": _picked_up,
    "ParkedCall": _parked,
    "ParkedCallTimeOut": _park_timed_out,
    "UnParkedCall": _unparked,
    "QueueCallerJoin": _queue_joined,
    "QueueCallerAbandon": _queue_abandoned,
    "QueueCallerLeave": _queue_left,
}


#: The events that `events_of` reads.
EVENTS = frozenset(_HANDLERS)

# ---------------------------------------------------------------------------------------- all channels


def snapshot(shown: Iterable[AmiMessage], statuses: Iterable[AmiMessage], asked_at: float) -> Snapshot:
    """Return all channels that live, out of the answers to CoreShowChannels and to Status with `STATUS_VARIABLES`.

    Either may have channels that the other has not: they are asked one after the other.
    """
    about = {status["Uniqueid"]: status for status in statuses if status.get("Event") == "Status"}
    living = (one for one in shown if one.get("Event") == "CoreShowChannel")
    return Snapshot(asked_at, tuple(_living(one, about.get(one["Uniqueid"]), asked_at) for one in living))


def _living(shown: AmiMessage, status: AmiMessage | None, asked_at: float) -> LiveChannel:
    variables = dict(line.partition("=")[::2] for line in status.every("Variable")) if status else {}
    # CDR(answer,u) is 0 for a call that was not answered.
    began_at = _seconds(variables.get("CDR(start,u)", "")) or asked_at - _duration(shown.get("Duration", ""))
    return LiveChannel(
        _channel(shown),
        began_at,
        shown.get("ChannelState") == _RINGING,
        _seconds(variables.get("CDR(answer,u)", "")) or None,
        _known(shown.get("BridgeId")),
        application=_known(shown.get("Application")),
    )


def _duration(text: str) -> float:
    """Return the seconds of `01:02:03`."""
    parts = text.split(":")
    if not all(part.isdecimal() for part in parts):
        return 0.0
    seconds = 0.0
    for part in parts:
        seconds = seconds * 60 + int(part)
    return seconds
