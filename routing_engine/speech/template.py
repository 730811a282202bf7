"""A synthesiser's command: words with placeholders, and what a text becomes before a synthesiser gets it. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from routing_engine.core.redact import one_line
from routing_engine.settings.speech import PLACEHOLDER

#: What marks up for a synthesiser and is never said: `[[phonemes]]`, tags, and the backslashes of others. Control
#: characters, some of which begin commands of espeak, are taken out with it.
_MARKUP = re.compile(r"[<>\[\]\\]")
_LONGEST_TEXT = 500


def speakable(text: str) -> str:
    """Return what is to be said: one line without markup, 500 characters at most; "" when there is nothing to say."""
    said = one_line(_MARKUP.sub(" ", text))[:_LONGEST_TEXT]
    return said if any(map(str.isalnum, said)) else ""


def uses(command: Sequence[str], *names: str) -> bool:
    """Return whether a command holds one of these placeholders."""
    return any(found in names for word in command for found in PLACEHOLDER.findall(word))


def fill(command: Sequence[str], values: Mapping[str, str]) -> list[str]:
    """Put values into a command. What stands in a value is never a placeholder again.

    A space goes before `{text}`: it is not heard, and no synthesiser takes what follows for an option (`-v`), a file
    (`@name`) or an address (`file://`).
    """
    known = {**values, "text": f" {values['text']}", "text_json": json.dumps(values["text"])}
    return [PLACEHOLDER.sub(lambda found: known[found[1]], word) for word in command]


def masked(said: str, text: str) -> str:
    """Return what a program wrote without the text's words, in one short line: for a log.

    A word that holds a piece of the text, or that is escaped so that it could, becomes `*`.
    """
    low = text.casefold()
    whole = set(re.findall(r"\w+", low))
    pieces = {piece for piece in (*whole, *re.findall(r"[a-z0-9]+", low)) if len(piece) > 2}
    words = (word if _is_harmless(word, pieces, whole) else "*" for word in said.split())
    return " ".join(words)[:200]


def _is_harmless(word: str, pieces: set[str], whole: set[str]) -> bool:
    low = word.casefold()
    if "%" in low or "\\" in low or "\N{REPLACEMENT CHARACTER}" in low:
        return False
    return not any(piece in low for piece in pieces) and whole.isdisjoint(re.findall(r"\w+", low))
