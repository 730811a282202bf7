"""Where the engine keeps what it writes: journal, tokens, indexes, and what systems said of their fields."""

from __future__ import annotations

import os
from pathlib import Path


def state_folder(folder: Path) -> Path:
    """Return the folder of a configuration's state.

    `/etc/NAME` has it in `/var/lib/NAME`, which a service may write; every other folder below itself, in `state`. So
    whoever asks finds what the service writes, whatever the user and the environment of each.
    """
    whole = Path(os.path.abspath(folder))
    return Path("/var/lib", whole.name) if whole.parent == Path("/etc") else folder / "state"


def audit_folder(folder: Path) -> Path:
    """Return where the log of what came into force, and of who did what, is kept."""
    return state_folder(folder) / "audit"
