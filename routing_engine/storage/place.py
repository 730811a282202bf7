"""Where the engine's database is: a file of SQLite, or a PostgreSQL. Imports nothing heavy: settings know of it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

#: What one may write for a PostgreSQL.
_SCHEMES = ("postgresql://", "postgres://")


@dataclass(frozen=True, slots=True)
class DatabasePlace:
    """Where the database is: `path` is a file of SQLite; where it is None, `url` is the address of a PostgreSQL.

    `older` are files of SQLite from before, the newest first: what is in the first that is there is taken over.
    """

    path: Path | None = None
    url: str = field(default="", repr=False)  # a password may stand in it
    older: tuple[Path, ...] = ()

    @property
    def name(self) -> str:
        """The place as people may read it: without a password."""
        if self.path is not None:
            return str(self.path)
        return re.sub(r"(://[^:/@]*):.*@", r"\1:***@", self.url.partition("?")[0])


def check_place(text: str) -> None:
    """Raise `ValueError`, with a sentence, for what is neither a file nor the address of a PostgreSQL."""
    if "://" not in text:
        # SQLite would make a file of the first part, or fail with a sentence that helps nobody.
        if "\0" in text or text.endswith("/"):
            raise ValueError("'database' must name a file, or a PostgreSQL")
        return
    if not text.startswith(_SCHEMES):
        raise ValueError(f"'{text.partition(':')[0][:40]}' is no database that the engine can use")


def is_server(text: str) -> bool:
    """Return whether a text is the address of a PostgreSQL."""
    return text.startswith(_SCHEMES)
