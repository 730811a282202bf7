"""Tables as spreadsheets save them: encodings, separators, headings, and numbers that are lost."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from routing_engine.core.ports import FileSearch
from routing_engine.errors import ProviderRefused
from routing_engine.providers.records.file import read_table
from routing_engine.providers.records.provider import open_records
from routing_engine.providers.records.settings import RecordsSettings
from routing_engine.providers.records.table import TableFault, check_used
from routing_engine.settings.integration import Model

from .contract import by_caller, by_field, ids

pytestmark = pytest.mark.io

BY_CALLER = FileSearch("contact", "", True)


def saved(folder: Path, content: bytes | str, name: str = "customers.csv") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def fault_of(path: Path) -> str:
    with pytest.raises(TableFault) as caught:
        read_table(path, path.suffix[1:])
    return f"{caught.value.line}: {caught.value}; {caught.value.remedy}"


def findings(
    path: Path,
    searches: Sequence[FileSearch] = (BY_CALLER,),
    fields: dict[str, str] | None = None,
    phones: tuple[str, ...] = ("phone",),
) -> tuple[list[str], list[str]]:
    """The faults and the remarks of a table, as `check` prints them."""
    settings = RecordsSettings(path, path.suffix[1:], phones)
    found = settings.look(path.parent, {"contact": fields or {}}, "AT", searches)
    return [*map(str, found.faults)], [*map(str, found.remarks)]


# ------------------------------------------------------------------------------------------------ encodings


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("phone,name\n1,Müller\n".encode("cp1252"), "2: this is not UTF-8; save it as 'CSV UTF-8'"),
        ("phone;name\n1;Anna\n2;Jörg\n".encode("latin-1"), "3: this is not UTF-8"),
        ("phone\tname\n1\tMüller\n".encode("utf-16"), "0: this is UTF-16 ('Unicode text'), not UTF-8"),
        ("phone\tname\n".encode("utf-16-be"), "0: this is UTF-16"),
        ("phone\tname\n".encode("utf-16-le"), "0: this is UTF-16"),
        ("phone,name\n".encode("utf-32"), "0: this is UTF-16"),
        (b"PK\x03\x04\x14\x00\x06\x00", "0: this is a spreadsheet (.xlsx, .ods) or another archive, not text"),
        (
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
            "0: this is a spreadsheet of an old Excel (.xls), not text; save it as .xlsx",
        ),
        (b"%PDF-1.7", "0: this is a PDF"),
        (b"\x1f\x8b\x08\x00", "0: this is compressed"),
    ],
)
def test_a_table_that_is_no_text_is_named_with_its_remedy(tmp_path: Path, content: bytes, found: str) -> None:
    assert fault_of(saved(tmp_path, content)).startswith(found)


@pytest.mark.parametrize("name", ["customers.json", "customers.yaml"])
def test_json_and_yaml_in_another_encoding_are_named_too(tmp_path: Path, name: str) -> None:
    assert fault_of(saved(tmp_path, "- name: Jörg".encode("latin-1"), name)) == "1: this is not UTF-8; save it as UTF-8"


@pytest.mark.parametrize("name", ["customers.csv", "customers.json", "customers.yaml"])
@pytest.mark.parametrize("content", ["", "\n", "\ufeff"])
def test_an_empty_file_is_a_fault_of_any_format(tmp_path: Path, name: str, content: str) -> None:
    faults, _ = findings(saved(tmp_path, content, name))
    assert len(faults) == 1
    assert faults[0].startswith(name)


# ------------------------------------------------------------------------------------------------ what is read


@pytest.mark.parametrize(
    "text",
    [
        "phone,name\n1,Anna\n",
        "phone;name\r\n1;Anna\r\n",
        "phone\tname\n1\tAnna\n",
        "\ufeffphone;name\n1;Anna\n",
        "sep=;\nphone;name\n1;Anna\n",
        "\ufeffSEP=;\r\nphone;name\r\n1;Anna\r\n",
        '"sep=,"\nphone,name\n1,Anna\n',
        "sep=\t\nphone\tname\n1\tAnna\n",
        "sep=|\nphone|name\n1|Anna\n",
        "\n\nphone,name\n1,Anna\n",
        ' "phone";" name "\n1;Anna\n'.lstrip(),
        "phone ; name \n1;Anna\n",
        "phone;;name\n1;;Anna\n",
        "phone;name;;\n1;Anna;;\n",
        "phone;name\n1;Anna;;\n",
        "phone;name\n;\n1;Anna\n\n",
        "phone,name\r1,Anna\r",
    ],
)
def test_a_table_is_read_however_it_was_saved(tmp_path: Path, text: str) -> None:
    assert read_table(saved(tmp_path, text), "csv").rows == [{"phone": "1", "name": "Anna"}]


def test_a_separator_within_the_quotes_of_a_heading_does_not_count(tmp_path: Path) -> None:
    path = saved(tmp_path, '"name, first";"a, b, c";phone\nAnna;x;1\n')
    assert read_table(path, "csv").columns == {"name, first", "a, b, c", "phone"}


# ------------------------------------------------------------------------------------------------ headings


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("phone,note,name,note\n1,a,Anna,b\n", "column 2 and column 4"),
        ("sep=;\nphone; note;note;name\n1;a;b;Anna\n", "column 2 and column 3"),
    ],
)
def test_a_heading_that_stands_there_twice_is_a_fault_only_where_it_is_used(
    tmp_path: Path, text: str, places: str
) -> None:
    table = read_table(saved(tmp_path, text), "csv")
    assert [dict(row) for row in table.rows] == [{"phone": "1", "name": "Anna"}]
    check_used(table, {"phone", "name"})
    with pytest.raises(TableFault, match="the heading 'note' stands there twice") as caught:
        check_used(table, {"phone", "note"})
    assert places in str(caught.value)


def test_an_unused_heading_that_stands_there_twice_is_a_remark(tmp_path: Path) -> None:
    faults, remarks = findings(saved(tmp_path, "phone,note,note\n+436641234567,a,b\n"))
    assert faults == []
    assert remarks == [
        "customers.csv:1: the heading 'note' stands there twice (column 2 and column 3): neither column is read; "
        "rename or delete one of them"
    ]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("phone,,name\n1,x,Anna\n", "2: column 2 has no heading, and a value on line 2; write its heading"),
        ("Customers 2026;;\nphone;name;tier\n1;Anna;gold\n", "2: column 2 has no heading"),
        ("phone,name\n1,Anna,x\n", "2: line 2 has more cells than the first line has headings"),
        ('phone,name\n1,"a"b\n', "2: line 2 is not CSV"),
        ('phone,name\n1,a\n2,"b\n3,c\n4,d\n', "3: a quote opens in this row and is never closed"),
        ('sep=,\nphone,name\n1,"a\n', "3: a quote opens in this row and is never closed"),
        ("<html><table>", "1: it is a page (HTML) or XML, not CSV; save it as"),
        (",,\n,,\n", "0: it is empty; its first line must name the columns"),
    ],
)
def test_each_fault_of_a_table_has_a_sentence_and_a_line(tmp_path: Path, text: str, found: str) -> None:
    assert fault_of(saved(tmp_path, text)).startswith(found)


@pytest.mark.parametrize("heading", ["Phone", "PHONE", "phone.", "Ph one"])
def test_a_column_that_is_called_nearly_so_is_named(tmp_path: Path, heading: str) -> None:
    faults, _ = findings(saved(tmp_path, f"id,{heading}\n1,2\n"))
    assert faults == [
        f"customers.csv:1: it has no column 'phone', but '{heading}'; "
        "write it as it stands there: upper case and spaces count"
    ]


@pytest.mark.parametrize(
    ("heading", "remedy"), [("phon", "did you mean 'phon'?"), ("Telefon", "known here: Telefon, id")]
)
def test_a_column_that_is_not_there_is_named_with_what_is(tmp_path: Path, heading: str, remedy: str) -> None:
    faults, _ = findings(saved(tmp_path, f"id,{heading}\n1,2\n"))
    assert faults == [f"customers.csv:1: it has no column 'phone'; {remedy}"]


def test_the_columns_that_routes_search_are_looked_for(tmp_path: Path) -> None:
    path = saved(tmp_path, "id,phone\n1,+4315550123\n")
    searches = [FileSearch("contact", "number", False), FileSearch("contact", "", False), BY_CALLER]
    assert findings(path, searches, {"number": "Kundennummer"}) == (
        ["customers.csv:1: it has no column 'Kundennummer'; known here: id, phone"],
        [],
    )


def test_of_several_phone_fields_one_is_enough_and_the_others_are_remarked(tmp_path: Path) -> None:
    path = saved(tmp_path, "id,phone\n1,+4315550123\n")
    assert findings(path, phones=("phone", "mobile")) == (
        [],
        ["customers.csv:1: it has no column 'mobile'; known here: id, phone"],
    )


def test_a_field_that_is_mapped_to_no_column_is_remarked(tmp_path: Path) -> None:
    _, remarks = findings(saved(tmp_path, "id,phone,Tier\n1,+4315550123,a\n"), fields={"tier": "tier"})
    assert remarks[0].startswith("customers.csv:1: it has no column 'tier', which a field is mapped to, but 'Tier'; ")


def test_a_table_without_records_is_remarked(tmp_path: Path) -> None:
    assert findings(saved(tmp_path, "id,phone\n")) == (
        [],
        ["customers.csv: it has no records; write one below its headings"],
    )


def test_headings_alone_must_be_right_too(tmp_path: Path) -> None:
    assert findings(saved(tmp_path, "id,Phone\n"))[0][0].startswith("customers.csv:1: it has no column 'phone'")
    assert findings(saved(tmp_path, "[]", "c.json")) == (
        [],
        ["c.json: it has no records; write one below its headings"],
    )


# ------------------------------------------------------------------------------------------------ lost numbers


@pytest.mark.parametrize(
    ("cells", "sentence"),
    [
        (
            ["01 5550123", "4,36641E+11"],
            "3: 1 number of the column 'phone' cannot be read, on line 3: a spreadsheet has",
        ),
        (
            ["4.36641e11", "4,3E+11", "x"],
            "2: 2 numbers of the column 'phone' cannot be read, the first on line 2: a spr",
        ),
        (
            ["4,3E+11", "12 or 13?"],
            "2: 2 numbers of the column 'phone' cannot be read, the first on line 2: a spreadsh",
        ),
        (
            ["01 5550123", "see note 12", "call 5!"],
            "3: 2 numbers of the column 'phone' cannot be read, the first on li",
        ),
        (
            ['"a\nb"', "01 5550123", "1?2"],
            "5: 1 number of the column 'phone' cannot be read, on line 5; write one number",
        ),
    ],
)
def test_numbers_that_cannot_be_read_are_counted_with_the_line_of_the_first(
    tmp_path: Path, cells: list[str], sentence: str
) -> None:
    rows = "".join(f"{cell if cell.startswith(chr(34)) else f'{chr(34)}{cell}{chr(34)}'}\n" for cell in cells)
    faults, remarks = findings(saved(tmp_path, f"phone\n{rows}"))
    assert faults == []
    assert len(remarks) == 1
    assert remarks[0].startswith(f"customers.csv:{sentence}")


@pytest.mark.parametrize(
    "cell", ["unknown", "-", "n/a", "0000000000", "0", "'+436641234567", '"=""06641234567"""', "100"]
)
def test_what_is_no_number_or_a_readable_one_is_nothing_to_remark(tmp_path: Path, cell: str) -> None:
    assert findings(saved(tmp_path, f"phone,id\n{cell},1\n")) == ([], [])


