"""`mirror` of engine.yaml: where the indexes of mirrored integrations lie."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from routing_engine.settings.paths import state_folder
from routing_engine.settings.yaml_reader import Section


@dataclass(frozen=True, slots=True)
class MirrorPlace:
    """The folder of the indexes."""

    folder: Path


def read_place(engine: Section | None, folder: Path) -> MirrorPlace:
    """Read the key `mirror` of engine.yaml's section; None is a missing file. Paths are relative to `folder`."""
    section = engine.section("mirror") if engine is not None else None
    if section is None:
        return MirrorPlace(state_folder(folder) / "mirror")
    named = section.plain("folder")
    found = MirrorPlace(folder / named if named else state_folder(folder) / "mirror")
    section.close("'mirror'")
    return found
