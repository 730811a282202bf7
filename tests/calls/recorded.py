"""The event streams that `python -m rig.record_streams` recorded from a real Asterisk, and what is expected of them.

`NAME.ami` has the bytes of one manager connection or of several, one after the other, each from its banner on.
`NAME.yaml` tells what people did, and the call records of it (`calls`), as the telephones saw it: their moments are
those of the telephones' clock. A member that a record does not have was not known to the telephones.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from routing_engine.asterisk.ami_wire import AmiMessage, AmiWire

STREAMS = Path(__file__).parent / "streams"
NAMES = tuple(sorted(path.stem for path in STREAMS.glob("*.ami")))
_BANNER = re.compile(rb"^Asterisk Call Manager/", re.MULTILINE)


@cache
def connections(name: str) -> tuple[tuple[AmiMessage, ...], ...]:
    """Return the messages of a stream, a tuple for each connection."""
    raw = (STREAMS / f"{name}.ami").read_bytes()
    starts = [found.start() for found in _BANNER.finditer(raw)]
    pieces = (raw[start:end] for start, end in zip(starts, [*starts[1:], len(raw)], strict=True))
    return tuple(tuple(AmiWire().feed(piece)) for piece in pieces)


@cache
def began(name: str) -> tuple[float, ...]:
    """Return when each connection was made."""
    return tuple(_page(name)["connections"])


@cache
def expected(name: str) -> tuple[dict[str, Any], ...]:
    """Return the call records that a stream is expected to give."""
    return tuple(_page(name)["calls"])


@cache
def _page(name: str) -> dict[str, Any]:
    page: dict[str, Any] = yaml.safe_load((STREAMS / f"{name}.yaml").read_text())
    return page
