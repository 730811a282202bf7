"""How many calls each worker carries, in memory that all of them see: `limits.sessions` holds for all together."""

from __future__ import annotations

import mmap
import os
import tempfile

_SIZE = 8


class SharedPlaces:
    """The counts of all workers. Each writes its own, so that none waits for another.

    Two that look in the same moment may both take the last place: as many as there are workers go beyond the limit.
    """

    def __init__(self, file: int, workers: int, own: int = -1) -> None:
        self.file, self._own = file, own
        self._memory = mmap.mmap(file, workers * _SIZE)
        self._counts = memoryview(self._memory).cast("q")

    @classmethod
    def make(cls, workers: int) -> SharedPlaces:
        """Return new ones, for the first process; a worker finds them in the open file of this number."""
        with tempfile.TemporaryFile() as file:  # it has no name, and is gone with the last who has it open
            file.truncate(workers * _SIZE)
            return cls(os.dup(file.fileno()), workers)

    def others(self) -> int:
        """Return how many places the others have taken."""
        return sum(self._counts) - self._counts[self._own]

    def tell(self, taken: int) -> None:
        """Let the others know how many places this one has taken."""
        self._counts[self._own] = taken

    def all(self) -> int:
        """Return how many are taken."""
        return sum(self._counts)

    def clear(self, worker: int) -> int:
        """Free the places of a worker that has ended; return how many those were."""
        held, self._counts[worker] = self._counts[worker], 0
        return held

    def close(self) -> None:
        """Let go of the memory."""
        self._counts.release()
        self._memory.close()
        os.close(self.file)
