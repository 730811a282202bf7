"""`check` and `integrations check` read the tables that calls would read."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.conftest import Run, as_json

pytestmark = pytest.mark.io

FILES = {
    "engine.yaml": "region: AT\n",
    "integrations/crm.yaml": "provider: records\nfile: customers.csv\nmodels: {contact: {}}\n",
    "routes/support.yaml": (
        "sources:\n- {name: crm, integration: crm, model: contact, search: {by: caller}, rules: [{to: {queue: a}}]}\n"
        "default: {to: {queue: b}}\n"
    ),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_a_table_that_cannot_be_read_is_a_problem_of_check(run: Run, folder: Path) -> None:
    (folder / "customers.csv").write_bytes("phone,name\n1,Müller\n".encode("cp1252"))
    code, out, _ = run("check", "--config", str(folder))
    assert code == 1
    assert "customers.csv:2: this is not UTF-8; save it as 'CSV UTF-8'" in out
    assert "1 problem: each call that asks there finds the source down" in out


def test_a_table_that_cannot_be_read_is_for_the_administrator_here(run: Run, folder: Path) -> None:
    (folder / "customers.csv").write_bytes(b"")
    code, out, _ = run("integrations", "check", "crm", "--config", str(folder), "--json")
    found = as_json(out)
    assert (code, found["who"]) == (1, "administrator")
    assert found["remedy"] == "The administrator here must act: write the headings, then the records."


def test_numbers_that_cannot_be_read_are_remarks(run: Run, folder: Path) -> None:
    (folder / "customers.csv").write_text("phone\n4.36641E+11\n")
    sentence = "1 number of the column 'phone' cannot be read, on line 2: a spreadsheet has rounded it"
    code, out, _ = run("check", "--config", str(folder), "--json")
    assert (code, [one["sentence"] for one in as_json(out)["remarks"][-1:]]) == (0, [sentence])
    code, out, _ = run("integrations", "check", "crm", "--config", str(folder), "--json")
    assert (code, as_json(out)["who"]) == (0, "administrator")
    assert sentence in as_json(out)["sentence"]


def test_a_missing_column_is_for_the_administrator_here(run: Run, folder: Path) -> None:
    (folder / "customers.csv").write_text("Phone\n1\n")
    _, out, _ = run("integrations", "check", "crm", "--config", str(folder), "--json")
    assert "it has no column 'phone', but 'Phone'" in as_json(out)["sentence"]
    assert as_json(out)["who"] == "administrator"


SQL = """
provider: sql
database: sqlite:///crm.db
models: {contact: {find_by_phone: 'SELECT id, nam FROM people WHERE p = :e164'}}
"""


def test_a_wrong_column_of_an_sqlite_file_is_a_problem_of_check(run: Run, folder: Path) -> None:
    (folder / "integrations/crm.yaml").write_text(SQL)
    with closing(sqlite3.connect(folder / "crm.db")) as file:
        file.execute("CREATE TABLE people (id, name, p)")
    code, out, _ = run("check", "--config", str(folder))
    said = "integrations/crm.yaml: crm: there is no such column: 'nam'; 'people' has id, name, p; "
    assert (code, said in out) == (1, True), out
    assert "The administrator here must act: correct 'find_by_phone' of the model 'contact'" in out
