"""The bars: what is measured, and how far it may go. One row says all about its figure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from . import code, scripts, words
from .source import TOP, Place, Source, sources

Number = int | float


@dataclass(frozen=True)
class Room:
    """A part of the tree: its folder and its Python files."""

    folder: Path
    files: Sequence[Source]

    @classmethod
    def at(cls, under: str) -> Room:
        """The room of a folder, named from the top of the repository."""
        return cls((TOP / under).resolve(), sources(under))


@dataclass(frozen=True)
class Bar:
    """One figure: at most `limit`, or at least where `least`. `measure` returns it, `places` where it comes from."""

    name: str
    limit: Number
    measure: Callable[[Room], Number]
    places: Callable[[Room], list[Place]] = lambda room: []
    least: bool = False

    def allows(self, found: Number) -> bool:
        """Return whether a figure keeps the bar."""
        return found >= self.limit if self.least else found <= self.limit


def _counted(name: str, limit: int, places: Callable[[Room], list[Place]]) -> Bar:
    return Bar(name, limit, lambda room: len(places(room)), places)


def _of_files(find: Callable[[Sequence[Source]], list[Place]]) -> Callable[[Room], list[Place]]:
    return lambda room: find(room.files)


def _short_share(room: Room) -> float:
    modules = code.lengths(room.files)
    return 100 * len(code.short(room.files)) / len(modules) if modules else 0.0


#: What holds for the package, as a whole and for every room of it.
PACKAGE = (
    Bar("code lines of a function, median", 7, lambda room: median(code.function_lengths(room.files) or [0])),
    Bar("code lines of a function, 95 of 100", 30, lambda room: code.percentile(code.function_lengths(room.files), 95)),
    _counted("functions of more than 30 lines of code", 0, _of_files(code.long_functions)),
    Bar("lines of a file, median", 200, lambda room: median(code.lengths(room.files) or [0])),
    Bar("lines of a file, 95 of 100", 400, lambda room: code.percentile(code.lengths(room.files), 95)),
    _counted("files of more than 500 lines", 0, _of_files(code.long_files)),
    Bar("modules shorter than 40 lines, %", 10, _short_share, _of_files(code.short)),
    Bar("comments per 100 lines of code", 5, lambda room: code.comments_per_hundred(room.files), least=True),
    _counted("public things without a docstring", 0, _of_files(code.undocumented)),
    _counted("docstrings beginning 'Give' or 'Tell whether'", 0, _of_files(code.odd_docstrings)),
    _counted("class names with several meanings", 0, _of_files(code.shared_names)),
    _counted("Any, object, cast, assert isinstance", 150, _of_files(code.loose_types)),
    _counted("Any alone", 60, _of_files(code.any_types)),
    _counted("modules with YAML outside settings/", 0, _of_files(code.yaml_outside_settings)),
    _counted("import cycles, with those for types", 0, _of_files(code.import_cycles)),
)
#: What holds for the test rig and the tests beside the rules of their language.
WORDS = (
    _counted("docstrings beginning 'Give' or 'Tell whether'", 0, _of_files(code.odd_docstrings)),
    _counted("files of more than 500 lines", 0, _of_files(code.long_files)),
    _counted("import cycles, with those for types", 0, _of_files(code.import_cycles)),
)
#: What holds for everything in the repository.
TREE = (
    _counted("lines of Markdown over 160 columns", 0, lambda room: words.wide_markdown(room.folder)),
    _counted("lines of YAML over 100 columns", 0, lambda room: words.wide_yaml(room.folder)),
    _counted("pipes into a reader that stops early", 0, lambda room: scripts.early_readers(room.folder)),
    _counted("notes of what is still to be done", 0, lambda room: words.undone(room.folder)),
)


def bars_of(under: str) -> tuple[Bar, ...]:
    """The bars that hold for a folder."""
    if under == ".":
        return TREE
    own = PACKAGE if under.split("/")[0] == "routing_engine" else WORDS
    return own + TREE
