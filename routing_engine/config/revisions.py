"""Every revision that was in force, on the disk: files by the hash of what they hold, and a manifest for each revision.

A start takes the newest one while the folder is broken, `rollback` writes one back. Files are kept as they are written,
`${NAME}` and `{file: PATH}` unexpanded: no secret gets here. Calendar files and lists of the folder belong to them, for
routes need them. Tables of records do not: they are data of a system, as large as that, and a source whose table cannot
be read is down, not unknown. What commands switch (`state/`) is always today's.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path

from routing_engine import __version__
from routing_engine.config.authors import Author
from routing_engine.config.folder import FolderTexts, is_file_of_ours
from routing_engine.config.in_force import InForce, InForceFile
from routing_engine.errors import ConfigError, Problem, RevisionError
from routing_engine.settings.paths import state_folder
from routing_engine.storage.files import SHARED_FOLDER, make_folder, open_private, replace_file

#: The service's group may read them: its tools tell what is in force. Nobody else.
_MODE, _FOLDER_MODE = 0o640, 0o750
_NUMBER = re.compile(r"[0-9a-f]{12}\Z", re.ASCII)
_HASH = re.compile(r"[0-9a-f]{64}\Z", re.ASCII)
_SHORTEST = 4
_AS_OWNER = "run this as that user: root does not follow what it has written"
_ANEW = "mend the folder: the next start writes it anew"
_DAMAGED = "this is no configuration that was kept"


@dataclass(frozen=True, slots=True)
class Revision:
    """A revision that came into force at `at`, the last time; `files` has the hash of what each holds.

    `taken` is False for what a folder held that never was in force: it is kept since `at`. `version` is of the engine,
    `before` what was in force then, "" for nothing.
    """

    number: str
    at: datetime
    files: Mapping[str, str]
    author: Author = field(default_factory=Author)
    version: str = __version__
    taken: bool = True
    before: str = ""


class Revisions:
    """The revisions of a folder. What writes raises `OSError`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        #: Where they lie.
        self.path = state_folder(folder) / "revisions"
        #: What is in force.
        self.standing = InForceFile(folder)
        self._hashes: dict[str, tuple[str | None, str]] = {}

    # ------------------------------------------------------------------------------------- writing

    def keep(self, texts: FolderTexts, at: datetime, author: Author, taken: bool = True, before: str = "") -> Revision:
        """Keep what a folder holds as a revision, in force from now on if `taken`. One that is there is there again."""
        found = Revision(texts.revision, at, self.hashes(texts), author, taken=taken, before=before)
        make_folder(self.path.parent, SHARED_FOLDER)
        make_folder(self.path / "files", _FOLDER_MODE, above=_FOLDER_MODE)
        # The files first: a manifest that is there has all that it names.
        for name, digest in found.files.items():
            self._keep_file(digest, texts.bytes_of(name))
        self.note(found)
        return found

    def note(self, revision: Revision) -> None:
        """Write the manifest of a revision whose files are there."""
        told = {
            "engine": revision.version,
            "at": revision.at.isoformat(),
            **asdict(revision.author),
            "taken": revision.taken,
            "before": revision.before,
            "files": dict(revision.files),
        }
        replace_file(self._manifest(revision.number), json.dumps(told, indent=0).encode(), _MODE)

    def prune(self, keep: int, needed: Collection[str]) -> None:
        """Remove all but the newest, and those that are `needed`; then the files that none holds any more."""
        every = self.every()
        gone = [one for one in every[keep:] if one.number not in needed]
        for one in gone:
            self._manifest(one.number).unlink(missing_ok=True)
        if gone:
            held = {digest for one in every if one not in gone for digest in one.files.values()}
            # Of another engine of this folder there may be one that no manifest names yet: it holds the same lock.
            for path in (self.path / "files").iterdir():
                if path.name not in held:
                    path.unlink(missing_ok=True)

    def hashes(self, texts: FolderTexts) -> dict[str, str]:
        """Return the hash of what each file of the configuration holds."""
        found = {}
        for name in texts.written:
            text, digest = self._hashes.get(name, (None, ""))
            # By identity: of 10,000 files a reload has all but one from the reading before.
            if text is None or text is not texts.texts[name]:
                digest = hashlib.sha256(texts.bytes_of(name)).hexdigest()
            found[name] = digest
        self._hashes = {name: (str(texts.texts[name]), digest) for name, digest in found.items()}
        return found

    def announce(self, number: str, author: Author) -> None:
        """Say who brings a revision, and why, before the folder holds it."""
        with self.standing.held():
            told = {"revision": number, **asdict(author)}
            replace_file(self.path / "announced.json", json.dumps(told).encode(), _MODE)

    def announced(self, number: str) -> Author | None:
        """Return who has said to bring a revision; None for nobody."""
        try:
            told = json.loads(_content_of(self.path / "announced.json"))
            fits = told["revision"] == number
            return Author(str(told["who"]), str(told["why"]), str(told["commit"])) if fits else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _keep_file(self, digest: str, content: bytes) -> None:
        # Not flushed, one by one: of 10,000 files that would be half a minute, and the folder itself has them still.
        # One that a power cut has torn is written anew when it is next in force.
        path = self.path / "files" / digest
        with suppress(OSError):
            if path.stat().st_size == len(content):
                return
        file = open_private(path, _MODE)
        with open(file, "wb") as opened:
            opened.truncate()
            opened.write(content)

    # ------------------------------------------------------------------------------------- reading

    @property
    def newest(self) -> str:
        """The number of what was in force last; "" where nothing was yet. Raises `ConfigError`."""
        self._take_over()
        found = self.standing.read()
        if found is None:
            return next((one.number for one in self.every() if one.taken), "")
        return found.revision

    def every(self) -> list[Revision]:
        """Return all that are kept, the newest first. One that cannot be read is left out."""
        found = []
        for name in self._numbers():
            with suppress(RevisionError):
                found.append(self.read(name))
        return sorted(found, key=lambda one: one.at, reverse=True)

    def read(self, number: str) -> Revision:
        """Return a revision. Raises `RevisionError`."""
        try:
            told = json.loads(_content_of(self._manifest(number)))
            files = {str(name): str(digest) for name, digest in told["files"].items()}
            if not all(is_file_of_ours(name) and _HASH.match(digest) for name, digest in files.items()):
                raise RevisionError(f"the revision {number} names files that are none of a configuration", _ANEW)
            author = Author(str(told["who"]), str(told["why"]), str(told["commit"]))
            at, taken = datetime.fromisoformat(told["at"]), told["taken"] is True
            return Revision(number, at, files, author, str(told["engine"]), taken, str(told.get("before", "")))
        except FileNotFoundError:
            raise RevisionError(f"there is no revision {number}", "take one that 'revisions' lists") from None
        except OSError as error:
            why = error.strerror or "no file"
            raise RevisionError(f"the revision {number} cannot be read: {why}", "make it readable for you") from None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise RevisionError(f"the revision {number} is damaged", "take another one") from None

    def before(self, number: str) -> Revision | None:
        """Return what was in force before a revision, the last time; None where nothing was."""
        found = self.known(number)
        if found is not None and found.before and (known := self.known(found.before)) is not None:
            return known
        every = [one for one in self.every() if one.taken]
        place = next((n for n, one in enumerate(every) if one.number == number), len(every))
        return next(iter(every[place + 1 :]), None)

    def known(self, number: str) -> Revision | None:
        """Return a revision; None for one that is not kept, or not as it was."""
        try:
            return self.read(number)
        except RevisionError:
            return None

    def intact(self, number: str) -> bool:
        """Return whether a revision is there, whole."""
        try:
            self.contents(self.read(number))
        except RevisionError:
            return False
        return True

    def find(self, beginning: str) -> Revision:
        """Return the one revision whose number begins so. Raises `RevisionError`."""
        found = [name for name in self._numbers() if name.startswith(beginning)] if len(beginning) >= _SHORTEST else []
        if len(found) != 1:
            what = f"'{beginning[:40]}' is the beginning of {len(found)} revisions" if found else ""
            sentence = what or f"there is no revision '{beginning[:40]}'"
            raise RevisionError(sentence, "take a number that 'revisions' lists, or its first four characters or more")
        return self.read(found[0])

    def contents(self, revision: Revision) -> dict[str, bytes]:
        """Return what each file held. Raises `RevisionError` where that is not there as it was written."""
        found = {}
        for name, digest in revision.files.items():
            try:
                found[name] = _content_of(self.path / "files" / digest)
            except OSError as error:
                sentence = f"'{name}' of the revision {revision.number} cannot be read: {error.strerror or error}"
                raise RevisionError(sentence, "take another revision") from None
            if hashlib.sha256(found[name]).hexdigest() != digest:
                raise RevisionError(f"'{name}' of the revision {revision.number} is damaged", "take another revision")
        return found

    def texts(self, number: str) -> FolderTexts:
        """Return a revision as its folder was. Raises `ConfigError`."""
        path = self._manifest(number)
        with suppress(FileNotFoundError):
            # A configuration names programs and secrets, and these files belong to the engine's user.
            if os.geteuid() == 0 != path.stat().st_uid:
                raise ConfigError([Problem(str(path), 0, "this belongs to the engine's user", _AS_OWNER)])
        try:
            return FolderTexts.of(self.contents(self.read(number)), number)
        except RevisionError as error:
            raise ConfigError([Problem(str(path), 0, error.sentence, error.remedy)]) from None

    def _take_over(self) -> None:
        """Take what an engine of before has kept, once: it was one file, of the last configuration alone."""
        path = state_folder(self.folder) / "last-good.json"
        # Only where nothing is kept: what it says is older than any revision.
        if self._numbers() or not path.is_file():
            return
        try:
            told = json.loads(path.read_bytes())
            files = {str(name): str(text) for name, text in told["files"].items()}
            number, since = str(told["revision"]), datetime.fromisoformat(told["since"])
            self.keep(FolderTexts(files, number, number), since, Author())
            self.standing.write(InForce(number, since))
            path.unlink()
        except OSError as error:
            sentence = f"the last good configuration cannot be taken over: {error.strerror}"
            raise ConfigError([Problem(str(path), 0, sentence, "make it writable for this user")]) from None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise ConfigError([Problem(str(path), 0, _DAMAGED, _ANEW)]) from None

    def _numbers(self) -> list[str]:
        try:
            return [path.stem for path in self.path.iterdir() if path.suffix == ".json" and _NUMBER.match(path.stem)]
        except (FileNotFoundError, NotADirectoryError):
            return []  # nothing is kept yet; what may not be read is no such answer

    def _manifest(self, number: str) -> Path:
        return self.path / f"{number}.json"


def _content_of(path: Path) -> bytes:
    """Return what a file holds: no pipe, which root would wait for. Raises `OSError`."""
    if path.exists() and not path.is_file():
        raise OSError(0, "no file")
    return path.read_bytes()