def test_a_number_that_cannot_be_read_in_json_has_its_record(tmp_path: Path) -> None:
    path = saved(tmp_path, '[{"phone": "01 5550123"}, {"phone": "4,3E+11"}]', "customers.json")
    assert findings(path)[1][0].startswith("customers.json: 1 number of the column 'phone' cannot be read, in record 2")


def test_a_searched_value_that_was_rounded_is_remarked(tmp_path: Path) -> None:
    path = saved(tmp_path, "number,phone\n4711,1\n1.2E+15,2\n")
    (remark,) = findings(path, [FileSearch("contact", "number", False)])[1]
    assert remark.startswith(
        "customers.csv:3: a spreadsheet has rounded 1 of the column 'number', the first in line 3; "
    )


# ------------------------------------------------------------------------------------------------ at a call


async def test_a_call_says_what_is_wrong_with_a_table_and_who_must_act(tmp_path: Path) -> None:
    path = saved(tmp_path, "phone,name\n1,Müller\n".encode("cp1252"))
    provider = open_records("crm", RecordsSettings(path, "csv"), {"contact": Model("contact", {})}, "AT", lambda: 0.0)
    with pytest.raises(ProviderRefused, match=r"cannot be read: customers\.csv:2: this is not UTF-8") as caught:
        await provider.find(by_caller("+436641234567"))
    assert caught.value.remedy.startswith("save it as 'CSV UTF-8'")
    await provider.close()


