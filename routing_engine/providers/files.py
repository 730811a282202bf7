"""Files that an integration names: where they are, and whether they can be read."""

from __future__ import annotations

from pathlib import Path

from routing_engine.settings.yaml_reader import Section


def folder_of(section: Section, folder: Path | None) -> Path:
    """Return the configuration folder: the one that is told, else the one above the folder of the YAML file."""
    return folder if folder is not None else Path(section.notes.file).parent.parent


def config_file(section: Section, key: str, folder: Path) -> Path | None:
    """Take the path of a file, relative to `folder`; None when left out or, as a problem, not there."""
    text = section.text(key)
    if not text:
        return None
    path = folder / text
    if not path.is_file():
        section.note(key, f"the file '{text}' of '{key}' is not there", f"it is looked for at {path.absolute()}")
        return None
    return path
