"""The provider of a file: formats, spellings, and what happens when the file changes."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from routing_engine.core.ports import Provider
from routing_engine.errors import ProviderRefused
from routing_engine.providers.records.file import read_table
from routing_engine.providers.records.provider import RecordsProvider, open_records
from routing_engine.providers.records.settings import RecordsSettings, read_settings
from routing_engine.settings.integration import Model, read_models
from routing_engine.settings.yaml_reader import Problems, read_yaml

from .contract import CUSTOMERS, MODELS, REGION, ProviderContract, by_caller, by_field, ids

pytestmark = pytest.mark.io


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def as_csv(separator: str = ",") -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(CUSTOMERS[0]), delimiter=separator)
    writer.writeheader()
    writer.writerows(CUSTOMERS)
    return text.getvalue()


def as_yaml(indent: str) -> str:
    return "".join(f"{indent}- {json.dumps(row, ensure_ascii=False)}\n" for row in CUSTOMERS)


WRITERS: dict[str, Callable[[], str]] = {
    "customers.csv": as_csv,
    "excel.csv": lambda: "\ufeff" + as_csv(";"),
    "customers.json": lambda: json.dumps(CUSTOMERS),
    "wrapped.json": lambda: json.dumps({"customers": CUSTOMERS}),
    "customers.yaml": lambda: as_yaml(""),
    "wrapped.yaml": lambda: "customers:\n" + as_yaml("  "),
}


def opened(
    path: Path, clock: Clock, models: dict[str, Model] = MODELS, phones: tuple[str, ...] = ("phone",)
) -> Provider:
    form = {"csv": "csv", "json": "json", "yaml": "yaml"}[path.suffix[1:]]
    return open_records("shop", RecordsSettings(path, form, phones), models, REGION, clock)


@pytest.fixture
def clock() -> Clock:
    return Clock()


class TestRecords(ProviderContract):
    @pytest.fixture(params=WRITERS)
    async def provider(self, request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> AsyncIterator[Provider]:
        path = tmp_path / request.param
        path.write_text(WRITERS[request.param](), encoding="utf-8")
        provider = opened(path, clock)
        yield provider
        await provider.close()


async def test_without_a_field_the_key_is_searched_and_values_are_trimmed(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "c.csv"
    path.write_text("id,name\n 7 ,Anna\n")
    provider = opened(path, clock, {"contact": Model("contact", {})}, ())
    (record,) = await provider.find(by_field("", "7  "))
    assert record.fields == {"id": " 7 ", "name": "Anna"}
    await provider.close()


async def test_a_caller_is_looked_for_in_every_phone_field(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "c.csv"
    path.write_text("id,phone,mobile\n1,+43 1 5555555,0664 1234567; 0664 7654321\n2,,+43 676 1111111\n")
    provider = opened(path, clock, {"contact": Model("contact", {})}, ("phone", "mobile"))
    assert ids(await provider.find(by_caller("+436647654321"))) == ["1"]
    assert ids(await provider.find(by_caller("01 5555555"))) == ["1"]
    assert ids(await provider.find(by_caller("01 5555555", field="mobile"))) == []
    await provider.close()


async def test_more_rows_than_one_caller_has_are_told_and_of_a_value_the_first_are_given(
    tmp_path: Path, clock: Clock
) -> None:
    path = tmp_path / "c.csv"
    path.write_text("id,phone\n" + "1,+43 1 5555555\n" * 150)
    provider = opened(path, clock, {"contact": Model("contact", {})})
    assert len(await provider.find(by_caller("+4315555555"))) == 101, "the look-up counts them"
    assert len(await provider.find(by_field("id", "1"))) == 100
    await provider.close()


async def test_a_changed_file_is_read_again_after_a_second(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "c.csv"
    path.write_text("id,name\n1,Anna\n")
    provider = opened(path, clock, {"contact": Model("contact", {})}, ())
    assert ids(await provider.find(by_field("id", "2"))) == []
    (tmp_path / "new").write_text("id,name\n2,Paul\n")
    os.replace(tmp_path / "new", path)
    assert ids(await provider.find(by_field("id", "2"))) == []
    clock.now += 1.0
    assert ids(await provider.find(by_field("id", "2"))) == ["2"]
    await provider.close()


async def test_a_broken_file_leaves_the_last_good_table_and_says_so_once(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "c.csv"
    path.write_text("id,name\n1,Anna\n")
    provider = opened(path, clock, {"contact": Model("contact", {})}, ())
    await provider.find(by_field("id", "1"))
    path.write_text("id,name\n1,Anna,and,more\n")
    with capture_logs() as logs:
        for _ in range(3):
            clock.now += 1.0
            assert ids(await provider.find(by_field("id", "1"))) == ["1"]
    assert [log["event"] for log in logs] == ["records.broken"]
    await provider.close()


async def test_a_file_that_was_never_good_is_an_error(tmp_path: Path, clock: Clock) -> None:
    provider = opened(tmp_path / "missing.csv", clock)
    with pytest.raises(ProviderRefused, match="shop: the file of records cannot be read"):
        await provider.find(by_field("id", "1"))
    await provider.close()


async def test_a_column_that_is_not_there_is_an_error_and_not_nobody(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "c.csv"
    path.write_text("id,name\n1,Anna\n")
    provider = opened(path, clock, {"contact": Model("contact", {})})
    with pytest.raises(ProviderRefused, match="no column 'phone'"):
        await provider.find(by_caller("+436641234567"))
    await provider.close()


BROKEN = {
    "empty.csv": b"",
    "nameless.csv": b"id,\n1,2\n",
    "quotes.csv": b'id,name\n1,"a"b\n',
    "latin.csv": "id,name\n1,J\u00f6rg\n".encode("latin-1"),
    "scalar.json": b"1",
    "nan.json": b'[{"id": NaN}]',
    "huge.json": b'[{"id": 1e999}]',
    "deep.json": b"[" * 100_000,
    "texts.json": b'["a"]',
    "text.yaml": b"just text",
    "twice.yaml": b"- id: 1\n  id: 2\n",
    "anchors.yaml": b"a: &a [1]\nb: *a\n",
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_told_by_a_sentence(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(BROKEN[name])
    with pytest.raises(ValueError, match=r"\w+ \w+"):
        read_table(tmp_path / name, name.rpartition(".")[2])


def test_yaml_numbers_that_are_texts_stay_texts(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("---\n# ours\n- {phone: +43664, number: 0042, balance: 2500, vip: true, ok: no}\n")
    assert read_table(tmp_path / "c.yaml", "yaml").rows == [
        {"phone": "+43664", "number": "0042", "balance": 2500, "vip": True, "ok": "no"}
    ]


def test_a_line_break_in_a_quoted_cell_is_part_of_the_cell(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text('id,name\n1,"a\nb\u2028c"\n\n2,d\n', encoding="utf-8")
    assert [row["name"] for row in read_table(tmp_path / "c.csv", "csv").rows] == ["a\nb\u2028c", "d"]


def read(folder: Path, text: str) -> tuple[RecordsSettings, list[str]]:
    notes = Problems("integrations/shop.yaml")
    section = read_yaml(f"provider: records\nmodels: {{contact: {{}}}}\n{text}", notes)
    assert section is not None
    section.value("provider")
    read_models(section)
    return read_settings(section, "shop", folder), [problem.sentence for problem in notes.problems]


def test_settings_name_a_file_beside_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "c.csv").touch()
    settings, problems = read(tmp_path, "file: c.csv\nphone_fields: [phone, mobile]\nkey: number")
    assert (settings, problems) == (RecordsSettings(tmp_path / "c.csv", "csv", ("phone", "mobile"), "number"), [])


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("file: missing.csv", "the file 'missing.csv' of 'file' is not there"),
        ("format: csv", "'file' is missing"),
        ("file: c.txt", "the ending of 'c.txt' names no format"),
        ("file: c.txt\nformat: xls", "'format' cannot be 'xls'"),
        ("file: c.csv\nphones: [a]", "the integration 'shop' has no key 'phones'"),
    ],
)
def test_a_fault_in_the_settings_is_noted(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "c.csv").touch()
    (tmp_path / "c.txt").touch()
    assert sentence in read(tmp_path, text)[1]


async def test_a_look_up_in_a_large_table_is_a_dictionary_access(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "c.csv"
    path.write_text("id,name\n" + "".join(f"{number},Anna\n" for number in range(100_000)))
    provider = opened(path, clock, {"contact": Model("contact", {})}, ())
    assert isinstance(provider, RecordsProvider)
    assert ids(await provider.find(by_field("id", "99999"))) == ["99999"]
    await provider.close()
