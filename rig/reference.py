"""Write the tables of docs/reference anew from the keys of the code: `make reference`."""

from __future__ import annotations

from pathlib import Path

from rig.api_reference import offered, with_addresses
from routing_engine.settings.reference import refreshed

REFERENCE = Path(__file__).resolve().parents[1] / "docs" / "reference"


def main() -> None:
    """Refresh every page whose tables are not those of the code; name it."""
    rows = offered()
    for page in sorted(REFERENCE.glob("*.md")):
        text = page.read_text(encoding="utf-8")
        anew = with_addresses(refreshed(text), rows)
        if anew != text:
            page.write_text(anew, encoding="utf-8")
            print(f"written: docs/reference/{page.name}")


if __name__ == "__main__":
    main()
