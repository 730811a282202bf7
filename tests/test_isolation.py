"""What watches the unit tests: it must see a socket, a process and a thread, and let marked tests have them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.io

ROOT = Path(__file__).parents[1]
TESTS = """
import asyncio, signal, socket, subprocess, sys, threading
import pytest

def test_values(tmp_path):
    (tmp_path / "file").write_text("x")

def test_loop():
    asyncio.run(asyncio.sleep(0))

def opens_socket():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))

def starts_thread():
    asyncio.run(asyncio.to_thread(int))

def starts_process():
    subprocess.run([sys.executable, "-V"], check=True)

@pytest.fixture
def opened():
    opens_socket()

def test_socket():
    opens_socket()

def test_fixture(opened):
    pass

@pytest.fixture(scope="session", params=[1, 2])
def of_the_session():
    yield
    opens_socket()

def test_end_of_another(of_the_session):
    pass

def test_thread():
    starts_thread()

def test_process():
    starts_process()

@pytest.mark.io
def test_marked(opened):
    starts_thread()
    starts_process()

def test_ctrl_c_is_heard():
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
"""


#: Starts a program as a shell does in its background: deaf to Ctrl-C.
DEAF = "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_IGN); os.execv(sys.argv[1], sys.argv[1:])"


def run(folder: Path, *words: str) -> str:
    """Return what pytest says of these tests, run in the background."""
    (folder / "conftest.py").write_text(
        "from tests.conftest import pytest_configure\npytest_plugins = ['tests.isolation']\n"
    )
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = io\n")
    (folder / "test_it.py").write_text(TESTS)
    # What these tests need no plugin for takes most of the time of a start.
    plugins = [word for name in ("cacheprovider", "schemathesis", "anyio", "xdist") for word in ("-p", f"no:{name}")]
    words = ("-m", "pytest", "-q", "-rA", *plugins, *words)
    done = subprocess.run(
        [sys.executable, "-c", DEAF, sys.executable, *words],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    return done.stdout + done.stderr


def test_what_a_unit_test_opens_is_named_and_a_marked_one_may(tmp_path: Path) -> None:
    said = run(tmp_path)
    assert "3 failed, 6 passed, 1 error" in said, said
    opened = {"socket": "socket.bind", "thread": "threading.Thread.start", "process": "subprocess.Popen"}
    for name, what in opened.items():
        assert f"FAILED test_it.py::test_{name} - Failed: a unit test opened" in said
        assert what in said


def test_only_unit_tests_are_run_where_they_are_wanted(tmp_path: Path) -> None:
    assert "1 deselected" in run(tmp_path, "--unit")


def test_only_the_others_are_run_where_they_are_wanted(tmp_path: Path) -> None:
    said = run(tmp_path, "--not-unit")
    assert "1 passed" in said
    assert "PASSED test_it.py::test_marked" in said


def test_the_parts_of_the_files_make_the_whole(tmp_path: Path) -> None:
    said = [run(tmp_path, "--unit", "--part", f"{part}/2") for part in (1, 2)]
    assert sum("PASSED test_it.py::test_values" in one for one in said) == 1
    assert sum("no tests ran" in one for one in said) == 1


def test_a_mark_that_stands_in_another_file_is_refused(tmp_path: Path) -> None:
    hidden = "from test_it import pytest as tests\n\n@getattr(tests.mark, 'io')\ndef test_it(): pass\n"
    (tmp_path / "test_hidden.py").write_text(hidden)
    assert "write the mark of its tests into the file itself" in run(tmp_path, "--unit")
