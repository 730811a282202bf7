"""The descriptions that ship, and how one of an operator's own becomes a provider."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from importlib.resources import files
from pathlib import Path

from routing_engine.providers.crm.model import Description
from routing_engine.providers.crm.read_description import read_description
from routing_engine.providers.crm.settings import read_described
from routing_engine.settings.integration import ProviderSetup
from routing_engine.settings.yaml_reader import Problems, Section

_ROOM = files("routing_engine.providers") / "descriptions"


@lru_cache(maxsize=1)
def shipped() -> tuple[str, ...]:
    """Return the names of the descriptions that ship."""
    return tuple(sorted(one.name.removesuffix(".yaml") for one in _ROOM.iterdir() if one.name.endswith(".yaml")))


@lru_cache(maxsize=64)
def shipped_description(name: str) -> Description:
    """Read a description that ships."""
    notes = Problems(f"{name}.yaml")
    found = read_description((_ROOM / f"{name}.yaml").read_text(encoding="utf-8"), notes, name)
    assert found is not None, "\n".join(map(str, notes.problems))
    return found


def reader_of_shipped(name: str, folder: Path) -> Callable[[Section, str], ProviderSetup]:
    """Return what reads integrations of a description that ships; it is read when the first one uses it."""
    return lambda section, integration: read_described(shipped_description(name), section, integration, folder)


def reader_of_own(
    folder: Path, taken: frozenset[str], text: str, notes: Problems, name: str
) -> Callable[[Section, str], ProviderSetup] | None:
    """Read an operator's own description of `config/providers/`; None, with its problems noted, when it is broken.

    It may take the place of one that ships; the names in `taken` are those of providers that are code.
    """
    if name in taken:
        notes.note(0, f"'{name}' is a provider of the engine that is no description", "give the file another name")
    found = read_description(text, notes, name)
    if found is None or notes.problems:
        return None
    return partial(_read, found, folder)


def _read(description: Description, folder: Path, section: Section, name: str) -> ProviderSetup:
    return read_described(description, section, name, folder)
