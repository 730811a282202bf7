"""Facts that others may hear: the log, metrics, the journal, later the CRM."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from routing_engine.core.model import Caller, Decision


@dataclass(frozen=True, slots=True)
class CallRouted:
    """A decision was handed back to the dialplan. `took_ms` runs from the first byte of the call to that moment."""

    caller: Caller
    decision: Decision
    took_ms: float


@dataclass(frozen=True, slots=True)
class CallAbandoned:
    """The caller hung up, or the channel broke, before a decision could be handed back. `why` says which."""

    caller: Caller
    route: str
    why: str
    took_ms: float


Publish = Callable[[CallRouted | CallAbandoned], None]
