"""What people may be shown of a text that came from a caller or a CRM."""

from __future__ import annotations

import re

#: Control characters (a terminal obeys them), line ends, what turns the direction of writing, halves of characters.
UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


def visible(text: str, longest: int = 0) -> str:
    """Return a text that cannot do anything to a terminal or a log: each character that could becomes a space.

    What is longer than `longest` ends in `...`; 0 leaves the length as it is.
    """
    if longest and len(text) > longest:
        text = text[: longest - 3] + "..."
    return text if text.isprintable() else UNSEEN.sub(" ", text)
