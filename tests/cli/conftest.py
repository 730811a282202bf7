"""A configuration folder of its own for each test: what `routing-engine init` writes."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from routing_engine.cli import main

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command; give its exit code, standard output and standard error."""

    def call(*arguments: str) -> tuple[int, str, str]:
        try:
            code = main(arguments)
        except SystemExit as end:
            code = int(str(end.code))
        out = capsys.readouterr()
        return code, out.out, out.err

    return call


@pytest.fixture
def config(tmp_path: Path) -> Path:
    folder = tmp_path / "config"
    with contextlib.redirect_stdout(io.StringIO()):
        assert main(["init", str(folder)]) == 0
    return folder


def as_json(text: str) -> Any:
    return json.loads(text)
