"""Recorded streams as events of calls, as whoever follows a PBX makes them of several connections."""

from __future__ import annotations

from collections.abc import Iterator

from routing_engine.asterisk.ami_wire import AmiMessage
from routing_engine.calls.pbx_events import HistoryRead, PbxEvent, Tick
from routing_engine.pbx.ami_events import events_of, restarted, snapshot
from tests.calls.recorded import connections


def stream_events(name: str) -> Iterator[PbxEvent]:
    """Yield the events of a stream as whoever follows a PBX makes them."""
    last = 0.0
    for number, connection in enumerate(connections(name)):
        asked: list[AmiMessage] = []
        for message in connection:
            for event in events_of(message, last):
                last = event.at
                yield event
            if message.get("Event") == "FullyBooted" and number and (again := restarted(message, last + 1.0)):
                yield again
            asked += [message] if message.get("Event") in ("CoreShowChannel", "Status") else []
            if message.get("Event") == "StatusComplete":
                yield snapshot(asked, asked, last)
                yield HistoryRead(last)
    yield Tick(last + 120)
