"""Traces for OpenTelemetry, where they are wanted: `open_traces` is None everywhere else, and then nothing is paid.

An extra (`routing-engine[traces]`), configured by the standard OTEL_ variables alone. Only `spans` imports it, late.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from routing_engine.logger import Logger

if TYPE_CHECKING:
    from routing_engine.metrics.spans import Traces

PROTOCOL = "http/protobuf"
ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")

_log = Logger()


def open_traces(variables: Mapping[str, str], version: str) -> Traces | None:
    """Return what makes traces, as the environment says; None when it wants none, or nothing here can make them."""
    endpoint = _first(variables, ENDPOINTS)
    off = variables.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    if off or not endpoint or (variables.get("OTEL_TRACES_EXPORTER") or "otlp") != "otlp":
        return None
    # Said at the start: the SDK would fail with each batch, in a thread of its own.
    protocol = _first(variables, _PROTOCOLS) or PROTOCOL
    if protocol != PROTOCOL:
        _log.warning("traces.unavailable", why=f"the protocol '{protocol[:40]}' is not spoken here, {PROTOCOL} is")
        return None
    try:
        from routing_engine.metrics.spans import over_http
    except ImportError:
        _log.warning("traces.unavailable", why="packages are missing; install routing-engine[traces]")
        return None
    return over_http(urlsplit(endpoint).hostname or "", version)


def _first(variables: Mapping[str, str], names: Sequence[str]) -> str:
    return next((variables[name] for name in names if variables.get(name)), "")
