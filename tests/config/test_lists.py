"""List files: what stands on their lines, what is wrong with them and where."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing_engine.config.engine_yaml import read_part
from routing_engine.config.folder import UnreadableFile
from routing_engine.config.number_lists import KeptLists, make_lists, read_file
from routing_engine.config.store import ConfigStore
from routing_engine.core.model import NumberList
from routing_engine.core.number_lists import EntryFault
from routing_engine.core.phone import read_number
from routing_engine.errors import ConfigError
from routing_engine.rehearsal import run_examples
from routing_engine.settings.yaml_reader import Problems

from .folders import PROVIDERS, write

ANNA, PAUL = "+43 664 1234567", "+43 676 7654321"


def read(engine: str, **files: str | UnreadableFile) -> tuple[Mapping[str, NumberList], list[str]]:
    """Read engine.yaml with list files, `blocked_txt` for lists/blocked.txt; give the lists and all problems."""
    notes = Problems("engine.yaml")
    written = read_part(engine, notes, ("lists",))
    assert written is not None
    texts = {f"lists/{name.replace('_', '.')}": text for name, text in files.items()}
    found = make_lists(written.lists, texts, "AT", notes)
    return found, [str(problem) for problem in notes.problems]


def verdicts(lists: Mapping[str, NumberList], name: str, *callers: str) -> list[str]:
    return [lists[name].verdict(read_number(caller, "AT")) for caller in callers]


def test_a_list_of_two_sides_each_of_one_file_or_several() -> None:
    engine = "lists: {callers: {block: [lists/a.txt, lists/b.csv], allow: lists/c.txt}}"
    lists, problems = read(
        engine, a_txt=f"{ANNA}\n", b_csv=f"phone;why\n{PAUL};spam\n+4390*;cost\n", c_txt="0676 7654321"
    )
    assert problems == []
    assert verdicts(lists, "callers", ANNA, PAUL, "0900 123456", "") == ["blocked", "allowed", "blocked", "unlisted"]


def test_several_lists_may_share_a_file() -> None:
    lists, problems = read("lists: {a: {block: lists/x.txt}, b: {allow: lists/x.txt}}", x_txt="anonymous\nbad")
    assert [verdicts(lists, name, "")[0] for name in "ab"] == ["blocked", "allowed"]
    assert len(problems) == 1


def test_a_file_that_did_not_change_is_not_read_again() -> None:
    kept = KeptLists()
    first = kept.read("lists/a.txt", ANNA, "AT")
    assert kept.read("lists/a.txt", ANNA, "AT") is first
    assert kept.read("lists/a.txt", ANNA, "DE") is not first
    kept.forget_others([])
    assert kept.read("lists/a.txt", ANNA, "DE").numbers == first.numbers


@pytest.mark.parametrize("engine", ["region: AT", "lists:", "lists: {}"])
def test_without_lists_there_are_none(engine: str) -> None:
    notes = Problems("engine.yaml")
    written = read_part(engine, notes, ("lists",))
    assert written is not None
    assert (make_lists(written.lists, {}, "AT", notes), notes.problems) == ({}, [])


#: A file's ending, its text, and the lines that are entries.
FILES = [
    ("txt", "", []),
    ("txt", "\n\n  \n# nobody yet\n", []),
    ("txt", "# blocked\n0664 1234567  # since May\r\n\r\n100\n", [2, 4]),
    ("txt", "100\r101\r", [1, 2]),
    ("txt", "\ufeff100", [1]),
    ("csv", "", []),
    ("csv", "phone,why\n100,spam\n", [2]),
    ("csv", "Telefon 1;why\n100;spam\n", [2]),
    ("csv", "100,spam\n101,more\n", [1, 2]),
    ("csv", "# exported\n\nphone\twhy\n100\tspam\n", [4]),
    ("csv", 'phone;why\n"+43 664 1234567";"a; b\nand more"\n100;x\n', [2, 4]),
    ("csv", "phone;why\n;;\n ; \n100;x\n", [4]),
    ("csv", "anonymous\n+4390*\n", [1, 2]),
    ("csv", "100\n", [1]),
    ("csv", "100 # mine, yours\n", [1]),
]


@pytest.mark.parametrize(("ending", "text", "lines"), FILES)
def test_entries_stand_on_these_lines(ending: str, text: str, lines: list[int]) -> None:
    found = list(read_file(text, "AT", is_csv=ending == "csv"))
    assert [line for line, _ in found] == lines
    assert not any(isinstance(entry, EntryFault) for _, entry in found)


#: The name of a file, its text, and what is said of it.
BAD = [
    ("x_txt", "100\nAnna\n", "lists/x.txt:2: this is not a telephone number; write one number on each line"),
    ("x_txt", "0900*", "lists/x.txt:1: this is not the beginning of a number; write it with +"),
    (
        "x_txt",
        "100\n\n+4390",
        "lists/x.txt:3: this is too short for a number; for all numbers that begin so write +4390*",
    ),
    ("x_txt", "withheld", "lists/x.txt:1: this is not a telephone number; write anonymous"),
    ("x_csv", "phone\nname\n100", "lists/x.csv:2: this is not a telephone number"),
    ("x_csv", "+43664123456x;spam\n100", "lists/x.csv:1: this is not a telephone number"),
    ("x_csv", "phone;why\n4,36E+11;spam", "lists/x.csv:2: a spreadsheet has rounded this number"),
    ("x_csv", 'phone;why\n100;"open\n101;x\n', "lists/x.csv:2: this is not CSV from here on; look at the quotes"),
    ("x_csv", "phone;why\n;spam\n", "lists/x.csv:2: this row has no number"),
    (
        "x_txt",
        UnreadableFile("this is larger than 16 MiB", "split it"),
        "lists/x.txt: this is larger than 16 MiB; split it",
    ),
]


@pytest.mark.parametrize(("name", "text", "said"), BAD)
def test_a_fault_of_a_list_file_names_the_file_and_its_line(name: str, text: str | UnreadableFile, said: str) -> None:
    _, problems = read(f"lists: {{callers: {{block: lists/{name.replace('_', '.')}}}}}", **{name: text})
    assert len(problems) == 1
    assert problems[0].startswith(said)


def test_a_file_full_of_faults_is_told_in_part() -> None:
    _, problems = read("lists: {callers: {block: lists/x.txt}}", x_txt="Anna\n" * 100)
    assert len(problems) == 21
    assert problems[-1] == "lists/x.txt:21: 80 more lines have a fault; correct those above, and look again"


def test_no_fault_shows_what_stands_in_the_file() -> None:
    _, problems = read("lists: {callers: {block: lists/x.txt}}", x_txt="+43 664 1234567 Anna")
    assert problems
    assert "1234567" not in problems[0]
    assert "Anna" not in problems[0]


#: engine.yaml, and what is said of it, beginning with the line.
ENGINES = [
    (
        "lists: {callers: {block: lists/y.txt}}",
        "engine.yaml:1: there is no file 'lists/y.txt'; did you mean 'lists/x.txt'?",
    ),
    ("lists: {callers: {block: x.txt}}", "engine.yaml:1: there is no file 'x.txt'; did you mean 'lists/x.txt'?"),
    ("lists:\n  callers: {}", "engine.yaml:2: the list 'callers' needs 'block', 'allow' or both; write for example"),
    ("lists:\n  callers:", "engine.yaml:2: the list 'callers' has no files; write for example"),
    ("lists: {callers: lists/x.txt}", "engine.yaml:1: the list 'callers' must be a mapping"),
    ("lists: [callers]", "engine.yaml:1: 'lists' must be a mapping"),
    ("lists: {'a|b': {block: lists/x.txt}}", "engine.yaml:1: a list cannot be called 'a|b'"),
    (
        "lists: {callers: {block: lists/x.txt, deny: 1}}",
        "engine.yaml:1: the list 'callers' has no key 'deny'; known here",
    ),
]


@pytest.mark.parametrize(("engine", "said"), ENGINES)
def test_a_fault_of_the_lists_in_engine_yaml(engine: str, said: str) -> None:
    _, problems = read(engine, x_txt="100")
    assert len(problems) == 1
    assert problems[0].startswith(said)


def test_without_any_file_the_remedy_says_where_they_belong() -> None:
    _, problems = read("lists: {callers: {block: lists/x.txt}}")
    assert problems[0].endswith("create config/lists/NAME.txt, and write lists/NAME.txt here")


def test_a_list_with_a_fault_is_still_known_to_routes() -> None:
    lists, problems = read("lists: {callers: {block: lists/x.txt}}", x_txt="Anna\n100")
    assert problems
    assert verdicts(lists, "callers", "100") == ["blocked"]


def test_a_hundred_thousand_numbers_are_all_there() -> None:
    text = "".join(f"+43664{number:07}\n" for number in range(100_000))
    lists, problems = read("lists: {callers: {block: lists/x.txt}}", x_txt=text)
    assert problems == []
    assert verdicts(lists, "callers", "0664 0099999", "0664 0100000") == ["blocked", "unlisted"]


@given(st.text(max_size=200) | st.lists(st.sampled_from(list("+0159 *#,;\t\"'\n\r\0axE.")), max_size=60).map("".join))
def test_any_text_in_a_list_file_is_read_or_told(text: str) -> None:
    for name in ("x_txt", "x_csv"):
        lists, problems = read(f"lists: {{a: {{block: lists/{name.replace('_', '.')}}}}}", **{name: text})
        assert verdicts(lists, "a", "+436641234567")[0] in ("blocked", "unlisted")
        assert all(problem.startswith("lists/x.") for problem in problems)


ROUTE = """
rules: [{name: blocked, when: {list.callers: blocked}, to: {hangup: rejected}}]
default: {to: {queue: reception}}
examples:
  - {name: Anna, caller: '0664 1234567', expect: {rule: blocked}}
  - {name: Paul, caller: '0676 7654321', expect: {reason: no_record}}
