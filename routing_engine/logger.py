"""The log: one event a line with fields, nothing from a caller or a CRM able to forge a line.

Event names are `thing.happened`; the reference in docs/ lists them. JSON where a program reads, text on a terminal.
structlog is imported with the first event: that takes as long as the rest of a command, which has nothing to log.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
from collections.abc import Mapping, MutableMapping
from datetime import UTC, datetime
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
        processors=_processors(form, stream, level),
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        # One write for a line and its end; a `print` makes two of it.
        logger_factory=structlog.WriteLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )


def _processors(form: str, stream: TextIO, level: str = "debug") -> list[structlog.typing.Processor]:
    import structlog  # late: see above

    if form == "text" or (form == "auto" and stream.isatty()):
        return [
            structlog.processors.add_log_level,
            # Who looks at a terminal looks at the clock on the wall; programs get UTC, which no summer shifts.
            structlog.processors.TimeStamper(fmt="%Y-%m-%d %H:%M:%S", utc=False),
            _one_line,
            structlog.dev.ConsoleRenderer(colors=stream.isatty(), sort_keys=False),
        ]
    return [structlog.processors.add_log_level, JsonLines(stream, level)]


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


class JsonLines:
    """Events as lines of JSON, for programs. structlog's last processor; `Logger` comes here directly."""

    def __init__(self, stream: TextIO, level: str) -> None:
        self._stream, self._least = stream, _LEVELS[level.lower()]
        self._lock = threading.Lock()  # the journal's thread has something to say, too

    def __call__(self, _: object, __: str, event: MutableMapping[str, Any]) -> str:
        """Return the line of an event of structlog."""
        level, name = event.pop("level"), event.pop("event")
        return _json_line(level, name, event)

    def takes(self, level: str) -> bool:
        """Return whether events of a level are written."""
        return _LEVELS[level] >= self._least

    def write(self, level: str, event: str, fields: Mapping[str, Any]) -> None:
        """Write an event, if its level is."""
        if _LEVELS[level] >= self._least:
            line = _json_line(level, event, fields) + "\n"
            with self._lock:
                self._stream.write(line)
                self._stream.flush()


_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}
_as_text, _as_json = json.encoder.encode_basestring, json.JSONEncoder(ensure_ascii=False, default=repr).encode


def _json_line(level: str, event: str, fields: Mapping[str, Any]) -> str:
    """Return an event as JSON. Its texts, which nearly all of it is, are written without an encoder for the whole: half
    of the time that a chain of processors took for the line of a call.
    """
    now = datetime.now(UTC).isoformat()[:-6]
    said = [f'{{"timestamp": "{now}Z", "level": "{level}", "event": {_as_text(event)}']
    for key, value in fields.items():
        if isinstance(value, str):
            shown = value if len(value) <= _LONGEST and value.isprintable() else visible(value, _LONGEST)
            said.append(f'"{key}": {_as_text(shown)}')
        elif type(value) is int:
            said.append(f'"{key}": {value}')
        else:
            said.append(f'"{key}": {_as_json(_plain(value))}')
    return ", ".join(said) + "}"


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

    def debugs(self) -> bool:
        """Return whether `debug` writes anything."""
        import structlog  # late: see above

        lines = _json_lines()
        return structlog.get_logger().is_enabled_for(logging.DEBUG) if lines is None else lines.takes("debug")

    def _write(self, level: str, event: str, fields: dict[str, Field]) -> None:
        import structlog  # late: see above

        if (lines := _json_lines()) is not None:
            lines.write(level, event, fields)
        elif structlog.is_configured():
            getattr(structlog.get_logger(), level)(event, **fields)
        elif level == "error":
            # Not by a setting for all: who sets up a log later, such as a test that reads along, begins anew.
            structlog.wrap_logger(structlog.PrintLogger(sys.stderr), _processors("auto", sys.stderr)).error(
                event, **fields
            )


def _json_lines() -> JsonLines | None:
    """Return what writes lines of JSON, if that is how the log is set up now."""
    import structlog  # late: see above

    processors = structlog.get_config()["processors"]
    found = processors[-1] if processors else None
    return found if isinstance(found, JsonLines) else None
