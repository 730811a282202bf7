"""A spreadsheet read by a process of its own: `python -m MODULE FORMAT FILE [SHEET]`.

Spreadsheets come from everywhere, and a small one can unfold to anything: here that costs a process with limits on its
memory and time, and the event loop of the calls none. Nothing in a file is run: a formula counts as the value that was
saved with it. Printed is one JSON list a row, the first one with the names of the columns; or a sentence, exit code 1.
"""

from __future__ import annotations

import json
import resource
import sys
import zipfile
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import NoReturn

MOST_UNPACKED = 512 << 20
MOST_MEMORY = 2 << 30
MOST_CPU_S = 120
MOST_CELLS = 20_000_000


def main() -> None:
    """Print the rows of a sheet."""
    form, path, sheet = sys.argv[1], Path(sys.argv[2]), "".join(sys.argv[3:4])
    # Before the package is imported: whatever it does counts.
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (MOST_CPU_S, MOST_CPU_S))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _check_archive(path, form)
    for row in _rows(path, sheet):
        print(json.dumps([_plain(cell) for cell in row]))


def _check_archive(path: Path, form: str) -> None:
    """End where the file is not an archive, or would unfold to more than anybody's customers need."""
    try:
        with zipfile.ZipFile(path) as archive:
            # The directory of the archive says so before anything is unpacked.
            unpacked = sum(one.file_size for one in archive.infolist())
    except (zipfile.BadZipFile, OSError, NotImplementedError):
        _end(f"it is no .{form} file; save it in that form, or give it the ending of what it is")
    if unpacked > MOST_UNPACKED:
        _end(f"it unfolds to more than {MOST_UNPACKED >> 20} MiB; delete what is not needed, or use a database")


def _rows(path: Path, sheet: str) -> Iterator[Sequence[object]]:
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        book = CalamineWorkbook.from_path(str(path))
        if sheet and sheet not in book.sheet_names:
            _end(f"it has no sheet '{sheet[:80]}'; correct 'sheet', or leave it out for the first one")
        found = book.get_sheet_by_name(sheet) if sheet else book.get_sheet_by_index(0)
        if found.width * found.height > MOST_CELLS:
            _end(f"its sheet has more than {MOST_CELLS} cells; delete what is empty below and beside the records")
        yield from found.iter_rows()
    except (CalamineError, IndexError):
        _end("it cannot be read as a spreadsheet; save it anew")


def _plain(cell: object) -> object:
    """Return a cell as JSON: whole numbers with all their digits, never 4.4E+11, and dates as ISO 8601 writes them."""
    # Spreadsheets keep every number as a float: 4.366e11 is a telephone number.
    if isinstance(cell, float) and cell.is_integer():
        whole = int(cell)
        return whole if abs(whole) < 1 << 53 else str(whole)
    if isinstance(cell, datetime):
        return cell.date().isoformat() if cell.time() == time() else cell.isoformat()
    if isinstance(cell, date | time):
        return cell.isoformat()
    return str(cell) if isinstance(cell, timedelta) else cell


def _end(sentence: str) -> NoReturn:
    """End with a sentence and, behind a semicolon, its remedy."""
    print(sentence, file=sys.stderr)
    sys.exit(1)


if __name__ == "__main__":
    main()
