"""What was said, on disk: one file a text, bounded, shared by restarts and by engines.

Its names are hashes. The time of a file's last change is when it was last used. Everything here may wait for the disk,
so it belongs into a thread; only `touch` is cheap enough for the event loop (one call of the system).
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import threading
import time
from collections.abc import Collection
from pathlib import Path

from routing_engine.errors import SpeechError
from routing_engine.storage.files import make_folder

ENDING = ".wav"
#: Asterisk runs as a user of its own: it reads by the folder's group. Nobody else does, texts may hold names.
FILE_MODE, FOLDER_MODE = 0o640, 0o750
#: A sound that was used in this time may be playing, or about to.
YOUNG_S = 600.0
_WORK = ".new-"
#: What is ours in the folder: others may keep their prompts there.
_OUR_WORK, _OUR_SOUND = re.compile(r"\.new-[a-z0-9_]{8}"), re.compile(r"[0-9a-f]{40}\.wav")
_FORGOTTEN_S = 3600.0


class SoundCache:
    """The sounds of one folder, at most `limit` bytes of them. `spared` are keys that are never removed."""

    def __init__(self, folder: Path, limit: int) -> None:
        self._folder = folder
        self._prefix = f"{folder}/"
        self._limit = limit
        self._room = 0  # bytes until somebody must look again; nobody has looked yet
        self._held = 0  # bytes in the folder, as far as is known
        self._lock = threading.Lock()
        self.spared: Collection[str] = ()

    def touch(self, key: str) -> bool:
        """Return whether a sound is there, and note that it is used."""
        try:
            os.utime(self._prefix + key + ENDING)
        except PermissionError:  # written by another user that shares the folder
            return os.path.exists(self._prefix + key + ENDING)
        except OSError:
            return False
        return True

    def open_work(self, text: str) -> Path:
        """Return a new folder to make a sound in; it holds the text as `text`.

        Raises `OSError`, and `SpeechError` when sounds that may be playing take twice the limit.
        """
        # Whatever the umask: Asterisk must get through the folders above.
        make_folder(self._folder, FOLDER_MODE, above=0o755, exact=True)
        with self._lock:
            if self._held > 2 * self._limit:
                self._prune(time.time())  # another may have grown too old, or have been removed
            if self._held > 2 * self._limit:
                raise SpeechError("the sounds of the last ten minutes take twice of what cache_mb allows")
        work = Path(tempfile.mkdtemp(dir=self._folder, prefix=_WORK))
        (work / "text").write_text(text, encoding="utf-8")
        return work

    def keep(self, key: str, made: Path) -> None:
        """Move a finished sound to its place, in one step. Raises `OSError`."""
        made.chmod(FILE_MODE)
        size = made.stat().st_size
        os.replace(made, self._prefix + key + ENDING)
        with self._lock:
            self._room -= size
            self._held += size
            if self._room <= 0:
                self._prune(time.time())

    def _prune(self, now: float) -> None:
        """Remove the sounds that were not used for longest, down to nine tenths of the limit."""
        files = []
        total = 0
        with os.scandir(self._folder) as entries:
            for entry in entries:
                found = entry.stat(follow_symlinks=False)
                if _OUR_WORK.fullmatch(entry.name) and found.st_mtime < now - _FORGOTTEN_S:
                    shutil.rmtree(entry.path, ignore_errors=True)  # of an engine that was killed
                elif _OUR_SOUND.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                    files.append((found.st_mtime, found.st_size, entry.name))
                    total += found.st_size
        for used, size, name in sorted(files):
            if total <= self._limit * 9 // 10 or used > now - YOUNG_S:
                break
            if name.removesuffix(ENDING) not in self.spared:
                os.unlink(self._prefix + name)
                total -= size
        self._held = total
        self._room = max(self._limit - total, self._limit // 20)  # not at every sound when all are young
