"""The log: one event a line with fields, nothing from a caller or a CRM able to forge a line.

Event names are `thing.happened`; the reference in docs/ lists them. JSON where a program reads, text on a terminal.
structlog is imported with the first event: that takes as long as the rest of a command, which has nothing to log.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TextIO, TypeAlias

from routing_engine.core.model import Json
from routing_engine.core.redact import visible

if TYPE_CHECKING:
    import structlog

#: No text of an event is longer: a line is for people.
_LONGEST = 2000


def set_up_log(level: str, form: Literal["auto", "json", "text"], stream: TextIO | None = None) -> None:
    """Send every event of at least `level` to `stream`, standard error by default.

    `auto` is text on a terminal and JSON elsewhere.
    """
    import structlog  # late: see above

    stream = stream or sys.stderr
    structlog.configure(
        processors=_processors(form, stream),
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        # One write for a line and its end; a `print` makes two of it.
        logger_factory=structlog.WriteLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )


def _processors(form: str, stream: TextIO) -> list[structlog.typing.Processor]:
    import structlog  # late: see above

    text = form == "text" or (form == "auto" and stream.isatty())
    renderer: structlog.typing.Processor = structlog.processors.JSONRenderer(ensure_ascii=False)
    if text:
        renderer = structlog.dev.ConsoleRenderer(colors=stream.isatty(), sort_keys=False)
    return [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        # Who looks at a terminal looks at the clock on the wall; programs get UTC, which no summer shifts.
        structlog.processors.TimeStamper(fmt="%Y-%m-%d %H:%M:%S" if text else "iso", utc=not text),
        _one_line,
        renderer,
    ]


def _one_line(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Put time, level and event first, and take control characters out of every text: no value begins a line."""
    first = {key: event.pop(key) for key in ("timestamp", "level", "event") if key in event}
    return first | {key: _plain(value) for key, value in event.items()}


def _plain(value: Any) -> Any:
    """Return a value without what a terminal would obey or cannot show, in every text, however deep it lies."""
    if isinstance(value, str):
        return visible(value, _LONGEST)
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    # What an event may hold is JSON: nothing else has a text inside.
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value


#: What a field of an event may hold.
Field: TypeAlias = "Json | datetime | Path | Exception"


class Logger:
    """Writes events. Where nobody has set up a log, in a command, people read of errors alone."""

    def debug(self, event: str, **fields: Field) -> None:
        """Write what helps who looks for a fault."""
        self._write("debug", event, fields)

    def info(self, event: str, **fields: Field) -> None:
        """Write what goes as it should."""
        self._write("info", event, fields)

    def warning(self, event: str, **fields: Field) -> None:
        """Write what somebody should look at."""
        self._write("warning", event, fields)

    def error(self, event: str, **fields: Field) -> None:
        """Write what somebody must mend."""
        self._write("error", event, fields)

    def _write(self, level: str, event: str, fields: dict[str, Field]) -> None:
        import structlog  # late: see above

        if structlog.is_configured():
            getattr(structlog.get_logger(), level)(event, **fields)
        elif level == "error":
            # Not by a setting for all: who sets up a log later, such as a test that reads along, begins anew.
            structlog.wrap_logger(structlog.PrintLogger(sys.stderr), _processors("auto", sys.stderr)).error(
                event, **fields
            )
