"""Files that an integration names: where they are, and whether they can be read."""

from __future__ import annotations

from pathlib import Path

from routing_engine.marked import Section


def config_file(section: Section, key: str) -> Path | None:
    """Take the path of a file, relative to the configuration folder; None when left out or, as a problem, not there.

    The YAML file itself lies one folder deeper, in `integrations`.
    """
    text = section.text(key)
    if not text:
        return None
    path = Path(section.notes.file).parent.parent / text
    if not path.is_file():
        section.note(key, f"the file '{text}' of '{key}' is not there", f"it is looked for at {path.absolute()}")
        return None
    return path
