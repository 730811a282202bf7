"""One pull at a time of an integration, also where two engines share a folder. The system frees it when one dies."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from routing_engine.mirror.index import open_private


@contextmanager
def alone(path: Path) -> Iterator[bool]:
    """Hold the lock of an index; gives False, and holds nothing, while somebody else does. Raises `OSError`."""
    file = open_private(path.with_suffix(".lock"))
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(file)
