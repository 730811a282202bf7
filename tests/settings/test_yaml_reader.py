"""YAML with its lines: the traps, the limits, and secrets that stay secret."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from routing_engine.settings import yaml_reader as marked
from routing_engine.settings.yaml_reader import Problems, Section, YamlValue, read_yaml
from tests.examples import examples


def section(text: str, **environment: str) -> Section:
    found = read_yaml(text, Problems("f.yaml", environment.get))
    assert found is not None
    return found


def value(text: str) -> tuple[object, int]:
    found = section(f"a: {text}")
    return written(found, "a").scalar(), len(found.notes.problems)


def written(section: Section, key: str) -> YamlValue:
    found = section.value(key)
    assert found is not None
    return found


@pytest.fixture(params=["libyaml", "pure Python"], autouse=True)
def loader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The traps must not depend on the loader: the two mark plain scalars differently."""
    chosen = yaml.CSafeLoader if request.param == "libyaml" else yaml.SafeLoader
    monkeypatch.setattr(marked, "_LOADER", chosen)


@pytest.mark.parametrize(
    "raw", ["no", "Yes", "off", "y", "+436641234567", "0664", "1:30", "17:30", "0x1F", "1e3", ".inf"]
)
def test_what_yaml_reads_otherwise_than_people_is_a_problem(raw: str) -> None:
    assert value(raw) == (raw, 1)


@pytest.mark.parametrize("raw", ["no", "+436641234567", "0664", "1:30", "true", "12"])
def test_quotes_make_a_text_of_everything(raw: str) -> None:
    assert value(f"'{raw}'") == (raw, 0)


@pytest.mark.parametrize(
    ("raw", "meant"),
    [("true", True), ("12", 12), ("-3", -3), ("1.5", 1.5), ("2026-12-24", "2026-12-24"), ("gold", "gold")],
)
def test_what_is_unambiguous_needs_no_quotes(raw: str, meant: object) -> None:
    assert value(raw) == (meant, 0)


@pytest.mark.parametrize("raw", ["+43 664 1234567", "0664", "no", "1:30", "NO"])
def test_a_text_is_taken_as_it_is_written(raw: str) -> None:
    assert section(f"a: {raw}").text("a") == raw


@pytest.mark.parametrize("raw", ["", "~", "null"])
def test_nothing_is_told_from_a_text(raw: str) -> None:
    assert not section(f"a: {raw}\nb: 1").has("a")
    assert section(f"a: '{raw}'").has("a")


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? "])
def test_deep_nesting_is_refused_before_it_hurts(opening: str) -> None:
    notes = Problems("f.yaml")
    assert read_yaml("a:\n " + opening * 50_000, notes) is None
    assert len(notes.problems) == 1


def test_aliases_cannot_multiply_a_file() -> None:
    notes = Problems("f.yaml")
    assert read_yaml("a: &a [1]\nb: [*a, *a]", notes) is None
    assert "aliases" in notes.problems[0].sentence


def test_a_key_that_nobody_took_is_a_problem_with_the_nearest_one() -> None:
    found = section("adress: x")
    found.text("address")
    found.close("an integration")
    assert str(found.notes.problems[0]) == ("f.yaml:1: an integration has no key 'adress'; did you mean 'address'?")


def test_the_same_fault_is_told_once() -> None:
    found = section("a: [1]")
    found.text("a")
    found.text("a")
    assert len(found.notes.problems) == 1


def test_a_secret_comes_from_the_environment() -> None:
    found = section("key: 'Bearer ${TOKEN}'", TOKEN="hunter2")
    assert written(found, "key").secret() == "Bearer hunter2"
    assert found.notes.problems == []


def test_a_secret_comes_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("hunter2\n")
    assert written(section(f"key: {{file: {tmp_path}/token}}"), "key").secret() == "hunter2"


@pytest.mark.parametrize(
    "text", ["key: hunter2", "key: {hunter2}", "key: {hunter2: x}", "key: [hunter2]", 'key: {file: "/nowhere/\\0"}']
)
def test_no_problem_quotes_a_secret(text: str) -> None:
    found = section(text)
    assert written(found, "key").secret() in (None, "", "hunter2")
    assert found.notes.problems
    assert "hunter2" not in str(found.notes.problems)


def test_an_unset_variable_is_named() -> None:
    found = section("key: ${TOKEN}")
    assert written(found, "key").secret() == ""
    assert "TOKEN is not set" in found.notes.problems[0].sentence


@given(st.text(max_size=200))
@example("?\x850")
@example("a: 'b\u2028c\u2029")
@examples(150)
def test_any_text_is_read_or_refused(text: str) -> None:
    notes = Problems("f.yaml")
    found = read_yaml(text, notes)
    assert (found is None) == bool(notes.problems) or found is not None


def test_a_list_is_no_text() -> None:
    found = section("a: [1]")
    assert written(found, "a").text() is None
