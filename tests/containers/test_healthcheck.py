"""The engine image's health check, against listeners that behave and listeners that do not."""

import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

pytestmark = pytest.mark.io

HEALTHCHECK = Path(__file__).parents[2] / "docker" / "healthcheck.py"


@contextmanager
def listener(behave: Callable[[socket.socket], None]) -> Iterator[str]:
    """HOST:PORT of a listener that treats its one caller as told."""

    def serve() -> None:
        line, _ = server.accept()
        with line:
            behave(line)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        thread.join(10)


def check(address: str) -> subprocess.CompletedProcess[str]:
    """What the health check says of an address."""
    command = [sys.executable, str(HEALTHCHECK), address]
    return subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)


def read_question(line: socket.socket) -> bytes:
    question = b""
    while not question.endswith(b"\n\n"):
        question += line.recv(4096)
    return question


def test_an_engine_that_answers_and_ends_the_call_is_healthy():
    heard = []

    def engine(line: socket.socket) -> None:
        heard.append(read_question(line))
        for command in (b'SET VARIABLE ROUTE_REASON "error"\n', b'SET VARIABLE ROUTE_STATUS "FALLBACK"\n'):
            line.sendall(command)
            heard.append(line.recv(4096))

    with listener(engine) as address:
        answer = check(address)
    assert (answer.returncode, answer.stderr) == (0, "")
    assert b"agi_network_script: healthcheck-nonexistent\n" in heard[0]
    assert heard[1:] == [b"200 result=1\n"] * 2


def test_an_engine_that_accepts_and_stays_silent_is_not_healthy():
    def silent(line: socket.socket) -> None:
        read_question(line)
        line.recv(1)  # until the other side gives up

    with listener(silent) as address:
        answer = check(address)
    assert answer.returncode == 1
    assert "no answer from" in answer.stderr


def test_an_engine_that_closes_without_a_word_is_not_healthy():
    with listener(lambda line: line.shutdown(socket.SHUT_WR)) as address:
        answer = check(address)
    assert answer.returncode == 1


def test_a_port_that_nobody_listens_on_is_not_healthy():
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
    assert check(address).returncode == 1


def test_an_engine_that_never_ends_the_call_is_not_healthy():
    def talkative(line: socket.socket) -> None:
        read_question(line)
        try:
            while True:
                line.sendall(b"NOOP\n")
                line.recv(4096)
        except OSError:
            return

    with listener(talkative) as address:
        assert check(address).returncode == 1
