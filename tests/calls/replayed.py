"""Recorded streams as events of calls, as whoever follows a PBX makes them of several connections."""

from __future__ import annotations

from collections.abc import Iterator

from routing_engine.asterisk.ami_wire import AmiMessage
from routing_engine.calls.pbx_events import HistoryRead, PbxEvent, Tick
from routing_engine.pbx.ami_events import events_of, restarted, snapshot
from routing_engine.pbx.history import read_history
from tests.calls.recorded import STREAMS, began, connections


def stream_events(name: str, history: bool = False) -> Iterator[PbxEvent]:
    """Yield the events of a stream as whoever follows a PBX makes them, with what its call records say or without."""
    last = 0.0
    for number, (began_at, connection) in enumerate(zip(began(name), connections(name), strict=True)):
        asked: list[AmiMessage] = []
        for message in connection:
            kind = message.get("Event")
            for event in events_of(message, last):
                last = event.at
                yield event
            if kind == "FullyBooted" and (booted := restarted(message, began_at)):
                yield booted
                if number:
                    yield HistoryRead(began_at)
            elif kind in ("CoreShowChannel", "Status"):
                asked.append(message)
            elif kind == "StatusComplete":
                yield snapshot(asked, asked, began_at)
                if history:
                    yield from read_history(STREAMS / f"{name}.csv", began_at)
                yield HistoryRead(began_at)
    yield Tick(last + 120)
