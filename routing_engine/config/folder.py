"""The files of a configuration folder: their texts at one moment, and a cheap sign that they have changed."""

from __future__ import annotations

import codecs
import hashlib
import os
import stat
import time
from collections.abc import Collection, Iterator, Mapping
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
ROOMS: Mapping[str, tuple[str, ...]] = {
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
_Sign: TypeAlias = tuple[str, str] | tuple[str, str, int, int, int, int]
Signature: TypeAlias = tuple[_Sign, ...]
#: Larger files, lists of numbers, are not kept twice in memory.
_KEPT_UP_TO = 1 << 20


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
    #: Files that begin with a byte order mark, which is no part of their texts.
    marked: frozenset[str] = frozenset()

    @classmethod
    def of(cls, contents: Mapping[str, bytes], revision: str) -> FolderTexts:
        """Return what a folder was whose files held this."""
        texts = {name: _as_text(content) for name, content in contents.items()}
        return cls(texts, revision, revision, marked=_marked(contents))

    @property
    def written(self) -> Iterator[str]:
        """The names of the files of the revision that can be read."""
        return (name for name, text in self.texts.items() if isinstance(text, str) and is_file_of_ours(name))

    def bytes_of(self, name: str) -> bytes:
        """Return what a file that can be read holds, byte by byte."""
        return (codecs.BOM_UTF8 if name in self.marked else b"") + str(self.texts[name]).encode()

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


def read_folder(folder: Path, known: KnownFiles | None = None) -> FolderTexts:
    """Read every configuration file below `folder`; what is `known` and has not changed is not opened again."""
    if not folder.is_dir():
        return FolderTexts({}, "missing", "missing", str(folder))
    known = KnownFiles() if known is None else known
    contents = {name: known.read(name, path) for name, path in sorted(_files(folder))}
    contents |= {f"{room}/": found for room in ROOMS if room != STATE and (found := _closed(folder / room))}
    if closed := _closed(folder):
        contents[ENGINE[0]] = closed
    written = {name: content for name, content in contents.items() if not name.startswith(STATE + "/")}
    texts = {name: known.text(name, content) for name, content in contents.items()}
    known.forget_others(contents)
    secrets = {ENVIRONMENT: _read_bytes(folder / ENVIRONMENT, _LARGEST)}
    return FolderTexts(texts, _revision(written), _revision(contents), "", _revision(secrets), _marked(contents))


def read_engine_file(folder: Path) -> tuple[str, str | UnreadableFile] | None:
    """Return the name and text of engine.yaml alone; None when it is missing."""
    if closed := _closed(folder):
        return ENGINE[0], closed
    found = next((name for name in ENGINE if os.path.lexists(folder / name)), None)
    return None if found is None else (found, _as_text(_read_bytes(folder / found, _LARGEST)))


class KnownFiles:
    """What the files of one folder held the last time. One that was written less than `settled_s` ago is read again.

    A clock of the disk ticks every few milliseconds: what is written twice within one tick looks the same.
    """

    def __init__(self, settled_s: float = 2.0) -> None:
        self._settled_ns = settled_s * 1e9
        self._bytes: dict[str, tuple[tuple[int, ...], bytes]] = {}
        self._texts: dict[str, tuple[bytes, str | UnreadableFile]] = {}

    def read(self, name: str, path: str) -> bytes | UnreadableFile:
        """Return what a file holds."""
        sign, (kept, content) = _look_of(path), self._bytes.get(name, ((), b""))
        if sign and sign == kept:
            return content
        found = _read_bytes(path, _largest(name))
        left_alone = sign and time.time_ns() - max(sign[2:]) > self._settled_ns
        if isinstance(found, bytes) and left_alone and len(found) <= _KEPT_UP_TO:
            self._bytes[name] = sign, found
        else:
            self._bytes.pop(name, None)
        return found

    def forget_others(self, names: Collection[str]) -> None:
        """Forget files that are there no more."""
        for kept in (self._bytes, self._texts):
            for gone in kept.keys() - set(names):
                del kept[gone]

    def text(self, name: str, content: bytes | UnreadableFile) -> str | UnreadableFile:
        """Return the text of what a file holds."""
        if not isinstance(content, bytes):
            return content
        kept = self._texts.get(name)
        if kept is None or kept[0] is not content:
            kept = self._texts[name] = content, _as_text(content)
        return kept[1]


def _look_of(path: str) -> tuple[int, ...]:
    """Return what differs once a file is another one or holds something else: inode, size, when it changed."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return ()
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def signature(folder: Path) -> Signature:
    """Return a sign of the folder's state; as cheap as one `stat` a file."""
    paths = [("", folder), (ENVIRONMENT, folder / ENVIRONMENT), *((name, folder / name) for name in ROOMS)]
    rooms = (sign for room, endings in ROOMS.items() for sign in _signs_in(folder / room, room, endings))
    return tuple(_sign(name, path) for name, path in (*paths, *_top_files(folder))) + tuple(sorted(rooms))


def _sign(name: str, path: Path) -> _Sign:
    try:
        found = path.stat()
        return name, os.path.realpath(path), found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
    except (OSError, ValueError) as error:
        return name, type(error).__name__


def _signs_in(folder: Path, room: str, endings: tuple[str, ...]) -> Iterator[_Sign]:
    """Yield the signs of a room's files. Links are followed one by one: 10,000 files take 60 ms so, else 450."""
    real = os.path.realpath(folder)
    try:
        entries = [entry for entry in os.scandir(folder) if _is_ours(entry.name, endings)]
    except OSError:
        return
    for entry in entries:
        name = f"{room}/{entry.name}"
        if entry.is_symlink():
            yield _sign(name, Path(entry.path))
            continue
        try:
            found = entry.stat()
        except OSError as error:
            yield name, type(error).__name__
        else:
            where = f"{real}/{entry.name}"
            yield name, where, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _files(folder: Path) -> Iterator[tuple[str, str]]:
    yield from ((name, str(path)) for name, path in _top_files(folder))
    for room, endings in ROOMS.items():
        for name in _names(folder / room, endings):
            # Not a Path for each: of 10,000 files they take a third of the time of a reload.
            yield f"{room}/{os.fsencode(name).decode('utf-8', 'replace')}", os.path.join(folder, room, name)


def _top_files(folder: Path) -> Iterator[tuple[str, Path]]:
    yield from ((name, folder / name) for name in (*ENGINE, *USERS, *GROUPS) if os.path.lexists(folder / name))


def _names(folder: Path, endings: tuple[str, ...]) -> list[str]:
    """Names of files that end so: no hidden ones (ConfigMap's `..data`, lock files), no backups of editors."""
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    return [name for name in names if _is_ours(name, endings)]


def _is_ours(name: str, endings: tuple[str, ...]) -> bool:
    return name.endswith(endings) and not name.startswith((".", "#", "~"))


def is_file_of_ours(name: str) -> bool:
    """Return whether a name is that of a file of a revision: one of the folder itself, or one of a room of it."""
    room, slash, file = name.partition("/")
    if not slash:
        return name in (*ENGINE, *USERS, *GROUPS)
    return room in ROOMS and room != STATE and not set(file) & {"/", "\0"} and _is_ours(file, ROOMS[room])


def _marked(contents: Mapping[str, bytes | UnreadableFile]) -> frozenset[str]:
    return frozenset(
        name for name, one in contents.items() if isinstance(one, bytes) and one.startswith(codecs.BOM_UTF8)
    )


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


def _read_bytes(path: str | Path, largest: int) -> bytes | UnreadableFile:
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # opening a pipe would wait for ever
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
