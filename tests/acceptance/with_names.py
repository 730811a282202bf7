"""The engine with a resolver of the test's: argument 1 is a JSON file of names with their addresses, then as ever."""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path

NAMES = Path(sys.argv.pop(1))
sys.modules["uvloop"] = None  # type: ignore[assignment]  # it asks the C library itself
ask = socket.getaddrinfo


def look_up(host: object, *rest: object, **more: object) -> object:
    """What the system's resolver does, for the names of the file too."""
    return ask(json.loads(NAMES.read_text()).get(host, host), *rest, **more)  # type: ignore[arg-type]


socket.getaddrinfo = look_up  # type: ignore[assignment]

from routing_engine.cli import main  # noqa: E402

main()
