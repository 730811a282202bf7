"""What finds the pipes whose reader stops early: it must find every kind of them, and nothing else."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from .scripts import early_readers_of


@pytest.mark.parametrize(
    "line",
    [
        "slapd -VV 2>&1 | grep -q OpenLDAP",
        "slapd -VV |& grep -iq openldap",
        "cat log | egrep --quiet word",
        "cat log | grep -m 1 word",
        "compgen -G '*.so' | head -n 1",
        "cat list | sed -n '/x/{p;q}'",
        "cat list | sed 5q",
        "apt-get indextargets | awk '$2 == \"main\" { print $1; exit }'",
        "cat list | read first",
        "cat list \\\n  | head -1",
        "cat list |\n  awk '{ print; exit }'",
    ],
)
def test_a_reader_that_stops_early_is_found(line: str) -> None:
    assert len(list(early_readers_of(Path("script"), f"set -euo pipefail\n{line}\n"))) == 1


@pytest.mark.parametrize(
    "line",
    [
        "odoo --version | grep 'Odoo Server 19'",
        "cat list | sed -n 's/quiet \\(.*\\)/\\1/p'",
        "[[ -n $x ]] || head -n 1 file",
        "grep -q word file || exit 1",
        "cat list | sort | tail -n 1",
        "cat list | awk 'NR == 1 { print }' || exit 1",
        "# cat list | head",
        'cat list | while read -r word; do echo "$word"; done',
    ],
)
def test_a_reader_that_reads_to_the_end_is_left_alone(line: str) -> None:
    assert list(early_readers_of(Path("script"), f"{line}\n")) == []


def test_a_place_names_its_line() -> None:
    text = "set -o pipefail\nfirst\ncat list |\n  head\ncat other | head\n"
    assert [place.line for place in early_readers_of(Path("script"), text)] == [4, 5]


@pytest.mark.io
def test_a_writer_whose_reader_stops_early_fails_the_pipe() -> None:
    """The reason of the bar: the reader was content, and the pipe says that it failed."""
    long = "yes | head -n 100000"
    done = subprocess.run(["bash", "-c", f"set -o pipefail; {{ {long}; }} | grep -q y"], check=False)
    assert done.returncode == 141
