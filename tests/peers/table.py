"""The table as values, and as the page that operators read: `python -m tests.peers.table` writes it anew."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from routing_engine.settings.reference import wrapped

HERE = Path(__file__).parent
CONFIG = HERE / "config"
PAGE = HERE.parents[1] / "docs" / "reference" / "compared.md"
BEGIN, END = "<!-- written from tests/peers/table.yaml -->\n", "<!-- end -->\n"


@dataclass(frozen=True)
class Feature:
    """One row: how it is said, what shows it, and what is missing."""

    row: int
    feature: str
    said: str = ""
    page: str = ""
    files: list[str] = field(default_factory=list)
    core: list[str] = field(default_factory=list)
    asterisk: list[str] = field(default_factory=list)
    not_yet: str = ""
    left_out: str = ""

    @property
    def shown_in(self) -> list[Path]:
        """The files of the configuration that say it."""
        own = sorted(CONFIG.glob(f"*/{self.row:02}-*.yaml"))
        return own + [CONFIG / name for name in self.files]


def read_table() -> Mapping[str, list[Feature]]:
    """The features by group, in their order."""
    groups = yaml.load((HERE / "table.yaml").read_text(encoding="utf-8"), yaml.CSafeLoader)
    return {group: [Feature(**row) for row in rows] for group, rows in groups.items()}


def features() -> list[Feature]:
    """Every row."""
    return [one for rows in read_table().values() for one in rows]


def as_markdown() -> str:
    """The table as it stands on the page."""
    return "\n".join(line for group, rows in read_table().items() for line in _group(group, rows))


def _group(group: str, rows: list[Feature]) -> Iterator[str]:
    yield from (f"## {group}", "")
    yield from (_item(one) for one in rows)
    yield ""


def _item(one: Feature) -> str:
    said = f"{one.said}: [more]({one.page})" if one.page else one.said
    parts = [said, one.not_yet and f"*not yet:* {one.not_yet}", one.left_out and f"*left out:* {one.left_out}"]
    text = f"{one.row}. **{one.feature}**: " + ". ".join(part for part in parts if part)
    return wrapped(text, indent=" " * len(f"{one.row}. "))


def write_page() -> None:
    """Put the table between the marks of the page."""
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(text.partition(BEGIN)[0] + BEGIN + as_markdown() + END, encoding="utf-8")


if __name__ == "__main__":
    write_page()
