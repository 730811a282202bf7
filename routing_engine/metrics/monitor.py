"""All of this room behind one door, for the service: what is not wanted does nothing and is not even imported."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from routing_engine.core.events import CallAbandoned, CallRouted, LookedUp
from routing_engine.core.ports import Channel, Lookup, Speech
from routing_engine.metrics.traces import open_traces

if TYPE_CHECKING:
    from routing_engine.metrics.listener import MetricsListener
    from routing_engine.metrics.meter import Meter
    from routing_engine.metrics.readings import Readings
    from routing_engine.metrics.spans import TracedCall


class Monitor:
    """Metrics once `listen` is called, traces as the environment says (`variables`). `close` at the end."""

    def __init__(self, version: str, variables: Mapping[str, str]) -> None:
        self._version = version
        self._traces = open_traces(variables, version)
        self._meter: Meter | None = None
        self._listener: MetricsListener | None = None

    @property
    def addresses(self) -> list[str]:
        """Where metrics are, as `host:port`."""
        return self._listener.addresses if self._listener is not None else []

    async def listen(self, host: str, port: int, readings: Readings) -> None:
        """Count from now on, and answer scrapers. Raises `OSError` when the address is taken or not ours."""
        from routing_engine.metrics.listener import MetricsListener
        from routing_engine.metrics.meter import Meter

        self._meter = Meter(readings, self._version)
        self._listener = MetricsListener(self._meter)
        await self._listener.listen(host, port)

    def took(self, revision: str, routes: Collection[str], integrations: Collection[str]) -> None:
        """Note a configuration that is in force from now on."""
        if self._meter is not None:
            self._meter.took(revision, routes, integrations)

    def refused(self) -> None:
        """Note a configuration that cannot be used."""
        if self._meter is not None:
            self._meter.refused()

    def failed(self) -> None:
        """Note a fault of ours."""
        if self._meter is not None:
            self._meter.failed()

    def looked_up(self, event: LookedUp) -> None:
        """Hear of a look-up."""
        if self._meter is not None:
            self._meter.looked_up(event)

    def measured(self, speech: Speech | None) -> Speech | None:
        """Return what speaks, counted."""
        if self._meter is None or speech is None:
            return speech
        from routing_engine.metrics.meter import MeasuredSpeech

        return MeasuredSpeech(speech, self._meter)

    def follow(self, channel: Channel, lookup: Lookup) -> TracedCall | None:
        """Follow a call for its trace; None when no traces are made."""
        return self._traces.follow(channel, lookup) if self._traces is not None else None

    def publish(self, event: CallRouted | CallAbandoned, followed: TracedCall | None, plain_numbers: bool) -> None:
        """Hear of a call that is over."""
        if self._meter is not None:
            self._meter.publish(event)
        if followed is not None:
            followed.finish(event, plain_numbers)

    async def close(self) -> None:
        """Close the listener, last of all: who asks during a drain is answered. Send the traces that wait."""
        if self._listener is not None:
            await self._listener.stop()
        if self._traces is not None:
            await self._traces.close()
