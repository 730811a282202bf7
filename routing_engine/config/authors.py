"""Who has changed a folder, and why: the owner of what changed last, and the commit where the folder is a checkout."""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import subprocess
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

_PATIENCE_S = 5.0
#: Git trusts no repository of another user, and would run programs that its settings name: plumbing runs none.
_GIT = ("-c", "safe.directory=*", "-c", "core.fsmonitor=false", "--no-optional-locks", "--literal-pathspecs")
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Author:
    """Who brought a revision, why, and with which commit; "" for what is not known."""

    who: str = ""
    why: str = ""
    commit: str = ""


def author_of(folder: Path, contents: Mapping[str, bytes], changed: Collection[str]) -> Author:
    """Return who brought what the folder holds. `changed` are the files that are others than in the revision before."""
    commit = _commit_of(folder, contents)
    owner = _owner_of(folder, [name for name in changed if name in contents] or [""])
    if commit is None:
        return Author(f"file owner {owner}" if owner else "")
    if commit.differing:
        files = ", ".join(commit.differing[:3]) + (", ..." if len(commit.differing) > 3 else "")
        return Author(f"file owner {owner}" if owner else "", f"not committed: {files}", commit.number)
    return Author(commit.author, commit.subject, commit.number)


@dataclass(frozen=True, slots=True)
class _Commit:
    number: str
    author: str
    subject: str
    differing: list[str]


def _owner_of(folder: Path, files: Collection[str]) -> str:
    """Return the owner of the file that was written last; of the folder itself for a file that is gone."""
    newest = max(filter(None, (_look(folder / name) for name in files)), default=None, key=lambda one: one.st_mtime_ns)
    if newest is None:
        return ""
    try:
        return pwd.getpwuid(newest.st_uid).pw_name
    except KeyError:  # a container may have no names
        return str(newest.st_uid)


def _look(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None


def _commit_of(folder: Path, contents: Mapping[str, bytes]) -> _Commit | None:
    """Return the commit that a checkout stands at, and the files that are not as it has them."""
    git = shutil.which("git")
    if git is None or not any((one / ".git").exists() for one in (folder, *folder.absolute().parents)):
        return None
    commit = _asked(git, folder, "cat-file", "commit", "HEAD")
    number = _asked(git, folder, "rev-parse", "--verify", "HEAD")
    listed = _asked(git, folder, "ls-tree", "-r", "-z", "HEAD", ".")
    if commit is None or number is None or listed is None:
        return None
    blobs = {}
    for line in filter(None, listed.split("\0")):
        about, _, name = line.partition("\t")
        blobs[name] = about.split()[-1]
    head, _, message = commit.partition("\n\n")
    differing = sorted(name for name, content in contents.items() if blobs.get(name) != _blob(content, number.strip()))
    subject = message.strip().partition("\n")[0][:_LONGEST]
    return _Commit(number.strip()[:12], _author(head), subject, differing)


def _author(head: str) -> str:
    line = next((one for one in head.split("\n") if one.startswith("author ")), "")
    return line.removeprefix("author ").partition(" <")[0][:_LONGEST]


def _blob(content: bytes, like: str) -> str:
    """Return what git calls a file that holds this; `like` is a name of the repository's kind."""
    digest = hashlib.sha256() if len(like) == 64 else hashlib.sha1(usedforsecurity=False)
    digest.update(b"blob %d\0" % len(content))
    digest.update(content)
    return digest.hexdigest()


def _asked(git: str, folder: Path, *words: str) -> str | None:
    environment = {"GIT_CONFIG_NOSYSTEM": "1", "HOME": "/nonexistent"}
    try:
        found = subprocess.run(  # noqa: S603  our words, and a folder behind -C
            [git, *_GIT, "-C", str(folder), *words],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PATIENCE_S,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout.decode("utf-8", "replace") if found.returncode == 0 else None
