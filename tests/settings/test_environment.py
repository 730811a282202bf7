"""The file `environment`: one place for the secrets of the service and of its tools."""

from __future__ import annotations

from pathlib import Path

import pytest

from routing_engine.settings.environment import read_environment_file, variable_of, variables_of

pytestmark = pytest.mark.io

LINES = [
    ("TOKEN=abc", "abc"),
    ("  TOKEN = abc", None),
    ("export TOKEN=abc", "abc"),
    ("TOKEN='a b # c'", "a b # c"),
    ('TOKEN="a \\"b\\" $c"  # a remark', 'a "b" $c'),
    ("TOKEN=abc # a remark", "abc"),
    ("TOKEN=a#b=c", "a#b=c"),
    ("TOKEN=", ""),
    ("TOKEN='not closed", None),
    ("TOKEN='a'b", None),
    ("hunter2", None),
    ("1TOKEN=a", None),
]


@pytest.mark.parametrize(("line", "value"), LINES)
def test_a_line_is_read_as_systemd_and_shells_read_it(tmp_path: Path, line: str, value: str | None) -> None:
    (tmp_path / "environment").write_text(f"# secrets\n; of ours\n\n{line}\n")
    found = read_environment_file(tmp_path)
    assert found.values.get("TOKEN") == value
    assert [one.line for one in found.problems] == ([] if value is not None else [4])


def test_no_problem_and_no_representation_shows_a_secret(tmp_path: Path) -> None:
    (tmp_path / "environment").write_text("TOKEN=hunter2\nhunter2\n")
    found = read_environment_file(tmp_path)
    assert "hunter2" not in str(found.problems) + repr(found)


def test_the_process_goes_before_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "environment").write_text("A_TOKEN=file\nB_TOKEN=file\n")
    monkeypatch.setenv("A_TOKEN", "process")
    assert (variable_of(tmp_path, "A_TOKEN"), variable_of(tmp_path, "B_TOKEN")) == ("process", "file")
    assert variables_of(tmp_path)["A_TOKEN"] == "process"


def test_without_the_file_there_are_no_variables(tmp_path: Path) -> None:
    assert variable_of(tmp_path, "C_TOKEN") is None


@pytest.mark.parametrize(("mode", "remarks"), [(0o600, 0), (0o640, 0), (0o644, 1), (0o646, 1)])
def test_a_file_for_everybody_is_remarked(tmp_path: Path, mode: int, remarks: int) -> None:
    (tmp_path / "environment").write_text("TOKEN=abc\n")
    (tmp_path / "environment").chmod(mode)
    assert len(read_environment_file(tmp_path).remarks) == remarks
