"""Spans: one for a call, and in it one for each look-up, prompt and filling. Imports the extra `traces`.

They are made when a call is over, out of the moments that were noted, and sent by a thread of the SDK, whose queue is
bounded: what a collector does not take in time is dropped.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Sequence
from contextvars import ContextVar

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import SpanKind, Status, StatusCode, set_span_in_context

from routing_engine.core.destinations import say_destination
from routing_engine.core.events import CallAbandoned, CallEnded, CallRouted
from routing_engine.core.model import Decision
from routing_engine.core.ports import Channel, Lookup
from routing_engine.core.redact import shown_caller, visible
from routing_engine.logger import Logger
from routing_engine.metrics.traced import Attribute, Moment, TracedChannel, TracedLookup

SERVICE = "routing-engine"
#: What attributes of ours begin with.
OURS = "routing_engine."
_LONGEST = 200
_CLOSE_S = 3.0

_log = Logger()
#: When the call of the task that runs began (in ns), and its moments: what ends a call knows nothing of who follows it.
_FOLLOWED: ContextVar[tuple[int, list[Moment]] | None] = ContextVar("followed", default=None)


class Traces:
    """Makes traces. `around` every call, `call_ended` behind it; `close` at the end."""

    def __init__(self, processor: SpanProcessor, version: str) -> None:
        self.plain_numbers = False
        self._provider = TracerProvider(resource=_resource(version), shutdown_on_exit=False)
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("routing_engine", version)

    def around(self, channel: Channel, lookup: Lookup) -> tuple[Channel, Lookup]:
        """Note what the call of this task does from now on: return what stands for its channel and look-ups."""
        moments: list[Moment] = []
        _FOLLOWED.set((time.time_ns(), moments))
        return TracedChannel(channel, moments), TracedLookup(lookup, moments)

    def call_ended(self, event: CallEnded) -> None:
        """Make the trace of the call of this task."""
        if (followed := _FOLLOWED.get()) is not None:
            self._make(*followed, event)

    async def close(self, timeout_s: float = _CLOSE_S) -> None:
        """Send what waits; a collector that hangs is not waited for longer than `timeout_s`."""
        sender = threading.Thread(target=self._provider.shutdown, name="traces", daemon=True)
        sender.start()
        await asyncio.to_thread(sender.join, timeout_s)

    def _make(self, began_ns: int, moments: Sequence[Moment], event: CallEnded) -> None:
        # All of it now, behind the call: what a span costs falls to nobody who waits.
        now_ns = time.time_ns()
        # An empty context: a call has no parent, whatever happens to be current in its task.
        call = self._tracer.start_span(
            "call", Context(), SpanKind.SERVER, _attributes(_of_call(event, self.plain_numbers)), start_time=began_ns
        )
        fault = _fault_of(event)
        if fault:
            call.set_status(Status(StatusCode.ERROR, fault))
        within = set_span_in_context(call, Context())
        for one in moments:
            kind = SpanKind.CLIENT if one.asks else SpanKind.INTERNAL
            part = self._tracer.start_span(one.name, within, kind, _attributes(one.attributes), start_time=one.began_ns)
            if one.fault:
                part.set_status(Status(StatusCode.ERROR, visible(one.fault, _LONGEST)))
            part.end(one.ended_ns or now_ns)  # one that was cancelled goes on to the end of its call
        call.end(now_ns)


def over_http(host: str, version: str) -> Traces:
    """Return traces that are sent to a collector; the SDK takes its address and all else from the environment."""
    sdk = logging.getLogger("opentelemetry")  # what it says of each failure, `_Told` says once, as an event
    sdk.propagate = False
    sdk.addHandler(logging.NullHandler())
    return Traces(BatchSpanProcessor(_LoggedExporter(OTLPSpanExporter(), host)), version)


class _LoggedExporter(SpanExporter):
    """An exporter whose failing is logged once, and once when it works again. Runs in a thread of the SDK."""

    def __init__(self, exporter: SpanExporter, host: str) -> None:
        self._exporter, self._host = exporter, host
        self._down = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send spans."""
        result = self._exporter.export(spans)
        down = result is not SpanExportResult.SUCCESS
        if down and not self._down:
            _log.warning("traces.down", host=self._host)
        elif self._down and not down:
            _log.info("traces.up", host=self._host)
        self._down = down
        return result

    def shutdown(self) -> None:
        """Let go of connections."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Send what the exporter holds back."""
        return self._exporter.force_flush(timeout_millis)


def _resource(version: str) -> Resource:
    """Say who we are; the environment may say it otherwise (OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES)."""
    found = Resource.create({SERVICE_VERSION: version})
    nameless = str(found.attributes.get(SERVICE_NAME, "")).startswith("unknown_service")
    return found.merge(Resource({SERVICE_NAME: SERVICE})) if nameless else found


def _of_call(event: CallEnded, plain: bool) -> dict[str, Attribute]:
    about: dict[str, Attribute] = {
        "call_id": event.caller.call_id,
        "caller": shown_caller(event.caller, plain),
        "route": event.route,
        "waited_s": round(event.waited_s, 3),
        "silence_s": round(event.silence_s, 3),
    }
    if isinstance(event, CallAbandoned):
        return about | {"abandoned": event.cause}
    return about | (_of_decision(event.decision, plain) if isinstance(event, CallRouted) else {})


def _of_decision(decision: Decision, plain: bool) -> dict[str, Attribute]:
    return {
        "reason": decision.reason,
        "source": decision.source,
        "rule": decision.rule,
        "destination": say_destination(decision.destination, plain),
        "revision": decision.revision,
    }


def _fault_of(event: CallEnded) -> str:
    """Return what went wrong, "" for nothing; a caller who hangs up is not a fault."""
    if isinstance(event, CallAbandoned):
        return "" if event.cause == "hung_up" else visible(event.why, _LONGEST)
    return "the engine fell back" if isinstance(event, CallRouted) and event.decision.failed else ""


def _attributes(about: dict[str, Attribute]) -> dict[str, Attribute]:
    """Return attributes as they are sent: of bounded length, without what a terminal would obey."""
    return {OURS + name: visible(one, _LONGEST) if isinstance(one, str) else one for name, one in about.items()}
