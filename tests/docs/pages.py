"""The documentation as data: pages, the names in their tables, their code blocks and links."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
REFERENCE = DOCS / "reference"

_HEADING = re.compile(r"(#+) (.+?)\s*\Z")
_FENCE = re.compile(r"```(\w*)\n(.*?)^```$", re.M | re.S)
_IMAGE = re.compile(r"!\[[^\]]*\]\(([^)\s]+)\)")
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")


def pages() -> list[Path]:
    """Every page of docs/."""
    return sorted(DOCS.rglob("*.md"))


def name_of(page: Path) -> str:
    """A page's name for a test's id."""
    return str(page.relative_to(ROOT))


@dataclass(frozen=True)
class Row:
    """One row of a table: the names in the first cell (code spans), and all cells."""

    names: tuple[str, ...]
    cells: tuple[str, ...]

    @property
    def text(self) -> str:
        return " | ".join(self.cells)


def section(page: Path, heading: str) -> str:
    """The text between a heading and the next one of any level."""
    found, inside = [], False
    for line in without_code(page.read_text(encoding="utf-8")).splitlines():
        match = _HEADING.match(line)
        if match:
            inside = match[2] == heading
        elif inside:
            found.append(line)
    assert found, f"{name_of(page)} has no section '{heading}'"
    return "\n".join(found)


def tables(text: str) -> list[list[Row]]:
    """Every table of a text, without its head."""
    found: list[list[Row]] = []
    before = ""
    for line in text.splitlines():
        if re.match(r"\|[-| ]+\|\Z", line):
            found.append([])
        elif line.startswith("|") and before.startswith("|"):
            found[-1].append(_row(line))
        before = line
    return found


def table(page: Path, heading: str, number: int = 0) -> list[Row]:
    """One table of a section."""
    return tables(section(page, heading))[number]


def names(page: Path, heading: str, number: int = 0) -> set[str]:
    """The names in the first column of one table; one that stands twice is an error."""
    found = [name for row in table(page, heading, number) for name in row.names]
    assert len(found) == len(set(found)), f"{name_of(page)}, {heading}: a name stands twice"
    return set(found)


def _row(line: str) -> Row:
    cells = tuple(cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1])
    return Row(tuple(re.findall(r"`([^`]+)`", cells[0])), cells)


@dataclass(frozen=True)
class Block:
    """A fenced block: its language and text."""

    language: str
    text: str


def blocks(page: Path) -> list[Block]:
    """Every fenced block of a page."""
    return [Block(match[1], match[2]) for match in _FENCE.finditer(page.read_text(encoding="utf-8"))]


def files(page: Path) -> dict[str, str]:
    """The configuration files on a page: blocks whose first line is `# config/...`, by name below config/."""
    found: dict[str, str] = {}
    for block in blocks(page):
        match = re.match(r"# config/(\S+\.(?:ya?ml|txt|csv))\n", block.text)
        if block.language in ("yaml", "text", "csv") and match:
            assert match[1] not in found, f"{name_of(page)}: {match[1]} stands twice"
            found[match[1]] = block.text
    return found


def sessions(page: Path) -> Iterator[tuple[str, list[str]]]:
    """Every command of the `console` blocks of a page, with the lines that it must print."""
    for block in blocks(page):
        if block.language == "console":
            for part in re.split(r"^\$ ", block.text, flags=re.M)[1:]:
                command, *expected = part.rstrip("\n").split("\n")
                yield command, expected


def commands(page: Path) -> list[str]:
    """Every call of `routing-engine` in a page's shell blocks."""
    lines = [line for block in blocks(page) if block.language in ("sh", "console") for line in block.text.splitlines()]
    return [line.removeprefix("$ ") for line in lines if re.match(r"(\$ )?routing-engine ", line)]


def without_code(text: str) -> str:
    """A page's text without its fenced blocks."""
    return _FENCE.sub("", text)


def links(page: Path) -> list[str]:
    """Every link of a page, outside of code."""
    return _LINK.findall(re.sub(r"`[^`\n]*`", "", without_code(page.read_text(encoding="utf-8"))))


def images(page: Path) -> list[str]:
    """Every picture of a page."""
    return _IMAGE.findall(without_code(page.read_text(encoding="utf-8")))


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = (_HEADING.match(line) for line in without_code(page.read_text(encoding="utf-8")).splitlines())
    return {re.sub(r"[^\w\- ]", "", match[2].lower()).replace(" ", "-") for match in headings if match}
