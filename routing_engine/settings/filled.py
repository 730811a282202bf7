"""What `${NAME}` and `{file: ...}` stand for: it is quoted in no problem, and the engine's own keys stand nowhere."""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import PurePosixPath

#: A shorter value is part of many words.
_SHORTEST = 4
#: The engine's own: whoever has them reads the tokens, the journal, the calls.
_OWN = re.compile(r"ROUTING_ENGINE_|JOURNAL_KEY\Z")
#: Read from the environment alone.
_NOWHERE = "ROUTING_ENGINE_KEY"
_GIVEN = ("/run/", "/var/run/")
_LOOKS_SECRET = re.compile(r"TOKEN|SECRET|PASSW|PWD|CREDENTIAL|(?:^|_)(?:KEY|PASS|PIN)(?:_|\Z)", re.I)


@dataclass(slots=True)
class FilledValues:
    """The values of one file that do not stand in it, and what stands there instead."""

    _written: dict[str, str] = field(default_factory=dict)

    def add(self, value: str, written: str) -> str:
        """Remember a value, and return it."""
        if len(value) >= _SHORTEST:
            self._written[value] = written
        return value

    def as_written(self, text: str) -> str:
        """Return a text with what the file says in place of what it was filled with, also where that was cut short."""
        for value, written in self._written.items():
            lengths = range(min(len(value), len(text)), _SHORTEST - 1, -1)
            found = next((value[:length] for length in lengths if value[:length] in text), "")
            text = text.replace(found, written) if found else text
        return text


def is_own_key(name: str, file: str, secret: bool) -> bool:
    """Return whether a variable is one of the engine's own that may not stand here.

    They are secrets of engine.yaml: whoever writes an integration says what is sent where.
    """
    belongs = secret and PurePosixPath(file).stem == "engine" and name != _NOWHERE
    return _OWN.match(name) is not None and not belongs


def is_open_to_all(file: int, path: str) -> bool:
    """Return whether everybody on this machine may read the open file of a secret."""
    # A container gives its secrets to everybody within, and nobody else is there.
    return not path.startswith(_GIVEN) and bool(os.fstat(file).st_mode & stat.S_IROTH)


def looks_secret(name: str) -> bool:
    """Return whether the name of a variable says that its value is a secret."""
    return _LOOKS_SECRET.search(name) is not None
