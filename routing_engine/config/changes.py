"""What differs between two revisions: in words for people, or line by line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import PurePosixPath
from typing import Literal, TypeAlias

from routing_engine.config.folder import CALENDARS, INTEGRATIONS, LISTS, PBXS, PROVIDERS, ROUTES, WEBHOOKS
from routing_engine.storage.texts import NotText, text_of

How: TypeAlias = Literal["added", "changed", "removed"]
#: What people call a file of each folder, in the order in which they ask.
_KINDS = {
    ROUTES: ("route", "routes"),
    INTEGRATIONS: ("integration", "integrations"),
    LISTS: ("list", "lists"),
    CALENDARS: ("calendar file", "calendar files"),
    PROVIDERS: ("provider", "providers"),
    PBXS: ("PBX", "PBXs"),
    WEBHOOKS: ("webhook", "webhooks"),
}
#: More names than these are a number.
_MOST_NAMES = 4


@dataclass(frozen=True, slots=True)
class FileChange:
    """A file that is another one than before, or was not there, or is there no more."""

    file: str
    how: How

    @property
    def kind(self) -> str:
        """The folder of the file; "" for one of the folder itself."""
        return self.file.partition("/")[0] if "/" in self.file else ""

    @property
    def name(self) -> str:
        """What people call it: a route by its name, a file of the folder itself as it is."""
        return PurePosixPath(self.file).stem if self.kind not in ("", LISTS, CALENDARS) else self.file.split("/")[-1]


def changes(before: Mapping[str, str], after: Mapping[str, str]) -> list[FileChange]:
    """Return what has changed between two manifests, by the names of the files."""
    found = [FileChange(name, "removed") for name in before.keys() - after.keys()]
    found += [FileChange(name, "added") for name in after.keys() - before.keys()]
    found += [FileChange(name, "changed") for name in before.keys() & after.keys() if before[name] != after[name]]
    return sorted(found, key=lambda one: one.file)


def said(found: Sequence[FileChange]) -> str:
    """Return changes in words: `route support changed; routes a, b added`; "" for none."""
    return "; ".join(_sentences(found))


def _sentences(found: Sequence[FileChange]) -> Iterator[str]:
    ways: tuple[How, ...] = ("added", "changed", "removed")
    for kind, how in ((kind, how) for kind in (*_KINDS, "") for how in ways):
        names = [one.name for one in found if (one.kind, one.how) == (kind, how)]
        if not names:
            continue
        if not kind:
            yield f"{', '.join(names)} {how}"
            continue
        one, several = _KINDS[kind]
        shown = ", ".join(names[:_MOST_NAMES]) + (
            f" and {len(names) - _MOST_NAMES} more" if names[_MOST_NAMES:] else ""
        )
        yield f"{one if len(names) == 1 else several} {shown} {how}"


def diff(before: Mapping[str, bytes], after: Mapping[str, bytes], found: Sequence[FileChange]) -> Iterator[str]:
    """Yield the lines of a unified diff of what has changed."""
    for one in found:
        old, new = _lines(before.get(one.file)), _lines(after.get(one.file))
        names = f"a/{one.file}" if one.how != "added" else "/dev/null", f"b/{one.file}"
        yield from unified_diff(old, new, names[0], names[1] if one.how != "removed" else "/dev/null", lineterm="")


def _lines(content: bytes | None) -> list[str]:
    if content is None:
        return []
    try:
        return text_of(content).splitlines()
    except NotText:
        return [f"({len(content)} bytes that are no text)"]
