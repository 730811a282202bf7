"""The files of a configuration folder: their texts at one moment, and a cheap sign that they have changed."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from routing_engine.settings.environment import ENVIRONMENT
from routing_engine.storage.texts import NotText, text_of

#: Folders of the configuration, and how a file in each ends. `state` is what commands write: no part of the revision.
INTEGRATIONS, ROUTES, CALENDARS, LISTS, STATE = "integrations", "routes", "calendars", "lists", "state"
#: Descriptions of kinds of system, the operator's own.
PROVIDERS = "providers"
#: Asterisks whose calls are followed.
PBXS = "pbxs"
#: Who is told of calls over HTTP.
WEBHOOKS = "webhooks"
_YAML = (".yaml", ".yml")
_ROOMS = {
    PROVIDERS: _YAML,
    INTEGRATIONS: _YAML,
    PBXS: _YAML,
    WEBHOOKS: _YAML,
    ROUTES: _YAML,
    CALENDARS: (".ics",),
    LISTS: (".txt", ".csv"),
    STATE: _YAML,
}
#: The names of the file of the service itself; the first that is there.
ENGINE = ("engine.yaml", "engine.yml")
#: And of the file of the people who take calls.
USERS = ("users.yaml", "users.yml")
#: And of what each group of them may.
GROUPS = ("groups.yaml", "groups.yml")
_LARGEST = 1 << 20
#: 100,000 numbers with a remark each are some 5 MiB.
_LARGEST_LIST = 16 << 20

_READABLE = "make it readable for the engine's user, or remove it"

#: What `stat` says of every file and folder; it differs when anything was written, renamed or linked anew.
Signature: TypeAlias = tuple[tuple[str, ...] | tuple[str, str, int, int, int, int], ...]


@dataclass(frozen=True, slots=True)
class UnreadableFile:
    """A file without a text that can be used, and why."""

    why: str
    remedy: str


@dataclass(frozen=True, slots=True)
class FolderTexts:
    """The texts of all files by relative name, `routes/support.yaml`. `revision` differs with the content only.

    `content` differs also with what commands have written below `state`. `missing` names the folder itself when it is
    not there.
    """

    texts: Mapping[str, str | UnreadableFile]
    revision: str
    content: str
    missing: str = ""
    #: Differs with what `environment` holds, and is written nowhere.
    secrets: str = ""

    def under(self, folder: str) -> dict[str, str | UnreadableFile]:
        """Return the files of one folder."""
        return {name: text for name, text in self.texts.items() if name.startswith(folder + "/")}

    @property
    def engine(self) -> tuple[str, str | UnreadableFile] | None:
        """The name and text of engine.yaml; None when it is missing."""
        return self._first(ENGINE)

    @property
    def users(self) -> tuple[str, str | UnreadableFile] | None:
        """The name and text of users.yaml; None when it is missing."""
        return self._first(USERS)

    @property
    def groups(self) -> tuple[str, str | UnreadableFile] | None:
        """The name and text of groups.yaml; None when it is missing."""
        return self._first(GROUPS)

    def _first(self, names: tuple[str, ...]) -> tuple[str, str | UnreadableFile] | None:
        return next(((name, self.texts[name]) for name in names if name in self.texts), None)


def read_folder(folder: Path) -> FolderTexts:
    """Read every configuration file below `folder`."""
    if not folder.is_dir():
        return FolderTexts({}, "missing", "missing", str(folder))
    contents = {name: _read_bytes(path, _largest(name)) for name, path in sorted(_files(folder))}
    contents |= {f"{room}/": found for room in _ROOMS if room != STATE and (found := _closed(folder / room))}
    if closed := _closed(folder):
        contents[ENGINE[0]] = closed
    written = {name: content for name, content in contents.items() if not name.startswith(STATE + "/")}
    texts = {name: _as_text(content) for name, content in contents.items()}
    secrets = {ENVIRONMENT: _read_bytes(folder / ENVIRONMENT, _LARGEST)}
    return FolderTexts(texts, _revision(written), _revision(contents), secrets=_revision(secrets))


def read_engine_file(folder: Path) -> tuple[str, str | UnreadableFile] | None:
    """Return the name and text of engine.yaml alone; None when it is missing."""
    if closed := _closed(folder):
        return ENGINE[0], closed
    found = next((name for name in ENGINE if os.path.lexists(folder / name)), None)
    return None if found is None else (found, _as_text(_read_bytes(folder / found, _LARGEST)))


def signature(folder: Path) -> Signature:
    """Return a sign of the folder's state; as cheap as one `stat` a file."""
    paths = [
        ("", folder),
        (ENVIRONMENT, folder / ENVIRONMENT),
        *((name, folder / name) for name in _ROOMS),
        *sorted(_files(folder)),
    ]
    return tuple(_sign(name, path) for name, path in paths)


def _sign(name: str, path: Path) -> tuple[str, ...] | tuple[str, str, int, int, int, int]:
    try:
        found = path.stat()
        return name, os.path.realpath(path), found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
    except (OSError, ValueError) as error:
        return name, type(error).__name__


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    yield from ((name, folder / name) for name in (*ENGINE, *USERS, *GROUPS) if os.path.lexists(folder / name))
    for room, endings in _ROOMS.items():
        for name in _names(folder / room, endings):
            yield f"{room}/{os.fsencode(name).decode('utf-8', 'replace')}", folder / room / name


def _names(folder: Path, endings: tuple[str, ...]) -> list[str]:
    """Names of files that end so: no hidden ones (ConfigMap's `..data`, lock files), no backups of editors."""
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    return [name for name in names if name.endswith(endings) and not name.startswith((".", "#", "~"))]


def _closed(folder: Path) -> UnreadableFile | None:
    """Return why a folder that is there cannot be looked into: its files must not pass for files that are not there."""
    try:
        os.scandir(folder).close()
    except PermissionError as error:
        return UnreadableFile(f"this cannot be read: {error.strerror}", _READABLE)
    except OSError:
        return None  # it is not there, which is allowed, or no folder, which others say
    return None


def _largest(name: str) -> int:
    return _LARGEST_LIST if name.startswith(LISTS + "/") else _LARGEST


def _read_bytes(path: Path, largest: int) -> bytes | UnreadableFile:
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # opening a pipe would wait for ever
            return UnreadableFile("this is not a file", "put the configuration into a file, or rename this")
        with open(path, "rb") as file:
            content = file.read(largest + 1)
    except OSError as error:
        return UnreadableFile(f"this cannot be read: {error.strerror}", _READABLE)
    if len(content) > largest:
        return UnreadableFile(f"this is larger than {largest >> 20} MiB", "split it into several files")
    return content


def _as_text(content: bytes | UnreadableFile) -> str | UnreadableFile:
    if isinstance(content, UnreadableFile):
        return content
    try:
        return text_of(content)
    except NotText as fault:
        where = f" (the first wrong byte is on line {fault.line})" if fault.line else ""
        return UnreadableFile(f"{fault}{where}", fault.remedy)


def _revision(contents: Mapping[str, bytes | UnreadableFile]) -> str:
    digest = hashlib.sha256()
    for name, content in sorted(contents.items()):
        written = content if isinstance(content, bytes) else content.why.encode()
        digest.update(f"{name}\0{len(written)}\0".encode("utf-8", "surrogateescape"))
        digest.update(written)
    return digest.hexdigest()[:12]
