"""Spreadsheets as tables of records: what people type into them, and what nobody should be able to do with one."""

from __future__ import annotations

import io
import time
import zipfile
from collections.abc import AsyncIterator, Callable
from functools import cache
from pathlib import Path

import pytest

from routing_engine.core.ports import Provider
from routing_engine.providers.records.file import LARGEST, read_table
from routing_engine.providers.records.provider import open_records
from routing_engine.providers.records.settings import RecordsSettings, read_settings
from routing_engine.settings.integration import Model, read_models
from routing_engine.settings.yaml_reader import Problems, read_yaml

from .contract import CUSTOMERS, MODELS, REGION, ProviderContract, by_caller, by_field, ids
from .sheets import save_ods, save_xlsx, xlsx_rows

pytestmark = pytest.mark.io

ROWS = [list(CUSTOMERS[0]), *([str(value) for value in row.values()] for row in CUSTOMERS)]
WRITERS: dict[str, Callable[[Path], None]] = {
    "customers.xlsx": lambda path: save_xlsx(path, {"Kunden": xlsx_rows(ROWS), "Old": ""}),
    "customers.ods": lambda path: save_ods(path, {"Kunden": ROWS, "Old": []}),
}


def opened(path: Path, sheet: str = "", models: dict[str, Model] = MODELS) -> Provider:
    settings = RecordsSettings(path, path.suffix[1:], ("phone",), sheet=sheet)
    return open_records("shop", settings, models, REGION, time.monotonic)


class TestSpreadsheets(ProviderContract):
    @pytest.fixture(params=WRITERS)
    async def provider(self, request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Provider]:
        path = tmp_path / request.param
        WRITERS[request.param](path)
        provider = opened(path)
        yield provider
        await provider.close()


def saved(tmp_path: Path, *cells: object) -> Path:
    """A workbook with one column `value`."""
    path = tmp_path / "typed.xlsx"
    save_xlsx(path, {"Sheet1": xlsx_rows([["value"], *([cell] for cell in cells)])})
    return path


#: How a cell is written, and what it comes to.
XLSX_CELLS = {
    "a telephone number typed as a number": ("4.36641234567E11", 436641234567),
    "the same with the exponent shown": ('<c s="3"><v>4.36641234567E+11</v></c>', 436641234567),
    "an amount": ("19.9", 19.9),
    "a text that looks like a number": ("0042", "0042"),
    "a text with a plus": ("+43 664 1234567", "+43 664 1234567"),
    "a card number beyond what a number keeps": ("9007199254740994", "9007199254740994"),
    "a day": ('<c s="1"><v>46347</v></c>', "2026-11-21"),
    "a day and a time": ('<c s="2"><v>46347.5</v></c>', "2026-11-21T12:00:00"),
    "true": ('<c t="b"><v>1</v></c>', True),
    "a formula counts as what was saved with it": ("<c><f>1+1</f><v>2</v></c>", 2),
    "a formula that gave a text": ('<c t="str"><f>A1&amp;"x"</f><v>gold</v></c>', "gold"),
    "a text of several lines": ("a\nb", "a\nb"),
}


@pytest.mark.parametrize("name", XLSX_CELLS)
def test_a_cell_comes_out_as_it_was_meant(tmp_path: Path, name: str) -> None:
    written, meant = XLSX_CELLS[name]
    cell: object = written
    if (isinstance(meant, int | float) and not written.startswith("<")) or name.startswith("a card"):
        cell = f"<c><v>{written}</v></c>"
    assert [row["value"] for row in read_table(saved(tmp_path, cell), "xlsx").rows] == [meant]


@pytest.mark.parametrize("cell", ["<c><f>1+1</f></c>", '<c t="e"><v>#N/A</v></c>', "<c/>", ""])
def test_a_cell_without_a_value_is_empty(tmp_path: Path, cell: str) -> None:
    path = tmp_path / "c.xlsx"
    save_xlsx(path, {"Sheet1": xlsx_rows([["id", "value"], [1, cell]])})
    assert read_table(path, "xlsx").rows == [{"id": 1, "value": ""}]


def test_dates_and_numbers_of_ods(tmp_path: Path) -> None:
    date = '<table:table-cell office:value-type="date" office:date-value="2026-11-21"/>'
    true = '<table:table-cell office:value-type="boolean" office:boolean-value="true"/>'
    save_ods(tmp_path / "c.ods", {"A": [["a", "b", "c", "d"], [436641234567, 2.5, date, true]]})
    assert read_table(tmp_path / "c.ods", "ods").rows == [{"a": 436641234567, "b": 2.5, "c": "2026-11-21", "d": True}]


async def test_a_caller_is_found_whose_number_was_typed_as_a_number(tmp_path: Path) -> None:
    path = tmp_path / "c.xlsx"
    save_xlsx(path, {"Sheet1": xlsx_rows([["id", "phone"], [7, "<c><v>4.3664123456700E13</v></c>"], [8, 6641234567]])})
    provider = opened(path, models={"contact": Model("contact", {})})
    assert ids(await provider.find(by_caller("0664 1234567"))) == ["8"]
    assert ids(await provider.find(by_field("id", "7"))) == ["7"]
    await provider.close()


