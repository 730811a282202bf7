"""What the files of a folder have beside routes, and nobody uses; settings that do not go together."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from routing_engine.config.engine_yaml import EngineSettings
from routing_engine.config.route.walk import operands_of
from routing_engine.core.model import Route
from routing_engine.errors import Problem
from routing_engine.settings.listeners import Listeners
from routing_engine.settings.yaml_lines import YamlLines
from routing_engine.settings.yaml_reader import plain_number


@dataclass(frozen=True, slots=True)
class SiteSubject:
    """A folder that can be used. `integrations` are the kinds of the integrations by name, `descriptions` the names of
    `providers/`; `asked_by_people`: integrations are asked also for calls that are followed, or by people.
    """

    file: str
    settings: EngineSettings
    lines: YamlLines
    routes: Collection[Route]
    integrations: Mapping[str, str]
    descriptions: Collection[str] = ()
    asked_by_people: bool = False

    def problem(self, sentence: str, remedy: str, *path: str | int) -> Problem:
        """Return a remark on engine.yaml."""
        return Problem(self.file, self.lines.line(*path), sentence, remedy)


def at_odds(subject: SiteSubject) -> Iterator[Problem]:
    """Yield a remark for everything in a folder that nobody uses, and for settings that do not go together."""
    yield from _unused(subject)
    yield from _late_defaults(subject)
    yield from _same_ports(subject)
    yield from _unwritable(subject)


def _unused(subject: SiteSubject) -> Iterator[Problem]:
    # Calls that are followed and people ask every integration, whatever the routes name.
    used = {source.integration for route in subject.routes for source in route.sources}
    for name in sorted(subject.integrations) if subject.routes and not subject.asked_by_people else ():
        if name not in used:
            remedy = "name it in a source of a route, or remove the file"
            yield Problem(f"integrations/{name}.yaml", 0, f"no route asks the integration '{name}'", remedy)
    for name in sorted(set(subject.descriptions) - set(subject.integrations.values())):
        sentence = f"no integration is of the kind '{name}' that is described here"
        yield Problem(f"providers/{name}.yaml", 0, sentence, f"write provider: {name} in an integration, or remove it")
    yield from _unnamed(subject) if subject.routes else ()


def _unnamed(subject: SiteSubject) -> Iterator[Problem]:
    """Yield a remark for lists and calendars that no condition names."""
    site = subject.settings.site
    lists, calendars = set(site.lists), {name for name in site.calendars if name}
    for route in subject.routes:
        if not lists and not calendars:
            return
        for left in operands_of(route):
            lists -= {left.name} if left.scope == "list" else set()
            if left.scope == "call" and left.name.startswith("calendar"):
                # Without a name it is the one called default, or the only one.
                named = left.name.partition(".")[2]
                calendars -= {named} if named else {"default"} if "default" in calendars else calendars
    for name in sorted(lists):
        remedy = f"write list.{name} in a condition, or remove it"
        yield subject.problem(f"no route looks at the list '{name}'", remedy, "lists", name)
    for name in sorted(calendars):
        remedy = f"write call.calendar.{name} in a condition, or remove it"
        yield subject.problem(f"no route looks at the calendar '{name}'", remedy, "calendars", name)


def _late_defaults(subject: SiteSubject) -> Iterator[Problem]:
    usual = subject.settings.defaults
    deadline = plain_number(usual.deadline_s)
    if usual.timeout_s is not None and usual.timeout_s > usual.deadline_s:
        sentence = f"'timeout_s' ({plain_number(usual.timeout_s)}) is beyond 'deadline_s' ({deadline})"
        remedy = f"write timeout_s: {deadline}, or less"
        yield subject.problem(f"{sentence}: no look-up lasts so long", remedy, "defaults", "timeout_s")
    filler = usual.filler
    if not filler.silent and filler.after_s is not None and filler.after_s >= usual.deadline_s:
        sentence = f"the filler begins after {plain_number(filler.after_s)} s, when all look-ups have ended"
        sentence += f" ('deadline_s': {deadline}): nobody hears it"
        yield subject.problem(sentence, "write after_s: 0.7", "defaults", "filler", "after_s")


def _same_ports(subject: SiteSubject) -> Iterator[Problem]:
    # One address, or all of them: the same port of two machines would be no fault.
    taken: dict[int, tuple[str, str]] = {}
    for name, host, port in _addresses(subject.settings.listeners):
        before = taken.get(port)
        if port and before is not None and (before[1] == host or {before[1], host} & {"0.0.0.0", "::"}):  # noqa: S104
            sentence = f"the listeners '{before[0]}' and '{name}' are both on port {port}: the second cannot be opened"
            yield subject.problem(sentence, f"write another port: {name}: {host}:{port + 1}", "listeners", name)
        taken.setdefault(port, (name, host))


def _addresses(listeners: Listeners) -> Iterator[tuple[str, str, int]]:
    for name, one in (("fastagi", listeners.fastagi), ("http", listeners.http), ("metrics", listeners.metrics)):
        if one is not None:
            yield name, one.host, one.port


def _unwritable(subject: SiteSubject) -> Iterator[Problem]:
    settings = subject.settings
    places: Iterable[tuple[str, tuple[str, ...]]] = (
        (settings.database if "://" not in settings.database else "", ("database",)),
        (settings.journal.path if settings.journal.kept else "", ("journal", "path")),
        (settings.cache.path, ("cache", "path")),
    )
    for place, path in places:
        why = _why_unwritable(settings.folder / place) if place and subject.lines.has(*path) else ""
        if why:
            sentence = f"'{'.'.join(path)}' cannot be written: {why}"
            yield subject.problem(sentence, "name a file in a folder that the engine's user may write", *path)


def _why_unwritable(path: Path) -> str:
    """Return why neither a file nor the folders above it can be made; "" when they can."""
    if path.is_dir():
        return f"{path} is a folder"
    # The first folder above that is there says whether the rest can be made.
    there = next((one for one in (path, *path.parents) if os.path.lexists(one)), path)
    if there != path and not there.is_dir():
        return f"{there} is no folder"
    return "" if os.access(there, os.W_OK) else f"{there} may not be written"
