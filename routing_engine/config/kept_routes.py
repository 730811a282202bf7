"""What the routes of a folder came to at the last reading: what did not change is not read, played or looked at again.

One route takes about a millisecond to read and to play, so that a folder of 10,000 takes ten seconds, and one changed
file among them a part of one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from routing_engine.config.examples import leads_on
from routing_engine.config.folder import UnreadableFile
from routing_engine.config.number_lists import KeptLists
from routing_engine.config.route.read import RouteFile
from routing_engine.config.route.walk import rules_of
from routing_engine.core.model import Decision, Site
from routing_engine.errors import Problem
from routing_engine.settings.integration import IntegrationFacts

#: The source and the rule of a route that an example came to.
Proven: TypeAlias = frozenset[tuple[str, str]]
#: All but routes that a route depends on: other files, the print of secrets, whether the reading is lenient, models.
About: TypeAlias = tuple[tuple[tuple[str, str | UnreadableFile], ...], str, bool, Mapping[str, IntegrationFacts]]


@dataclass(slots=True)
class _Kept:
    """One file as it was read. `leads_on`: it also depends on other routes, so what examples came to is not kept."""

    text: str
    file: RouteFile
    notes: tuple[Problem, ...]
    leads_on: bool
    decisions: Sequence[Decision] | None = None
    remarks: tuple[Proven | None, tuple[Problem, ...]] | None = None


@dataclass(slots=True)
class KeptRoutes:
    """The routes of one folder, from one reading to the next. For one reading at a time.

    `begin` a reading with `about`, all but the routes' own texts that they depend on, and the names of all routes; then
    `get` and `put` each. What is put in a reading that fails is kept as well: it had no problem of its own.
    """

    #: The lists that routes ask, for the same reason.
    lists: KeptLists = field(default_factory=KeptLists)
    _about: About | None = None
    _names: frozenset[str] = frozenset()
    _same_names: bool = False
    _kept: dict[str, _Kept] = field(default_factory=dict)

    def begin(self, about: About, names: Collection[str]) -> None:
        """Forget what does not hold any more."""
        found = frozenset(names)
        if about != self._about:
            self._kept.clear()
        for gone in self._kept.keys() - found:
            del self._kept[gone]
        self._about, self._same_names, self._names = about, found == self._names, found

    def get(
        self, name: str, text: str, revision: str, site: Site | None
    ) -> tuple[RouteFile, tuple[Problem, ...]] | None:
        """Return a route as it was read, of today's revision and site, and what was noted; None: read it."""
        kept = self._kept.get(name)
        if kept is None or kept.text != text or (kept.leads_on and not self._same_names):
            self._kept.pop(name, None)
            return None
        kept.file = replace(kept.file, route=replace(kept.file.route, revision=revision, site=site or Site()))
        return kept.file, kept.notes

    def put(self, name: str, text: str, file: RouteFile, notes: Iterable[Problem]) -> None:
        """Keep a route that was read without a problem."""
        self._kept[name] = _Kept(text, file, tuple(notes), leads_on(file.route))

    def unplayed(self, names: Iterable[str]) -> list[str]:
        """Return the routes whose examples must be played."""
        return [name for name in names if (kept := self._kept.get(name)) is None or kept.decisions is None]

    def played(
        self, decisions: Mapping[str, Sequence[Decision]], names: Iterable[str]
    ) -> dict[str, Sequence[Decision]]:
        """Return what the examples of all routes come to, with what was played now."""
        for name, found in decisions.items():
            if (kept := self._kept.get(name)) is not None and not kept.leads_on:
                kept.decisions = found
        return {name: self._played(name, decisions) for name in names}

    def _played(self, name: str, decisions: Mapping[str, Sequence[Decision]]) -> Sequence[Decision]:
        found = decisions.get(name)
        return found if found is not None else self._kept[name].decisions or ()

    def remarks(self, name: str, proven: Proven | None, look: Callable[[], list[Problem]]) -> Sequence[Problem]:
        """Return the remarks on a route: what `look` finds, where nothing that it looks at is as it was."""
        kept = self._kept.get(name)
        if kept is not None and kept.remarks is not None and kept.remarks[0] == proven:
            return kept.remarks[1]
        found = look()
        # Whether a rule has expired is a question of the day.
        if kept is not None and all(rule.until is None for rule in rules_of(kept.file.route)):
            kept.remarks = proven, tuple(found)
        return found
