"""The edge to a terminal: what the commands print cannot make it do anything but show text."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO, cast

from routing_engine.core.redact import visible

#: Colours and weights, as we and the log write them; not `8`, which hides what follows.
_COLOUR = re.compile(r"(\x1b\[(?:[0-79]|[39][0-7])(?:;(?:[0-79]|[39][0-7]))*m|[\n\t])")


class Screen:
    """A stream that lets nothing through that a terminal would obey: a CRM's texts are printed by many commands."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write text; a character that is none of a text becomes a space. Colours pass on a terminal only."""
        line = text.removesuffix("\n")  # nearly always one line of the log
        self._stream.write(text if line.isprintable() else self._shown(text))
        return len(text)

    def _shown(self, text: str) -> str:
        colours = self._stream.isatty()
        parts = _COLOUR.split(text)  # every second one is a colour or an end of a line
        return "".join(
            part if place % 2 and (colours or part in "\n\t") else visible(part) for place, part in enumerate(parts)
        )

    # Whatever else a stream can do, it does as before.
    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def guarded() -> Iterator[None]:
    """Put a `Screen` before standard output and standard error for as long as the block lasts."""
    out, err = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = cast(TextIO, Screen(out)), cast(TextIO, Screen(err))
    try:
        yield
    finally:
        sys.stdout, sys.stderr = out, err
