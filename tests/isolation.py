"""What a unit test is: it opens no socket and starts no process and no thread. Every other test says so by a marker.

A test without one of `MARKERS` that opens something fails, with the place. `--unit` runs the unit tests alone, and does
not even import files that are marked as a whole.
"""

from __future__ import annotations

import re
import sys
import threading
import traceback
import zlib
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

MARKERS = ("io", "asterisk", "servers", "databases", "containers", "odoo", "soak", "browser")
_MARKED = re.compile(rf"\bmark\.(?:{'|'.join(MARKERS)})\b")
_MARKED_AS_A_WHOLE = re.compile(rf"^pytestmark = .*\bmark\.(?:{'|'.join(MARKERS)})\b", re.MULTILINE)
TOP = Path(__file__).parents[1]
#: Python's audit events (https://docs.python.org/3/library/audit_events.html) and what each of them opens. The pair of
#: sockets by which an event loop wakes itself is none of them.
OPENING = {
    "socket.bind": "a socket",
    "socket.connect": "a socket",
    "socket.sendto": "a socket",
    "socket.getaddrinfo": "a socket",
    "subprocess.Popen": "a process",
    "os.fork": "a process",
    "os.forkpty": "a process",
    "os.posix_spawn": "a process",
    "os.system": "a process",
    "threading.Thread.start": "a thread",  # an event of ours: Python 3.11 has none for it
}


class _Watched:
    """What the test that runs now has opened, as sentences; None while no unit test runs."""

    opened: list[str] | None = None


def _hear(event: str, _: object) -> None:
    # Hooks are never taken away, and hear everything: this one does nothing but for a unit test.
    if _Watched.opened is None or event not in OPENING or threading.current_thread() is not threading.main_thread():
        return
    stack = traceback.extract_stack()
    # A fixture of a whole session may end only now, for its parameter changes: what it does is not this test's.
    if any(frame.name == "finish" and frame.filename.endswith("_pytest/fixtures.py") for frame in stack):
        return
    ours = [frame for frame in stack if Path(frame.filename).is_relative_to(TOP)]
    own = [frame for frame in ours if ".venv" not in frame.filename and frame.filename != __file__]
    where = f"{Path(own[-1].filename).relative_to(TOP)}:{own[-1].lineno}" if own else "a library"
    sentence = f"{OPENING[event]} ({event}) at {where}"
    if sentence not in _Watched.opened:
        _Watched.opened.append(sentence)


def _start(thread: threading.Thread, start: Callable[[threading.Thread], None] = threading.Thread.start) -> None:
    _hear("threading.Thread.start", thread)
    start(thread)


sys.addaudithook(_hear)
threading.Thread.start = _start  # type: ignore[method-assign]


@contextmanager
def _watching(item: pytest.Item) -> Generator[None]:
    if is_marked(item):
        yield
        return
    _Watched.opened = opened = []
    try:
        yield
    finally:
        _Watched.opened = None
    if opened:
        remedy = "if it must, mark it: @pytest.mark.io (tests/README.md)"
        pytest.fail("\n  ".join(["a unit test opened", *opened]) + f"\n{remedy}", pytrace=False)


def is_marked(item: pytest.Item) -> bool:
    """Return whether a test may open sockets, processes and threads."""
    return any(mark.name in MARKERS for mark in item.iter_markers())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None]:
    """Watch what its fixtures open."""
    with _watching(item):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    """Watch what the test opens."""
    with _watching(item):
        return (yield)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--unit`, `--not-unit` and `--part`."""
    parser.addoption("--unit", action="store_true", help="only tests that open no socket, process or thread")
    parser.addoption("--not-unit", action="store_true", help="only the others")
    parser.addoption("--part", type=_part, metavar="K/N", help="only one of N parts of the files, by their names")


def _part(text: str) -> tuple[int, int]:
    place, _, count = text.partition("/")
    return int(place) - 1, int(count)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out files and folders of which nothing is wanted: their imports take seconds.

    With `--part`, those of the other parts too: two processes that share the files need a third less of the processor
    than two of pytest-xdist that share the tests (23 instead of 34 s), as no result is sent anywhere.
    """
    if collection_path.suffix == ".py":
        return _is_left_out(collection_path, config) or None
    files = [*collection_path.glob("**/test_*.py")]
    return bool(files and all(_is_left_out(file, config) for file in files)) or None


def _is_left_out(file: Path, config: pytest.Config) -> bool:
    if not file.name.startswith("test_"):
        return False
    place, count = config.getoption("part") or (0, 1)
    name = str(file.relative_to(config.rootpath))
    if zlib.crc32(name.encode()) % count != place:
        return True
    if config.getoption("not_unit"):
        return _MARKED.search(file.read_text(encoding="utf-8")) is None
    return config.getoption("unit") and _is_marked_as_a_whole(file)


def _is_marked_as_a_whole(file: Path) -> bool:
    return _MARKED_AS_A_WHOLE.search(file.read_text(encoding="utf-8")) is not None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With `--unit`, leave out the other marked tests; with `--not-unit`, those that have no mark."""
    if config.getoption("unit") or config.getoption("not_unit"):
        _refuse_hidden_marks(items)
        wanted = [item for item in items if is_marked(item) == config.getoption("not_unit")]
        config.hook.pytest_deselected(items=[item for item in items if item not in set(wanted)])
        items[:] = wanted


def _refuse_hidden_marks(items: list[pytest.Item]) -> None:
    """Refuse a mark that stands in another file: `--not-unit` looks at texts, and would lose the test in silence."""
    marked = {item.path for item in items if is_marked(item)}
    if hidden := [file for file in sorted(marked) if not _MARKED.search(file.read_text(encoding="utf-8"))]:
        raise pytest.UsageError(f"write the mark of its tests into the file itself: {', '.join(map(str, hidden))}")
