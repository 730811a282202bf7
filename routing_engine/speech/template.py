"""A synthesiser's command: words with placeholders, and what a text becomes before a synthesiser gets it. Pure."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping, Sequence

#: What a command may hold, in a word of its own or within one.
PLACEHOLDERS = ("text", "text_json", "text_file", "language", "voice", "file")

_PLACEHOLDER = re.compile(r"\{([A-Za-z_]+)\}")
_QUOTED_TEXT = re.compile(r"[\"']\{text\}|\{text\}[\"']")
#: Control characters (some begin commands of espeak), the half of a character, and what marks up: `[[phonemes]]`, tags,
#: and the backslashes of other synthesisers. None of them is ever said.
_UNSPOKEN = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff<>\[\]\\]+")
_LONGEST_TEXT = 500


def clean_text(text: str) -> str:
    """Return what is to be said: one line without markup, 500 characters at most; "" when there is nothing to say."""
    said = _UNSPOKEN.sub(" ", text).strip()[:_LONGEST_TEXT]
    return said if any(map(str.isalnum, said)) else ""


def read_command(line: str) -> tuple[str, ...]:
    """Split a command into words, once. Raises `ValueError` with a sentence when it cannot be used."""
    try:
        words = tuple(shlex.split(line))
    except ValueError as error:
        raise ValueError(f"the command cannot be read: {str(error).lower()}") from None
    if not words or _PLACEHOLDER.search(words[0]):
        raise ValueError("the command must begin with a program")
    for before, word in zip(("", *words), words, strict=False):
        _check_word(before, word)
    return words


def _check_word(before: str, word: str) -> None:
    """Refuse the ways in which a text could become more than a text."""
    unknown = [name for name in _PLACEHOLDER.findall(word) if name not in PLACEHOLDERS]
    if unknown:
        raise ValueError(f"the command has no placeholder {{{unknown[0]}}}")
    if before == "-c" and "{text" in word:
        raise ValueError("a text within a program would be run; leave {text} out and read the text from standard input")
    if _QUOTED_TEXT.search(word):
        raise ValueError("a quote in the text would end the quotes around {text}; write {text_json} without quotes")


def uses(command: Sequence[str], *names: str) -> bool:
    """Return whether a command holds one of these placeholders."""
    return any(found in names for word in command for found in _PLACEHOLDER.findall(word))


def fill(command: Sequence[str], values: Mapping[str, str]) -> list[str]:
    """Put values into a command. What stands in a value is never a placeholder again.

    A space goes before `{text}`: it is not heard, and no synthesiser takes what follows for an option (`-v`), a file
    (`@name`) or an address (`file://`).
    """
    known = {**values, "text": f" {values['text']}", "text_json": json.dumps(values["text"])}
    return [_PLACEHOLDER.sub(lambda found: known[found[1]], word) for word in command]


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