def test_empty_rows_and_columns_around_the_table_do_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "c.xlsx"
    rows = [["id", "name", "", ""], ["", "", "", ""], [1, "Anna", "", ""], ["", "", "", ""]]
    save_xlsx(path, {"Sheet1": xlsx_rows(rows)})
    assert read_table(path, "xlsx").rows == [{"id": 1, "name": "Anna"}]


@pytest.mark.parametrize("ending", ["xlsx", "ods"])
def test_a_sheet_can_be_named(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"c.{ending}"
    if ending == "xlsx":
        save_xlsx(path, {"A": xlsx_rows([["id"], [1]]), "B & C".replace("&", "and"): xlsx_rows([["id"], [2]])})
    else:
        save_ods(path, {"A": [["id"], [1]], "B and C": [["id"], [2]]})
    assert [read_table(path, ending, sheet).rows[0]["id"] for sheet in ("", "A", "B and C")] == [1, 1, 2]
    with pytest.raises(ValueError, match="it has no sheet 'D'"):
        read_table(path, ending, "D")


def far_away(path: Path) -> None:
    """One cell in the last corner: a dense table of it has 17,000,000,000 cells."""
    save_xlsx(
        path, {"A": '<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>2</v></c></row>'}
    )


def bomb(path: Path) -> None:
    """A gigabyte of nothing, a few megabytes as a file."""
    path.write_bytes(packed_nothing())


@cache
def packed_nothing() -> bytes:
    """The bomb's bytes: packing takes seconds."""
    packed, nothing = io.BytesIO(), b" " * (1 << 20)
    fast = zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1)
    with fast as file, file.open("xl/workbook.xml", "w") as unpacked:
        for _ in range(1024):
            unpacked.write(nothing)
    return packed.getvalue()


def lying_bomb(path: Path) -> None:
    """The same, with a small size in its directory."""
    bomb(path)
    data = bytearray(path.read_bytes())
    at = data.rindex(b"PK\x01\x02")
    data[at + 24 : at + 28] = (1000).to_bytes(4, "little")
    path.write_bytes(data)


def repeated(path: Path) -> None:
    """One cell of OpenDocument that says it stands in every cell there is."""
    cell = '<table:table-cell table:number-columns-repeated="16384" office:value-type="float" office:value="1"/>'
    save_ods(path, {"A": [["id"], ["<table:table-cell/>"]]})
    content = zipfile.ZipFile(path).read("content.xml").decode()
    row = f'<table:table-row table:number-rows-repeated="1048576">{cell}</table:table-row>'
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        file.writestr("META-INF/manifest.xml", "<manifest/>")
        file.writestr("content.xml", content.replace("</table:table>", row + "</table:table>"))


BROKEN: dict[str, Callable[[Path], None]] = {
    "text.xlsx": lambda path: path.write_text("no archive") and None,
    "empty.xlsx": lambda path: save_xlsx(path, {"A": ""}),
    "nameless.xlsx": lambda path: save_xlsx(path, {"A": xlsx_rows([["id", "", "x"], [1, 2, 3]])}),
    "wide.xlsx": lambda path: save_xlsx(path, {"A": xlsx_rows([["id"], [1, 2]])}),
    "other.xlsx": lambda path: zipfile.ZipFile(path, "w").close(),
    "far.xlsx": far_away,
    "bomb.xlsx": bomb,
    "lying.xlsx": lying_bomb,
    "repeated.ods": repeated,
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_or_hostile_file_is_told_by_a_sentence(tmp_path: Path, name: str) -> None:
    BROKEN[name](tmp_path / name)
    with pytest.raises(ValueError, match=r"\w+ \w+"):
        read_table(tmp_path / name, name.rpartition(".")[2])


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    with open(tmp_path / "c.csv", "wb") as file:
        file.truncate(LARGEST + 1)
    with pytest.raises(ValueError, match="larger than 64 MiB"):
        read_table(tmp_path / "c.csv", "csv")


def test_a_hundred_thousand_rows_are_read(tmp_path: Path) -> None:
    rows = "".join(
        f'<row r="{n}"><c r="A{n}"><v>{n}</v></c><c r="B{n}" t="inlineStr"><is><t>+43 1 {n:07}</t></is></c></row>'
        for n in range(2, 100_002)
    )
    save_xlsx(tmp_path / "c.xlsx", {"A": xlsx_rows([["id", "phone"]]) + rows})
    found = read_table(tmp_path / "c.xlsx", "xlsx").rows
    assert (len(found), found[-1]) == (100_000, {"id": 100_001, "phone": "+43 1 0100001"})


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("file: c.xlsx", []),
        ("file: c.xlsx\nsheet: Kunden", []),
        ("file: c.csv\nsheet: Kunden", ["only a spreadsheet has sheets"]),
        ("file: c.bin\nformat: ods", []),
    ],
)
def test_what_an_integration_says_of_a_spreadsheet(tmp_path: Path, text: str, sentences: list[str]) -> None:
    for name in ("c.xlsx", "c.csv", "c.bin"):
        (tmp_path / name).touch()
    notes = Problems("integrations/shop.yaml")
    section = read_yaml(f"provider: records\nmodels: {{contact: {{}}}}\n{text}", notes)
    assert section is not None
    section.value("provider")
    read_models(section)
    read_settings(section, "shop", tmp_path)
    assert [problem.sentence for problem in notes.problems] == sentences