"""
FOLDER = {
    "engine.yaml": "region: AT\nlists: {callers: {block: lists/blocked.txt}}\n",
    "lists/blocked.txt": f"{ANNA}\n",
    "routes/support.yaml": ROUTE,
}


def test_a_changed_list_is_in_force_after_a_reload_and_a_broken_one_is_not(tmp_path: Path) -> None:
    store = ConfigStore(write(tmp_path, FOLDER), PROVIDERS)
    before = store.load()
    write(tmp_path, {"lists/blocked.txt": f"{ANNA}\nPaul\n"})
    assert store.changed()
    with pytest.raises(ConfigError, match=r"lists/blocked\.txt:2: this is not a telephone number"):
        store.reload()
    assert store.in_force is before
    write(tmp_path, {"lists/blocked.txt": f"+43 664 *\n{ANNA}\n"})
    store.reload()
    assert verdicts(store.in_force.settings.site.lists, "callers", "0664 9999999") == ["blocked"]


@pytest.mark.io
def test_an_example_keeps_a_list_from_blocking_the_wrong_caller(tmp_path: Path) -> None:
    store = ConfigStore(
        write(tmp_path, {**FOLDER, "lists/blocked.txt": f"{ANNA}\n{PAUL}\n"}), PROVIDERS, run_examples=run_examples
    )
    with pytest.raises(ConfigError, match="the example 'Paul' fails"):
        store.load()


def test_a_large_list_is_read_and_a_huge_one_is_refused(tmp_path: Path) -> None:
    store = ConfigStore(write(tmp_path, {**FOLDER, "lists/blocked.txt": f"{ANNA}\n#" + "x" * (2 << 20)}), PROVIDERS)
    store.load()
    write(tmp_path, {"lists/blocked.txt": "#" * (16 << 20) + "\n"})
    with pytest.raises(ConfigError, match=r"lists/blocked\.txt: this is larger than 16 MiB"):
        store.reload()
