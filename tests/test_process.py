"""What all servers of the rig have in common, with a server that every machine has: Python's own."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from rig.process import Server, ServerFailed, is_open, reserve, reserved

pytestmark = pytest.mark.io


class Web(Server):
    """A web server; `broken` ends at once, with a word."""

    broken = False

    def command(self) -> Sequence[str]:
        if self.broken:
            return [sys.executable, "-c", "raise SystemExit('no such page')"]
        return [sys.executable, "-m", "http.server", str(self.port), "--bind", self.host]


def test_it_serves_inside_with_and_leaves_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "web"
    folder.mkdir()
    web = Web(folder)
    with web.running():
        assert is_open(web.port)
    assert not is_open(web.port)
    assert not folder.exists()


def test_after_a_crash_it_comes_back_on_its_port(tmp_path: Path) -> None:
    web = Web(tmp_path)
    with web.running():
        port = web.port
        web.stop(kill=True)
        assert not is_open(port)
        web.start()
        assert (web.port, is_open(port)) == (port, True)


def test_a_frozen_one_is_stopped_all_the_same(tmp_path: Path) -> None:
    web = Web(tmp_path)
    with web.running():
        web.signal(signal.SIGSTOP)
    assert not is_open(web.port)


def test_one_that_does_not_come_up_says_what_it_said(tmp_path: Path) -> None:
    web = Web(tmp_path)
    web.broken = True
    with pytest.raises(ServerFailed, match=r"Web did not come up on .*\nno such page"), web.running():
        pass


def test_no_port_is_given_away_twice() -> None:
    (port,), tokens = reserve(1)
    assert reserved(port) is None
    for token in tokens:
        token.close()
    again = reserved(port)
    assert again is not None
    again.close()
