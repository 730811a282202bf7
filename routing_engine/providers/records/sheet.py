"""A table of records in a spreadsheet (.xlsx, .ods): rows out, read by a process of its own (`sheet_process.py`)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from routing_engine.core.model import Json
from routing_engine.core.templates import as_text
from routing_engine.providers.answers.values import read_value
from routing_engine.providers.records.table import Table, TableFault, with_headings

FORMATS = ("xlsx", "ods")
#: The package that reads them, and how it is installed.
PACKAGE, REMEDY = "python_calamine", "install it: pip install 'routing-engine[spreadsheet]'; or save the table as CSV"
_LONGEST_S = 180.0
_SCRIPT = Path(__file__).with_name("sheet_process.py")
_TOO_MUCH = "it takes too much memory or time to read; delete what is far below or beside the records"


def can_read() -> bool:
    """Return whether the package that reads spreadsheets is installed."""
    return find_spec(PACKAGE) is not None


def read_sheet(path: Path, form: str, sheet: str) -> Table:
    """Read the rows of a sheet, the first one of the file for "". Its first row names the columns.

    Raises `OSError`, or `TableFault`.
    """
    if not can_read():
        raise TableFault(f"nothing here can read .{form} files", REMEDY)
    with path.open("rb"):  # what hinders us hinders the other process, and here it has a name
        pass
    rows = _lines(path, form, sheet)
    header = [as_text(read_value(cell)).strip() for cell in next(rows, [])]
    # Columns that were cleared keep their place in the file.
    while header and not header[-1]:
        header.pop()
    return with_headings(header, enumerate(rows, start=2), 1)


def _lines(path: Path, form: str, sheet: str) -> Iterator[list[Json]]:
    """Return row after row: decoded one by one, so that the calls get their turn in between."""
    command = [sys.executable, "-P", str(_SCRIPT), form, str(path.absolute()), *([sheet] if sheet else [])]
    environment = {"PYTHONPATH": os.pathsep.join(sys.path), "RUST_BACKTRACE": "0"}  # no secret of ours
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said, env=environment)  # noqa: S603
        timer = threading.Timer(_LONGEST_S, process.kill)
        timer.start()
        try:
            assert process.stdout is not None
            for line in process.stdout:
                yield json.loads(line)
            code = process.wait()
        finally:
            timer.cancel()
            process.kill()
            process.communicate()
        if code:
            said.seek(0)
            sentence = said.read(500).decode("utf-8", "replace").strip() if code == 1 else _TOO_MUCH
            raise TableFault(*_sentence_and_remedy(sentence))


def _sentence_and_remedy(said: str) -> tuple[str, str]:
    sentence, _, remedy = said.partition("; ")
    return sentence, remedy or "save it anew"