async def test_numbers_that_a_new_file_has_lost_are_logged_when_it_is_read(tmp_path: Path) -> None:
    path = saved(tmp_path, "id,phone\n1,01 5550123\n")
    clock = iter(float(second) for second in range(100, 1000, 10))
    model = {"contact": Model("contact", {})}
    provider = open_records("crm", RecordsSettings(path, "csv"), model, "AT", lambda: next(clock))
    await provider.find(by_field("id", "1"))
    path.write_text("id,phone\n1,01 5550123\n2,4.3E+11\n")
    with capture_logs() as logs:
        assert ids(await provider.find(by_field("id", "2"))) == ["2"]
    assert [log["event"] for log in logs] == ["records.unreadable"]
    assert "1 number of the column 'phone' cannot be read, on line 3" in logs[0]["why"]
    await provider.close()


@pytest.mark.parametrize(
    "text", ["phone|name\n1|Anna\n", "\u200bphone,name\u00ad\n1,Anna\n", "sep=|\nphone|name\n1|Anna\n"]
)
def test_headings_are_read_without_signs_that_nobody_sees_and_with_any_usual_separator(
    tmp_path: Path, text: str
) -> None:
    assert [dict(row) for row in read_table(saved(tmp_path, text), "csv").rows] == [{"phone": "1", "name": "Anna"}]
