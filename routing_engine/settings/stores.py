"""What the engine keeps on the disk, and where: the sections `journal`, `cache` and `mirror` of engine.yaml."""

from __future__ import annotations

import importlib.util
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from routing_engine.settings.paths import state_folder
from routing_engine.settings.spec import setting
from routing_engine.settings.value_types import ValueType, choice, filled, parsed, random_key, whole
from routing_engine.settings.yaml_reader import Section, YamlValue
from routing_engine.storage.place import DatabasePlace, check_place, is_server

Mode: TypeAlias = Literal["masked", "plain", "hashed"]


def _file(path: str) -> str:
    # SQLite would make a file of the first part, or fail with a sentence that helps nobody.
    if "\0" in path or path.endswith("/"):
        raise ValueError("'path' must name a file")
    return path


def _read_database(value: YamlValue, _: str) -> str | None:
    written = value.text() if not value.is_mapping else None
    # A password comes from where secrets come from; without one there is nothing to hide.
    found = written if written is not None and "${" not in written else value.secret()
    if found is None:
        return None
    try:
        check_place(found)
    except ValueError as error:
        value.note(str(error), "write a file, or 'postgresql://USER@HOST/DATABASE'")
        return None
    if written is not None and is_server(found) and re.search(r"://[^/@]*:[^/@{]+@", written):
        value.note("a password stands in the address", "write 'postgresql://USER:${DATABASE_PASSWORD}@HOST/DATABASE'")
    if is_server(found) and importlib.util.find_spec("psycopg") is None:
        value.note("a PostgreSQL needs the package psycopg", "install it: pip install 'routing-engine[postgresql]'")
    return found


#: The key `database`.
DATABASE = ValueType(
    _read_database,
    lambda _: {"type": ["string", "object"]},
    "a file, or `postgresql://USER@HOST/DATABASE`",
    hidden=True,
)


@dataclass(frozen=True, slots=True)
class JournalSettings:
    """What is kept of each call, and how.

    `kept` False keeps none. `path` "" is the engine's database. `key` makes numbers findable that are not kept
    plain ("" has none). Older than `keep_days`, or more than `max_mb` on the disk: the oldest calls go.
    """

    kept: bool = True
    path: str = setting(
        parsed(_file, "a file; relative to the configuration folder", "write for example: /var/lib/NAME/journal.db"),
        "",
        "a file of its own, where it shall not be in the [database](engine.md#database)",
        usual="in the database",
        example="/var/lib/routing-engine/journal.db",
    )
    numbers: Mode = setting(choice("masked", "plain", "hashed"), "masked", "how [numbers](#numbers) are kept")
    key: str = setting(
        random_key(),
        "",
        "makes numbers that are not kept plain findable. `hashed` needs it. Make one with `openssl rand -hex 32`",
        example="'${JOURNAL_KEY}'",
    )
    keep_days: int = setting(whole(1, 3650, "days"), 90, "calls that are older are deleted")
    max_mb: int = setting(
        whole(10, 1_000_000, "MB"), 2000, "the oldest calls go when the file holds more. A call takes 1 to 2 KB"
    )

    def check(self, section: Section, what: str) -> None:
        """Note that `hashed` was written without a key: without one the hashes could not be made."""
        # By presence: a key that could not be read has a problem of its own already.
        if self.numbers == "hashed" and not section.has("key"):
            section.note("numbers", "'hashed' needs a key", "add for example: key: '${JOURNAL_KEY}'")


@dataclass(frozen=True, slots=True)
class CacheSettings:
    """At most `entries` answers and `max_mb` of memory; `path` is a file ("" keeps them in memory only)."""

    entries: int = setting(
        whole(1, 10_000_000), 20_000, "how many answers are kept. Above that the one not used for longest goes"
    )
    max_mb: int = setting(
        whole(1, 100_000, "MB"),
        64,
        "how much memory they may take together. An answer of more than 200 KB is not kept at all",
    )
    path: str = setting(
        filled("file"),
        "",
        "where they outlive a restart, relative to the configuration folder. Choose a place outside of it, else the "
        "engine reads its configuration anew whenever the cache is written",
        usual="none: in memory, gone at a restart",
        example="/var/lib/routing-engine/cache.db",
    )

    @property
    def most_bytes(self) -> int:
        """`max_mb` in bytes."""
        return self.max_mb * 1_000_000


@dataclass(frozen=True, slots=True)
class MirrorFolder:
    """Where the indexes of mirrored integrations lie; "" is the default of `mirror_folder`."""

    folder: str = setting(
        filled("path"),
        "",
        "where the indexes of [mirrored](mirror.md#on-the-disk) integrations lie, relative to the configuration "
        "folder. Name one elsewhere when that folder cannot be written",
        usual="`state/mirror`",
        example="/var/lib/routing-engine/mirror",
    )


def database_place(database: str, folder: Path, journal: str = "") -> DatabasePlace:
    """Return where the database is. `folder` is the configuration's: a relative path begins there.

    By default it is `calls.db` in `state_folder`. What lies there is taken over into any other; first of all there was
    a journal alone. `journal` is the file that the journal has to itself, which stays its own.
    """
    usual = state_folder(folder) / "calls.db"
    kept = {Path(os.path.abspath(folder / one)) for one in (database, journal) if one}
    older = tuple(one for one in (usual, usual.with_name("journal.db")) if Path(os.path.abspath(one)) not in kept)
    if is_server(database):
        return DatabasePlace(url=database, older=older)
    if database:
        return DatabasePlace(folder / database, older=older)
    return DatabasePlace(usual, older=tuple(one for one in older if one != usual))


def journal_place(settings: JournalSettings, database: str, folder: Path) -> DatabasePlace:
    """Return where the journal is: in the database, or in a file of its own."""
    return DatabasePlace(folder / settings.path) if settings.path else database_place(database, folder)


def cache_path(settings: CacheSettings, folder: Path) -> Path | None:
    """Return the file of the kept answers; None where they are in memory only. `folder` is the configuration's."""
    return folder / settings.path if settings.path else None


def mirror_folder(settings: MirrorFolder, folder: Path) -> Path:
    """Return the folder of the mirrors' indexes. `folder` is the configuration's: a relative path begins there."""
    return folder / settings.folder if settings.folder else state_folder(folder) / "mirror"
